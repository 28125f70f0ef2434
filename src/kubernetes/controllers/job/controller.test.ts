import { isoSeconds } from '#base';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jobs, pods } from '../../resources.ts';
import type { Job, Pod } from '../../types.ts';
import { isTrue } from '../conditions.ts';
import { type Harness, harness } from '../harness.ts';
import { isActive } from '../pods.ts';
import { jobController } from './controller.ts';
import { batchLabel, TRACKING } from './labels.ts';

const start = () => harness((parts) => [jobController(parts)]);
const name = { namespace: 'default', name: 'j' };

function job(more: Partial<NonNullable<Job['spec']>> = {}): Job {
  return {
    metadata: name,
    spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'i' }] } }, ...more },
  };
}

const get = (run: Harness) => run.client.get(jobs, name);
const active = (run: Harness) => run.pods().filter(isActive);
const indexesOf = (list: readonly Pod[]) =>
  list.map(({ metadata }) => Number(metadata!.annotations![batchLabel('job-completion-index')])).sort((a, b) => a - b);

async function end(run: Harness, pod: Pod, exitCode: number): Promise<void> {
  const finishedAt = isoSeconds(run.clock.now());
  const state = { terminated: { exitCode, finishedAt } };
  await run.setStatus(pods, pod, {
    phase: exitCode ? 'Failed' : 'Succeeded',
    containerStatuses: [{ name: 'c', image: 'i', imageID: '', ready: false, restartCount: 0, state }],
  });
  await run.settle();
}

test('a job of one pod completes when it succeeds', async () => {
  await using run = start();
  await run.client.create(jobs, job());
  await run.settle();
  const [pod] = active(run);
  assert.deepEqual(pod!.metadata!.finalizers, [TRACKING]);
  assert.equal(pod!.metadata!.labels!['job-name'], 'j');
  assert.deepEqual([(await get(run)).status?.active, (await get(run)).status?.ready], [1, 0]);
  await end(run, pod!, 0);
  const { status } = await get(run);
  assert.ok(isTrue(status?.conditions, 'Complete') && isTrue(status?.conditions, 'SuccessCriteriaMet'));
  assert.ok(status?.completionTime && status.startTime);
  assert.deepEqual([status.succeeded, status.active, status.uncountedTerminatedPods], [1, undefined, {}]);
  assert.equal(run.pods()[0]!.metadata!.finalizers, undefined);
  assert.equal(run.said().at(-1), 'Completed: Job completed');
});

test('completions are worked on in parallel, failures come back after a pause', async () => {
  await using run = start();
  await run.client.create(jobs, job({ completions: 3, parallelism: 2 }));
  await run.settle();
  assert.equal(active(run).length, 2);
  await end(run, active(run)[0]!, 1);
  assert.equal(active(run).length, 1, 'not at once');
  await run.advance(10_000);
  assert.equal(active(run).length, 2);
  for (let done = 0; done < 3; done++) await end(run, active(run)[0]!, 0);
  const { status } = await get(run);
  assert.deepEqual([status?.succeeded, status?.failed, isTrue(status?.conditions, 'Complete')], [3, 1, true]);
});

test('too many failures fail the job and stop what runs', async () => {
  await using run = start();
  await run.client.create(jobs, job({ completions: 5, parallelism: 2, backoffLimit: 0 }));
  await run.settle();
  await end(run, active(run)[0]!, 1);
  const { status } = await get(run);
  assert.equal(status?.conditions?.find(({ type }) => type === 'Failed')?.reason, 'BackoffLimitExceeded');
  assert.deepEqual([active(run).length, status?.failed], [0, 2]);
  assert.ok(run.said().includes('BackoffLimitExceeded: Job has reached the specified backoff limit'));
});

test('indexes are all worked on, each under its own name', async () => {
  await using run = start();
  await run.client.create(jobs, job({ completions: 4, parallelism: 3, completionMode: 'Indexed' }));
  await run.settle();
  assert.deepEqual(indexesOf(active(run)), [0, 1, 2]);
  const [first] = active(run);
  assert.match(first!.metadata!.name!, /^j-0-[a-z0-9]{5}$/);
  assert.equal(first!.spec!.hostname, 'j-0');
  assert.equal(first!.spec!.containers[0]!.env![0]!.name, 'JOB_COMPLETION_INDEX');
  await end(run, active(run)[1]!, 0);
  assert.deepEqual(indexesOf(active(run)), [0, 2, 3]);
  assert.equal((await get(run)).status?.completedIndexes, '1');
  for (const pod of active(run)) await end(run, pod, 0);
  const { status } = await get(run);
  assert.deepEqual([status?.completedIndexes, status?.succeeded], ['0-3', 4]);
});

test('with a limit for each index the others go on', async () => {
  await using run = start();
  const spec = { completions: 2, parallelism: 2, completionMode: 'Indexed', backoffLimitPerIndex: 1 };
  await run.client.create(jobs, job(spec));
  await run.settle();
  const zero = () => active(run).find((pod) => indexesOf([pod])[0] === 0);
  await end(run, zero()!, 1);
  await run.advance(10_000);
  await end(run, zero()!, 1);
  await run.advance(60_000);
  assert.equal(zero(), undefined);
  assert.equal((await get(run)).status?.failedIndexes, '0');
  await end(run, active(run)[0]!, 0);
  const { status } = await get(run);
  assert.equal(status?.conditions?.find(({ type }) => type === 'Failed')?.reason, 'FailedIndexes');
  assert.deepEqual([status?.completedIndexes, status?.succeeded], ['1', 1]);
});

test('a failure policy ignores, or fails the job', async () => {
  await using run = start();
  const rules = [
    { action: 'FailJob', onExitCodes: { operator: 'In', values: [42] } },
    { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
  ];
  await run.client.create(jobs, job({ backoffLimit: 0, podFailurePolicy: { rules } }));
  await run.settle();
  const conditions = [{ type: 'DisruptionTarget', status: 'True', lastTransitionTime: isoSeconds(run.clock.now()) }];
  await run.setStatus(pods, active(run)[0]!, { phase: 'Failed', conditions });
  await run.settle();
  await run.advance(10_000);
  assert.equal((await get(run)).status?.failed, undefined);
  await end(run, active(run)[0]!, 42);
  const failed = (await get(run)).status?.conditions?.find(({ type }) => type === 'Failed');
  assert.equal(failed?.reason, 'PodFailurePolicy');
  assert.match(
    failed?.message ?? '',
    /^Container c for pod default\/j-\w+ failed with exit code 42 matching FailJob rule at index 0$/,
  );
});

test('a suspended job stops and goes on', async () => {
  await using run = start();
  await run.client.create(jobs, job({ suspend: true }));
  await run.settle();
  assert.equal(run.pods().length, 0);
  assert.deepEqual(
    [isTrue((await get(run)).status?.conditions, 'Suspended'), (await get(run)).status?.startTime],
    [true, undefined],
  );
  await run.client.patch(jobs, name, { kind: 'merge', body: { spec: { suspend: false } } });
  await run.settle();
  assert.equal(active(run).length, 1);
  await run.client.patch(jobs, name, { kind: 'merge', body: { spec: { suspend: true } } });
  await run.settle();
  assert.equal(active(run).length, 0);
  assert.equal((await get(run)).status?.failed, undefined);
});

test('an active deadline ends the job', async () => {
  await using run = start();
  await run.client.create(jobs, job({ activeDeadlineSeconds: 60 }));
  await run.settle();
  await run.advance(60_000);
  const failed = (await get(run)).status?.conditions?.find(({ type }) => type === 'Failed');
  assert.equal(failed?.reason, 'DeadlineExceeded');
  assert.equal(active(run).length, 0);
});

test('a pod that is no longer selected is let go, and held by nothing', async () => {
  await using run = start();
  await run.client.create(jobs, job({ parallelism: 1, completions: 4 }));
  await run.settle();
  const [pod] = active(run);
  const named = { namespace: 'default', name: pod!.metadata!.name! };
  const change = (metadata: object) => run.client.patch(pods, named, { kind: 'merge', body: { metadata } });
  await change({ ownerReferences: null, finalizers: null });
  await run.settle();
  const adopted = (await run.client.get(pods, named)).metadata!;
  assert.deepEqual([adopted.ownerReferences?.length, adopted.finalizers], [1, [TRACKING]]);
  await change({ labels: null });
  await run.settle();
  const released = (await run.client.get(pods, named)).metadata!;
  assert.deepEqual([released.ownerReferences, released.finalizers], [undefined, undefined]);
});

test('the pods of a job that is gone are let go', async () => {
  await using run = start();
  await run.client.create(jobs, job());
  await run.settle();
  await run.client.delete(jobs, name);
  await run.settle();
  assert.equal(run.pods()[0]!.metadata!.finalizers, undefined);
});

test('each pod is counted once, whatever write is the last before a crash', async () => {
  for (let failAt = 1; failAt < 8; failAt++) {
    await using run = start();
    await run.client.create(jobs, job({ completions: 2, parallelism: 2, backoffLimit: 3 }));
    await run.settle();
    let writes = 0;
    for (const method of ['update', 'patch'] as const) {
      const original = run.client[method].bind(run.client) as (...args: unknown[]) => Promise<unknown>;
      Object.assign(run.client, {
        async [method](...args: unknown[]) {
          const answer = await original(...args);
          const isTests = (args[0] as { resource: string }).resource === 'pods' && method === 'update';
          if (!isTests && ++writes === failAt) throw new Error('killed');
          return answer;
        },
      });
    }
    const [first, second] = active(run);
    await end(run, first!, 1);
    await end(run, second!, 0);
    await run.advance(60_000);
    await end(run, active(run)[0]!, 0);
    await run.advance(60_000);
    const { status } = await get(run);
    assert.deepEqual(
      [status?.succeeded, status?.failed, isTrue(status?.conditions, 'Complete')],
      [2, 1, true],
      `at ${failAt}`,
    );
  }
});
