import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SyncHealth } from './sync-health.ts';

function watched() {
  let now = 1_000_000;
  const health = new SyncHealth({ now: () => now });
  return { health, pass: (ms: number) => (now += ms) };
}

test('a proxy is healthy once its first rules are in force, and while nothing changes', () => {
  const { health, pass } = watched();
  health.changed();
  health.begun();
  assert.equal(health.isHealthy, false);
  health.applied();
  pass(3_600_000);
  assert.equal(health.isHealthy, true);
});

test('a change may wait for a minute, however often it is tried', () => {
  const { health, pass } = watched();
  health.applied();
  health.changed();
  health.begun();
  pass(59_999);
  assert.equal(health.isHealthy, true);
  health.changed();
  health.begun();
  pass(1);
  assert.equal(health.isHealthy, false);
  health.applied();
  assert.equal(health.isHealthy, true);
});

test('what changes while rules are applied waits for the next time', () => {
  const { health, pass } = watched();
  health.applied();
  health.changed();
  health.begun();
  health.changed();
  health.applied();
  pass(60_000);
  assert.equal(health.isHealthy, false);
  health.begun();
  health.applied();
  assert.equal(health.isHealthy, true);
});
