import assert from 'node:assert/strict';
import {
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  readFileSync,
  closeSync,
  mkdirSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isDabbaError } from '#base';
import { openBeneath } from './beneath.ts';
import { identifyProcess, isProcessAlive, processEnded, signalProcess } from './process.ts';
import { run } from './run.ts';
import { connectSeqpacket } from './seqpacket.ts';
import { spawn } from './spawn.ts';

const forever = new AbortController().signal;

test('a program gets its input, arguments and environment, and nothing else', async () => {
  const script = 'cat; echo "$1" "$X"; echo err >&2; ls /proc/self/fd; exit 3';
  const { status, stdout, stderr } = await run('sh', ['-c', script, 'sh', 'a b'], {
    environment: { X: 'y', PATH: '/usr/bin:/bin' },
    input: 'in\n',
  });
  assert.deepEqual(status, { kind: 'exited', code: 3 });
  assert.equal(stderr, 'err\n');
  // The last descriptor is the directory ls reads.
  assert.equal(stdout.toString(), 'in\na b y\n0\n1\n2\n3\n');
});

test('a missing program is NotFound, and an abort kills', async () => {
  await assert.rejects(run('no-such-program-here', []), (error) => isDabbaError(error, 'NotFound'));
  const { status } = await run('sleep', ['100'], { signal: AbortSignal.timeout(20) });
  assert.deepEqual(status, { kind: 'signalled', signal: 9 });
});

test('no descriptor is left open', async () => {
  await run('true', []);
  const before = readdirSync('/proc/self/fd').length;
  await Promise.all(Array.from({ length: 8 }, () => run('true', [])));
  await assert.rejects(run('no-such-program-here', []));
  assert.equal(readdirSync('/proc/self/fd').length, before);
});

test('a process is told from others by its start, signalled, and awaited by anybody', async () => {
  const child = spawn({ file: 'sleep', args: ['100'], environment: {}, isSessionLeader: true });
  const identity = identifyProcess(child.pid)!;
  const ended = processEnded(identity, forever);
  assert.ok(isProcessAlive(identity) && !isProcessAlive({ ...identity, startTicks: '1' }));
  assert.equal(signalProcess({ ...identity, startTicks: '1' }, 15), false);
  assert.equal(signalProcess(identity, 15), true);
  await ended;
  assert.deepEqual(await child.exited, { kind: 'signalled', signal: 15 });
  assert.equal(identifyProcess(child.pid), undefined);
  await processEnded(identity, forever);
  child.kill(9);
});

test('waiting for a process ends with the signal', async () => {
  await processEnded(identifyProcess(process.pid)!, AbortSignal.timeout(5));
});

test('a path is looked up beneath its root, whatever its links say', () => {
  const root = mkdtempSync(join(tmpdir(), 'beneath-'));
  mkdirSync(join(root, 'etc'));
  writeFileSync(join(root, 'etc/passwd'), 'inside');
  symlinkSync('/etc/passwd', join(root, 'absolute'));
  symlinkSync('../../../../etc/passwd', join(root, 'climbing'));
  for (const path of ['/etc/passwd', 'absolute', 'climbing', '../../etc/passwd']) {
    const fd = openBeneath(root, path);
    assert.equal(readFileSync(fd, 'utf8'), 'inside');
    closeSync(fd);
  }
  assert.throws(
    () => openBeneath(root, '/etc/shadow'),
    (error) => isDabbaError(error, 'NotFound'),
  );
  rmSync(root, { recursive: true });
});

test('a socket that is not there, or too long to name, is said so', () => {
  assert.throws(
    () => connectSeqpacket('/nowhere/attach'),
    (error) => isDabbaError(error, 'NotFound'),
  );
  assert.throws(() => connectSeqpacket(`/${'x'.repeat(107)}`), /more than 107/);
});
