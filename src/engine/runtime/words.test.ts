import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DabbaError, systemRandom } from '#base';
import { runcMessage } from './conmon.ts';
import { healthPlan, nextHealth, type HealthState } from './health.ts';
import { generateName, parseName } from './names.ts';
import { hostsText } from './network.ts';
import { signalNumber } from './signals.ts';
import { startFailure } from './start-failure.ts';
import { selectProcesses } from './top.ts';

test('signals are known by name and number', () => {
  assert.deepEqual(['SIGTERM', 'kill', '15', 'SIGRTMIN+3', 'RTMAX-1'].map(signalNumber), [15, 9, 15, 37, 63]);
  for (const text of ['SIGNOPE', '0', '65', '']) assert.throws(() => signalNumber(text), /Invalid signal/);
});

test('names are generated free and checked', () => {
  const taken = new Set<string>();
  for (let count = 0; count < 500; count++) {
    const name = generateName(systemRandom, (each) => taken.has(each));
    assert.ok(!taken.has(name));
    assert.equal(parseName(`/${name}`), name);
    taken.add(name);
  }
  for (const text of ['', 'x', '-a', 'a/b', 'a b']) assert.throws(() => parseName(text), /Invalid container name/);
});

test('runc’s errors are taken out of its log lines', () => {
  assert.equal(runcMessage('time="x" level=warning msg="w"\ntime="x" level=error msg="no \\"sh\\""\n'), 'no "sh"');
  assert.equal(runcMessage(' plain words \n'), 'plain words');
});

test('a failed start has Docker’s exit code and words', () => {
  const failed = (message: string) => startFailure(new DabbaError('FailedPrecondition', message));
  assert.equal(failed('exec: "x": executable file not found in $PATH').exitCode, 127);
  assert.equal(failed('exec: "/x": permission denied').exitCode, 126);
  assert.equal(failed('cgroup trouble').exitCode, 128);
  assert.match(failed('y').error.message, /^failed to create task for container: .*: y: unknown$/);
  assert.equal(startFailure(new DabbaError('InvalidArgument', 'unable to find user x')).error.kind, 'InvalidArgument');
});

test('health turns unhealthy after the retries, and forgives the start period', () => {
  const plan = healthPlan({ Test: ['CMD-SHELL', 'probe'], Interval: 2e9, Retries: 2 }, ['/bin/sh', '-c'])!;
  assert.deepEqual(plan.args, ['/bin/sh', '-c', 'probe']);
  assert.deepEqual([plan.intervalMs, plan.timeoutMs, plan.startPeriodMs], [2000, 30_000, 0]);
  assert.equal(healthPlan({ Test: ['NONE'] }, []), undefined);
  assert.equal(healthPlan(undefined, []), undefined);
  const result = (exitCode: number) => ({ startAt: 0, endAt: 1, exitCode, output: '' });
  const fresh: HealthState = { status: 'starting', failingStreak: 0, log: [] };
  const after = (codes: readonly number[], isStarting: boolean) =>
    codes.reduce((health, code) => nextHealth(health, result(code), { plan, isStarting }), fresh);
  assert.equal(after([1], false).status, 'starting');
  assert.equal(after([1, 1], false).status, 'unhealthy');
  assert.deepEqual(after([1, 1, 1], true), { ...fresh, log: [1, 1, 1].map(result) });
  assert.equal(after([1, 0], true).status, 'healthy');
  assert.equal(after([0, 1, 1], true).status, 'unhealthy');
  assert.equal(after([0, 1, 0, 1], false).status, 'healthy');
  assert.equal(after([0, 0, 0, 0, 0, 0, 0], false).log.length, 5);
});

test('the hosts file names the container once', () => {
  assert.match(hostsText(['me'], []), /^127\.0\.0\.1\tme$/m);
  const text = hostsText(['me'], [{ address: '10.0.0.5', names: ['me', 'me.internal'] }]);
  assert.match(text, /^10\.0\.0\.5\tme me\.internal$/m);
  assert.ok(!text.includes('127.0.0.1\tme'));
});

test('top keeps the lines of its pids, and the command whole', () => {
  const text = 'UID  PID CMD\nroot   1 init\nroot  22 sh -c sleep 5\n';
  assert.deepEqual(selectProcesses(text, new Set([22])).processes, [['root', '22', 'sh -c sleep 5']]);
  assert.throws(() => selectProcesses('A B\n', new Set()), /PID field/);
});
