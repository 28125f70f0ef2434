import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RestartBackoff, restarts, startsWithEngine } from './restart.ts';

test('pauses double up to a minute and start over after a sound run', () => {
  const backoff = new RestartBackoff();
  const pauses = Array.from({ length: 12 }, () => backoff.next(50));
  assert.deepEqual(pauses.slice(0, 4), [100, 200, 400, 800]);
  assert.equal(pauses.at(-1), 60_000);
  assert.equal(backoff.next(10_001), 100);
});

test('policies decide by exit code, count and hand', () => {
  const ended = { exitCode: 1, restartCount: 2, isStoppedByHand: false };
  assert.ok(restarts({ name: 'always' }, { ...ended, exitCode: 0 }));
  assert.ok(restarts({ name: 'on-failure' }, ended));
  assert.ok(!restarts({ name: 'on-failure' }, { ...ended, exitCode: 0 }));
  assert.ok(!restarts({ name: 'on-failure', maximumRetryCount: 2 }, ended));
  assert.ok(!restarts({ name: 'no' }, ended) && !restarts(undefined, ended));
  assert.ok(!restarts({ name: 'always' }, { ...ended, isStoppedByHand: true }));
});

test('at the engine’s start only "always" forgets the hand that stopped it', () => {
  assert.ok(startsWithEngine({ name: 'always' }, true));
  assert.ok(startsWithEngine({ name: 'unless-stopped' }, false) && !startsWithEngine({ name: 'unless-stopped' }, true));
  assert.ok(!startsWithEngine({ name: 'on-failure' }, false));
});
