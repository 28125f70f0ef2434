import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Container, ContainerState } from '#engine';
import { statusText } from './container-json.ts';
import { registryHostOf } from './credentials.ts';
import { humanDuration, nanosecondTime, readInstant } from './duration.ts';
import { failureOf } from './errors.ts';
import { frame } from './frames.ts';
import { familiarName } from './image-json.ts';
import { matchesPattern } from './patterns.ts';
import { DabbaError } from '#base';

const minute = 60_000;

test('spans and instants read as Docker writes them', () => {
  assert.deepEqual(
    [400, 1000, 59_000, minute, 2 * minute, 60 * minute, 5 * 60 * minute, 3 * 1440 * minute, 20 * 1440 * minute].map(
      humanDuration,
    ),
    [
      'Less than a second',
      '1 second',
      '59 seconds',
      'About a minute',
      '2 minutes',
      'About an hour',
      '5 hours',
      '3 days',
      '2 weeks',
    ],
  );
  assert.equal(nanosecondTime(1_700_000_000_000_000_042n), '2023-11-14T22:13:20.000000042Z');
  assert.equal(readInstant('1700000000.5', 'since'), 1_700_000_000_500);
  assert.equal(readInstant('2023-11-14T22:13:20Z', 'since'), 1_700_000_000_000);
  assert.equal(readInstant('0', 'since'), undefined);
  assert.throws(() => readInstant('soon', 'since'), /since: "soon" is not a time/);
});

test('the STATUS column', () => {
  const status = (state: Partial<ContainerState>) =>
    statusText({ state: { isOutOfMemory: false, status: 'running', ...state } } as Container, 10 * minute); // it reads no more
  const health = { failingStreak: 0, log: [] };
  assert.equal(status({ startedAt: 8 * minute }), 'Up 2 minutes');
  assert.equal(
    status({ startedAt: 8 * minute, health: { status: 'starting', ...health } }),
    'Up 2 minutes (health: starting)',
  );
  assert.equal(status({ status: 'exited', exitCode: 3, finishedAt: 10 * minute - 5000 }), 'Exited (3) 5 seconds ago');
  assert.equal(status({ status: 'created' }), 'Created');
});

test('names, hosts, patterns, frames', () => {
  assert.equal(familiarName('docker.io/library/debian:12'), 'debian:12');
  assert.equal(familiarName('docker.io/user/app:1'), 'user/app:1');
  assert.equal(familiarName('example.com/library/x'), 'example.com/library/x');
  assert.equal(registryHostOf('https://index.docker.io/v1/'), 'docker.io');
  assert.equal(registryHostOf('http://127.0.0.1:4566'), '127.0.0.1:4566');
  assert.ok(matchesPattern('a*/b?', 'abc/bd') && !matchesPattern('*', 'a/b'));
  assert.deepEqual(frame('stderr', Buffer.from('hi')), Buffer.from([2, 0, 0, 0, 0, 0, 0, 2, 104, 105]));
});

test('failures have a status and never more than their message', () => {
  assert.deepEqual(failureOf(new DabbaError('Conflict', 'in use')), {
    status: 409,
    message: 'in use',
    isDefect: false,
  });
  assert.deepEqual(failureOf(new TypeError('oops')), { status: 500, message: 'oops', isDefect: true });
});
