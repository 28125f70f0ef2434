import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { ManualClock, parseAccountId, silentLogger, systemRandom, type Arn } from '#base';
import { networkRecords } from '#network';
import { nodeRecords } from '#node';
import { memoryStore } from '#store';
import { createEc2, privateDnsName, type InstanceRecord } from '../index.ts';
import { metadataOptions } from './options.ts';
import { MetadataTokens } from './tokens.ts';

const account = parseAccountId('000000000000');
const region = 'us-east-1';
const scope = { account, region };
const roleArn = `arn:aws:iam::${account}:role/path/node` as Arn;

describe('instance metadata', () => {
  const clock = new ManualClock(Date.now());
  const store = memoryStore({ clock });
  const ec2 = createEc2({
    store,
    clock,
    random: systemRandom,
    logger: silentLogger,
    publicCidr: '198.18.0.0/16',
    identities: {
      issueRoleSession: async ({ sessionName, durationMs }) => ({
        accessKeyId: sessionName,
        secretAccessKey: 's',
        sessionToken: 't',
        expiresAt: clock.now() + durationMs,
        roleArn,
      }),
      describeRole: async () => ({ arn: roleArn, name: 'node', account, roleId, maxSessionMs: 1 }),
    },
  });
  let roleId = 'AROA1';
  /** Who asks: the server knows it by the address in the VPC. */
  let address = '';
  let instance: InstanceRecord;
  const server = createServer((request, response) => {
    void ec2.metadata(request, response, { vpcId: instance.vpcId, address });
  });

  before(async () => {
    for (const zoneLetter of ['a', 'b', 'c'])
      await nodeRecords(store).nodes.create(`m-${zoneLetter}`, {
        id: `m-${zoneLetter}`,
        machineId: 'm',
        zoneLetter,
        cpuUnits: 4096,
        memoryMiB: 2048,
        startedAt: 0,
      });
    await ec2.network.ensureDefaultVpc(scope);
    const [subnet] = await ec2.network.subnets(scope);
    [instance] = (await ec2.instances.run([
      {
        ...scope,
        instanceType: process.arch === 'arm64' ? 't4g.small' : 't3.small',
        subnetId: subnet!.id,
        tags: { team: 'a' },
        roleArn,
        clusterId: 'c',
      },
    ])) as [InstanceRecord];
    address = instance.privateIp;
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  after(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await store.close();
  });

  const ask = async (method: string, path: string, headers: Record<string, string> = {}) => {
    const { port } = server.address() as AddressInfo;
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      headers: { connection: 'close', ...headers },
    });
    return { status: answer.status, text: await answer.text() };
  };
  const tokenFor = async (seconds: number) =>
    (await ask('PUT', '/latest/api/token', { 'x-aws-ec2-metadata-token-ttl-seconds': String(seconds) })).text;
  const read = async (path: string, token?: string) =>
    await ask('GET', `/latest/${path}`, { 'x-aws-ec2-metadata-token': token ?? (await tokenFor(60)) });
  const change = async (asked: Parameters<typeof metadataOptions>[0]) =>
    await ec2.instances.records.update(`${account}/${region}/${instance.id}`, (record) => ({
      ...record,
      metadataOptions: metadataOptions(asked, record.metadataOptions),
    }));

  test('an instance reads about itself, directory by directory', async () => {
    assert.equal((await read('meta-data/instance-id')).text, instance.id);
    assert.equal((await read('meta-data/placement/availability-zone')).text, instance.zone);
    assert.equal((await read('meta-data/placement/region')).text, region);
    assert.equal((await read('meta-data/local-ipv4')).text, instance.privateIp);
    const mac = (await read('meta-data/mac')).text;
    assert.equal((await read('meta-data/network/interfaces/macs/')).text, `${mac}/`);
    assert.equal((await read(`meta-data/network/interfaces/macs/${mac}/subnet-id`)).text, instance.subnetId);
    assert.match((await read('meta-data/')).text, /^instance-id$[\s\S]*^placement\/$/m);
    const document: unknown = JSON.parse((await read('dynamic/instance-identity/document')).text);
    assert.partialDeepStrictEqual(document, { instanceId: instance.id, accountId: account, region });
    for (const path of ['meta-data/none', 'meta-data/instance-id/more', 'meta-data/constructor', 'user-data', '../x'])
      assert.equal((await read(path)).status, 404, path);
  });

  test('it has sessions of its role, one until that is about to end', async () => {
    assert.equal((await read('meta-data/iam/security-credentials/')).text, 'node');
    const session = async (): Promise<unknown> =>
      JSON.parse((await read('meta-data/iam/security-credentials/node')).text);
    const first = await session();
    assert.partialDeepStrictEqual(first, { Code: 'Success', AccessKeyId: instance.id, Token: 't' });
    clock.advance(3_600_000);
    assert.deepEqual(await session(), first);
    roleId = 'AROA2';
    const ofOther = await session();
    assert.notDeepEqual(ofOther, first, 'the role was deleted and made again');
    assert.deepEqual(await session(), ofOther);
    clock.advance(6 * 3_600_000);
    assert.notDeepEqual(await session(), ofOther);
    roleId = 'AROA1';
    clock.advance(5 * 3_600_000);
    assert.notDeepEqual(await session(), first);
  });

  test('without a token of its own, and after its time, nothing is told unless that is allowed', async () => {
    assert.equal((await ask('GET', '/latest/meta-data/instance-id')).status, 401);
    const token = await tokenFor(60);
    assert.equal((await read('meta-data/instance-id', token)).status, 200);
    clock.advance(60_001);
    assert.equal((await read('meta-data/instance-id', token)).status, 401);
    for (const ttl of ['', '0', '21601', 'x', '-1'])
      assert.equal(
        (await ask('PUT', '/latest/api/token', { 'x-aws-ec2-metadata-token-ttl-seconds': ttl })).status,
        400,
      );
    const forwarded = { 'x-aws-ec2-metadata-token-ttl-seconds': '60', 'x-forwarded-for': '10.0.0.1' };
    assert.equal((await ask('PUT', '/latest/api/token', forwarded)).status, 403);
    await change({ HttpTokens: 'optional' });
    assert.equal((await ask('GET', '/latest/meta-data/instance-id')).text, instance.id);
    assert.equal((await read('meta-data/instance-id', 'wrong')).status, 401);
    await change({ HttpTokens: 'required' });
  });

  test('tags are told where that is allowed, and nothing where the service is off', async () => {
    assert.equal((await read('meta-data/tags/instance/team')).status, 404);
    await change({ InstanceMetadataTags: 'enabled' });
    assert.equal((await read('meta-data/tags/instance/team')).text, 'a');
    await change({ HttpEndpoint: 'disabled' });
    assert.equal((await ask('GET', '/latest/meta-data/')).status, 403);
    await change({ HttpEndpoint: 'enabled' });
  });

  test('a pod is a hop away; what is on no instance is told nothing', async () => {
    const node = privateDnsName(region, instance.privateIp);
    const { networkInterface } = await (async () => {
      const planned = await ec2.network.planInterface({
        ...scope,
        subnetId: instance.subnetId,
        description: '',
        managedBy: 'eks',
        cluster: { id: 'c', node },
      });
      await store.txn({ compare: planned.compare, success: planned.success });
      return planned;
    })();
    address = networkInterface.privateIp;
    await change({ HttpPutResponseHopLimit: 1 });
    await assert.rejects(tokenFor(60), 'no answer');
    await change({ HttpPutResponseHopLimit: 2 });
    assert.equal((await read('meta-data/instance-id')).text, instance.id);
    const records = networkRecords(store).networkInterfaces;
    await records.update(`${account}/${region}/${networkInterface.id}`, ({ cluster: _gone, ...rest }) => rest);
    await assert.rejects(tokenFor(60), 'no answer');
    address = instance.privateIp;
  });

  test('a token is good for one instance and as it was given', () => {
    const tokens = new MetadataTokens('key', () => 0);
    const { token } = tokens.issue('i-1', '60')!;
    assert.equal(tokens.secondsLeft('i-1', token), 60);
    assert.equal(tokens.secondsLeft('i-2', token), undefined);
    assert.equal(new MetadataTokens('other', () => 0).secondsLeft('i-1', token), undefined);
    assert.equal(tokens.secondsLeft('i-1', `A${token.slice(1)}`) === 60 && !token.startsWith('A'), false);
    assert.equal(tokens.secondsLeft('i-1', ''), undefined);
  });
});
