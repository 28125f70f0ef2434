/** Cron jobs by the real clock, which strikes once a minute: all of these wait for the same strokes. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Api, type Json, until, Watch } from './api.ts';
import { type NodeCluster, Pods, startNodeCluster } from './with-nodes.ts';

let cluster: NodeCluster;
let pods: Pods;
let api: Api;
before(
  async () => {
    cluster = await startNodeCluster();
    pods = await Pods.in(cluster.api, 'cronjobs');
    api = pods.api;
  },
  { timeout: 180_000 },
);
after(async () => await cluster?.[Symbol.asyncDispose](), { timeout: 120_000 });

/** The second stroke after now comes within two minutes. */
const options = { timeout: 170_000 };
const STROKES_MS = 150_000;
const path = (resource: string): string => `/apis/batch/v1/namespaces/${pods.namespace}/${resource}`;

/** Strikes every minute; each job runs for longer than that, unless told otherwise. */
async function strike(name: string, spec: Json = {}, script = 'sleep 300'): Promise<void> {
  const { spec: pod } = pods.pod(script, {}, { restartPolicy: 'OnFailure' });
  const template = { metadata: { labels: { of: name } }, spec: pod };
  await api.post(path('cronjobs'), {
    metadata: { name },
    spec: { schedule: '*/1 * * * *', jobTemplate: { metadata: { labels: { of: name } }, spec: { template } }, ...spec },
  });
}
const jobs = async (name: string): Promise<Json[]> =>
  (await api.get(`${path('jobs')}?labelSelector=of%3D${name}`)).items;
/** Waits for the next job of a cron job that is neither of these. */
async function nextJob(name: string, known: readonly string[] = []): Promise<Json> {
  await using watch = await Watch.on(api, `${path('jobs')}?labelSelector=of%3D${name}`, STROKES_MS);
  return await watch.next('ADDED', ({ metadata }) => !known.includes(metadata.uid));
}
/** Waits until the controller has said so of a cron job. */
async function said(name: string, reason: string): Promise<void> {
  await using watch = await Watch.on(
    api,
    `${pods.path('events')}?fieldSelector=involvedObject.name%3D${name}`,
    STROKES_MS,
  );
  for (;;) if ((await watch.next('ADDED')).reason === reason) return;
}

describe('strokes of the clock', { concurrency: true }, () => {
  test('[sig-apps] CronJob should schedule multiple jobs concurrently', options, async () => {
    await strike('allowing', { concurrencyPolicy: 'Allow' });
    const first = await nextJob('allowing');
    await nextJob('allowing', [first.metadata.uid]);
    const active = (await jobs('allowing')).filter(({ status }) => !status.completionTime);
    assert.ok(active.length >= 2);
    await api.delete(`${path('cronjobs')}/allowing`);
  });
  test('[sig-apps] CronJob should not schedule jobs when suspended [Slow]', options, async () => {
    await strike('suspended', { suspend: true });
    await strike('beside-suspended', {}, 'true');
    await nextJob('beside-suspended');
    assert.deepEqual(await jobs('suspended'), [], 'the clock has struck');
    await api.patch(`${path('cronjobs')}/suspended`, { spec: { suspend: false } });
    await nextJob('suspended');
    for (const name of ['suspended', 'beside-suspended']) await api.delete(`${path('cronjobs')}/${name}`);
  });
  test('[sig-apps] CronJob should not schedule new jobs when ForbidConcurrent [Slow]', options, async () => {
    await strike('forbidding', { concurrencyPolicy: 'Forbid' });
    const first = await nextJob('forbidding');
    await said('forbidding', 'JobAlreadyActive');
    assert.deepEqual(
      (await jobs('forbidding')).map(({ metadata }) => metadata.uid),
      [first.metadata.uid],
    );
    const { status } = await api.get(`${path('cronjobs')}/forbidding`);
    assert.deepEqual(
      status.active.map(({ name }: Json) => name),
      [first.metadata.name],
    );
    await api.delete(`${path('cronjobs')}/forbidding`);
  });
  test('[sig-apps] CronJob should replace jobs when ReplaceConcurrent', options, async () => {
    await strike('replacing', { concurrencyPolicy: 'Replace' });
    const first = await nextJob('replacing');
    const second = await nextJob('replacing', [first.metadata.uid]);
    await until(api, `${path('cronjobs')}/replacing`, ({ status }) => {
      const active = (status.active ?? []).map(({ uid }: Json) => uid);
      return active.length === 1 && active[0] === second.metadata.uid;
    });
    const left = (await jobs('replacing')).filter(({ metadata }) => !metadata.deletionTimestamp);
    assert.deepEqual(
      left.map(({ metadata }) => metadata.uid),
      [second.metadata.uid],
    );
    await api.delete(`${path('cronjobs')}/replacing`);
  });
});
