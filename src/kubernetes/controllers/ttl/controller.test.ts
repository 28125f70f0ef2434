import { isoSeconds } from '#base';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jobs } from '../../resources.ts';
import { harness } from '../harness.ts';
import { ttlAfterFinishedController } from './controller.ts';

test('a job goes when its time after the end is over, and not before', async () => {
  await using run = harness((parts) => [ttlAfterFinishedController(parts)]);
  const template = { spec: { containers: [] } };
  const job = await run.client.create(jobs, {
    metadata: { namespace: 'default', name: 'j' },
    spec: { ttlSecondsAfterFinished: 60, template },
  });
  await run.advance(120_000);
  assert.equal(run.client.all(jobs)[0]!.metadata!.deletionTimestamp, undefined);
  await run.setStatus(jobs, job, {
    conditions: [{ type: 'Complete', status: 'True', lastTransitionTime: isoSeconds(run.clock.now()) }],
  });
  await run.settle();
  await run.advance(59_000);
  assert.equal(run.client.all(jobs)[0]!.metadata!.deletionTimestamp, undefined);
  await run.advance(1000);
  assert.ok(run.client.all(jobs)[0]!.metadata!.deletionTimestamp);
});
