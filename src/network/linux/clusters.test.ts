import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { DabbaError } from '#base';
import { Clusters } from './clusters.ts';
import type { Fabrics } from './fabrics.ts';
import { type ClusterRecord, RecordFolder } from './state.ts';

const cluster = { vpcId: 'vpc-1', clusterId: 'c1' };

/** Clusters over records on disk; `onRefresh` stands for the kernel's taking of the rules. */
function clustersOf(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'dabba-clusters-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const world = { onRefresh: async (): Promise<void> => undefined };
  const fabrics = { refresh: async () => (await world.onRefresh(), new Map()) };
  const records = new RecordFolder<ClusterRecord>(directory);
  records.load();
  const clusters = new Clusters({ records, fabrics: () => fabrics as unknown as Fabrics }); // no more of it is asked
  /** What a process begun now would know. */
  const known = () => {
    const next = new RecordFolder<ClusterRecord>(directory);
    next.load();
    return next.all().map(({ clusterId }) => clusterId);
  };
  const untouched = () => clusters.due(cluster.vpcId, []).untouched.length;
  return { world, clusters, known, untouched };
}

test('the record of a removed cluster stays until its table is gone', async (t) => {
  const { world, clusters, known, untouched } = clustersOf(t);
  const network = await clusters.open(cluster, {});
  world.onRefresh = async () => assert.deepEqual([known(), untouched()], [['c1'], 0]);
  await network.remove();
  assert.deepEqual(known(), []);
});

test('a cluster whose table cannot be removed is still known', async (t) => {
  const { world, clusters, known, untouched } = clustersOf(t);
  const network = await clusters.open(cluster, {});
  world.onRefresh = () => Promise.reject(new DabbaError('Unavailable', 'nft refused the rules'));
  await assert.rejects(network.remove(), { kind: 'Unavailable', message: /c1 remain: nft refused/ });
  assert.deepEqual([known(), untouched()], [['c1'], 1]);
});

test('a cluster that is opened again while it is removed stays', async (t) => {
  const { world, clusters, known } = clustersOf(t);
  const network = await clusters.open(cluster, {});
  const refreshed = Promise.withResolvers<void>();
  world.onRefresh = () => refreshed.promise;
  const both = Promise.all([network.remove(), clusters.open(cluster, {})]);
  refreshed.resolve();
  await both;
  assert.deepEqual(known(), ['c1']);
});
