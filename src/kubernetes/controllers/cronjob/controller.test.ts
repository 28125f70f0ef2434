import { isoSeconds } from '#base';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cronJobs, jobs } from '../../resources.ts';
import type { CronJob, Job } from '../../types.ts';
import { type Harness, harness } from '../harness.ts';
import { cronJobController } from './controller.ts';

const start = () => harness((parts) => [cronJobController(parts)]);
const name = { namespace: 'default', name: 'c' };
const MINUTE = 60_000;

function cronJob(more: Partial<NonNullable<CronJob['spec']>> = {}): CronJob {
  const template = { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'i' }] } };
  const jobTemplate = { metadata: { labels: { a: 'b' } }, spec: { template } };
  return { metadata: name, spec: { schedule: '* * * * *', jobTemplate, ...more } };
}

const all = (run: Harness) => run.client.all(jobs);
const get = (run: Harness) => run.client.get(cronJobs, name);

async function end(run: Harness, job: Job, type: 'Complete' | 'Failed'): Promise<void> {
  const at = isoSeconds(run.clock.now());
  const conditions = [{ type, status: 'True', lastTransitionTime: at }];
  await run.setStatus(jobs, job, { conditions, startTime: at, ...(type === 'Complete' && { completionTime: at }) });
  await run.settle();
}

test('a job is made when its time comes, once', async () => {
  await using run = start();
  await run.client.create(cronJobs, cronJob());
  await run.settle();
  assert.equal(all(run).length, 0);
  await run.advance(MINUTE + 200);
  assert.deepEqual(
    all(run).map(({ metadata }) => [metadata!.name, metadata!.labels]),
    [[`c-${Math.floor(run.clock.now() / MINUTE)}`, { a: 'b' }]],
  );
  const { status } = await get(run);
  assert.equal(status?.active?.length, 1);
  assert.equal(status?.lastScheduleTime, '2026-01-01T00:01:00Z');
  await end(run, all(run)[0]!, 'Complete');
  assert.equal((await get(run)).status?.active, undefined);
  assert.ok((await get(run)).status?.lastSuccessfulTime);
  assert.ok(run.said().some((line) => line.startsWith('SawCompletedJob: Saw completed job: c-')));
});

test('a prior execution forbids, or is replaced', async () => {
  for (const concurrencyPolicy of ['Forbid', 'Replace', 'Allow']) {
    await using run = start();
    await run.client.create(cronJobs, cronJob({ concurrencyPolicy }));
    await run.settle();
    await run.advance(MINUTE + 200);
    await run.advance(MINUTE);
    const names = all(run).map(({ metadata }) => metadata!.name);
    const minute = Math.floor(run.clock.now() / MINUTE);
    const expected = {
      Forbid: [`c-${minute - 1}`],
      Replace: [`c-${minute}`],
      Allow: [`c-${minute - 1}`, `c-${minute}`],
    };
    assert.deepEqual(names, expected[concurrencyPolicy as keyof typeof expected]);
  }
});

test('history is as long as its limits', async () => {
  await using run = start();
  await run.client.create(cronJobs, cronJob({ successfulJobsHistoryLimit: 1, failedJobsHistoryLimit: 0 }));
  await run.settle();
  await run.advance(200);
  for (const type of ['Complete', 'Failed', 'Complete'] as const) {
    await run.advance(MINUTE);
    await end(run, all(run).at(-1)!, type);
  }
  assert.deepEqual(
    all(run).map(({ metadata }) => metadata!.name),
    [`c-${Math.floor(run.clock.now() / MINUTE)}`],
  );
});

test('what is suspended, or too late, is not started', async () => {
  await using run = start();
  await run.client.create(cronJobs, cronJob({ suspend: true, startingDeadlineSeconds: 10 }));
  await run.settle();
  await run.advance(MINUTE + 30_000);
  await run.client.patch(cronJobs, name, { kind: 'merge', body: { spec: { suspend: false } } });
  await run.settle();
  assert.equal(all(run).length, 0);
  await run.advance(30_200);
  assert.equal(all(run).length, 1);
});

test('after a long absence the latest missed time alone is made up for', async () => {
  await using run = start();
  await run.client.create(cronJobs, cronJob({ suspend: true }));
  await run.advance(500 * MINUTE);
  await run.client.patch(cronJobs, name, { kind: 'merge', body: { spec: { suspend: null } } });
  await run.settle();
  assert.deepEqual(
    all(run).map(({ metadata }) => metadata!.name),
    [`c-${Math.floor(run.clock.now() / MINUTE)}`],
  );
  assert.ok(run.said().some((line) => line.startsWith('TooManyMissedTimes')));
});

test('a schedule or zone that cannot be read is told', async () => {
  await using run = start();
  await run.client.create(cronJobs, cronJob({ schedule: 'often' }));
  await run.settle();
  assert.match(run.said()[0]!, /^UnparseableCronJobSchedule: unparseable schedule: "often"/);
});
