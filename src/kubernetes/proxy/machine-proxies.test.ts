import assert from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { test } from 'node:test';
import { type Logger, silentLogger, systemClock, systemRandom } from '#base';
import { type ClusterKey, type ClusterNetworks, networkRecords, recordId, type NetworkInterface } from '#network';
import { memoryStore } from '#store';
import { MemoryClient } from '../client/memory-client.ts';
import { MemoryInformers } from '../client/memory-informers.ts';
import type { KubeletRecord } from '../kubelet/ports.ts';
import { pods } from '../resources.ts';
import { createMachineProxies } from './machine-proxies.ts';

const owned = { tenant: '000000000000', region: 'us-east-1' };

/** Proxies over a network that only notes what it is told. */
async function machine() {
  const store = memoryStore();
  const notes: string[] = [];
  const said = (verb: string, ...keys: readonly ClusterKey[]) =>
    notes.push(`${verb} ${keys.map(({ vpcId, clusterId }) => `${clusterId}@${vpcId}`).join(' ')}`);
  let refusals = 0;
  const client = new MemoryClient();
  const warnings: string[] = [];
  const logger: Logger = { ...silentLogger, warn: (message) => void warnings.push(message), with: () => logger };
  const clusters: ClusterNetworks = {
    async open(key) {
      said('open', key);
      return {
        async apply() {},
        async remove() {
          if (refusals-- > 0) throw new Error('refused');
          said('remove', key);
        },
      };
    },
    async retain(keys) {
      said('retain', ...keys);
    },
  };
  const proxies = createMachineProxies({
    store,
    clusters,
    serveAt: () => ({ async [Symbol.asyncDispose]() {} }),
    clock: systemClock,
    random: systemRandom,
    logger,
    connect: () => new MemoryInformers(client),
  });
  const node = async (id: string, clusterId: string, vpcId: string): Promise<KubeletRecord> => {
    const eni = { ...owned, id: `eni-${id}`, vpcId } as NetworkInterface; // all that is read of it
    await networkRecords(store).networkInterfaces.create(recordId(eni), eni);
    const cluster = {
      id: clusterId,
      name: clusterId,
      server: 'https://127.0.0.1:6443',
      certificateAuthorityPem: '',
      dnsAddress: '10.100.0.10',
      domain: 'cluster.local',
      serviceCidr: '10.100.0.0/16',
    };
    return { ...owned, id, networkInterfaceId: eni.id, cluster } as KubeletRecord; // all that is read of it
  };
  const settle = async () => {
    for (let turn = 0; turn < 20; turn++) await nextTurn();
    return notes.splice(0);
  };
  return { proxies, client, warnings, node, settle, refuse: () => (refusals = 1) };
}

test('one proxy for each cluster in each VPC, as long as it has a node here', async () => {
  const { proxies, node, settle } = await machine();
  const [one, two, other] = [
    await node('a', 'c1', 'vpc-1'),
    await node('b', 'c1', 'vpc-1'),
    await node('c', 'c2', 'vpc-1'),
  ];
  await proxies.follow([one, two, other]);
  assert.deepEqual(await settle(), ['retain c1@vpc-1 c2@vpc-1', 'open c1@vpc-1', 'open c2@vpc-1']);
  await proxies.follow([two, other]);
  assert.deepEqual(await settle(), []);
  await proxies.follow([other]);
  assert.deepEqual(await settle(), ['remove c1@vpc-1']);
  await proxies.stop();
  assert.deepEqual(await settle(), [], 'what is stopped stays');
});

test('a removal that failed is tried again', async () => {
  const { proxies, node, settle, refuse } = await machine();
  await proxies.follow([await node('a', 'c1', 'vpc-1')]);
  await settle();
  refuse();
  await assert.rejects(proxies.follow([]), /refused/);
  await proxies.follow([]);
  assert.deepEqual(await settle(), ['remove c1@vpc-1']);
});

test('a proxy whose removal failed is followed by another when its cluster has nodes again, and no pod that waits is lost', async () => {
  const { proxies, client, warnings, node, settle, refuse } = await machine();
  const [one, two] = [await node('a', 'c1', 'vpc-1'), await node('b', 'c1', 'vpc-1')];
  const { metadata } = await client.create(pods, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: 'default', name: 'p' },
    spec: { containers: [] },
  });
  await proxies.follow([one]);
  refuse();
  await assert.rejects(proxies.follow([]), /refused/);
  const pod = { node: two, namespace: 'default', name: 'p', uid: metadata!.uid!, serviceAccount: 'default' };
  const held = proxies.hold(pod, '10.0.0.9', new AbortController().signal);
  await settle();
  await proxies.follow([two]);
  await held;
  assert.deepEqual(warnings, []);
  assert.deepEqual(await settle(), ['remove c1@vpc-1', 'open c1@vpc-1']);
  await proxies.stop();
});

test('a node whose interface is gone has no proxy', async () => {
  const { proxies, node, settle } = await machine();
  await proxies.follow([{ ...(await node('a', 'c1', 'vpc-1')), networkInterfaceId: 'eni-none' }]);
  assert.deepEqual(await settle(), ['retain ']);
});
