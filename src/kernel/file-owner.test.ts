import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, fstatSync, mkdtempSync, openSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { givePipe, takeFileOwner } from './file-owner.ts';
import { libcFunction } from './libc.ts';
import { pipe, spawn } from './spawn.ts';

const skip = process.getuid?.() !== 0 && 'only root gives files away';

test('a pipe of a process is given away, nothing else that it has open', { skip }, async () => {
  const directory = mkdtempSync(join(tmpdir(), 'owner-'));
  using scope = new DisposableStack();
  scope.defer(() => rmSync(directory, { recursive: true }));
  const named = join(directory, 'fifo');
  execFileSync('mkfifo', [named]);
  const open = pipe();
  const streams = [open[0], openSync(named, constants.O_RDWR), openSync('/dev/null', 'r+')];
  for (const fd of [open[1], ...streams]) scope.defer(() => closeSync(fd));

  const descriptors = { 0: streams[0]!, 1: streams[1]!, 2: streams[2]! };
  const child = spawn({ file: 'sleep', args: ['100'], environment: {}, descriptors });
  const before = readdirSync('/proc/self/fd').length;
  for (const descriptor of [0, 1, 2, 3]) givePipe({ pid: child.pid, descriptor }, { uid: 1234, gid: 4321 });
  assert.deepEqual(
    streams.map((fd) => [fstatSync(fd).uid, fstatSync(fd).gid]),
    [
      [1234, 4321],
      [0, 0],
      [0, 0],
    ],
  );
  child.kill(9);
  await child.exited;
  givePipe({ pid: child.pid, descriptor: 0 }, { uid: 0, gid: 0 });
  assert.ok(readdirSync('/proc/self/fd').length <= before);
});

/** A thread that takes another owner when it begins, and gives it back at a message. */
const otherThread = `
  const { parentPort, workerData } = require('node:worker_threads');
  import(workerData).then(({ takeFileOwner }) => {
    const taken = takeFileOwner({ uid: 1234, gid: 4321 });
    parentPort.once('message', () => taken[Symbol.dispose]());
    parentPort.postMessage('taken');
  });
`;

test('the process stays dumpable, though two threads make files for others at the same time', { skip }, async () => {
  const processControl = libcFunction<(option: number) => number>('int prctl(int)');
  const PR_GET_DUMPABLE = 3;
  const other = new Worker(otherThread, { eval: true, workerData: new URL('file-owner.ts', import.meta.url).href });
  await once(other, 'message');
  const taken = takeFileOwner({ uid: 1234, gid: 4321 });
  other.postMessage('give back', []);
  await once(other, 'exit');
  taken[Symbol.dispose]();
  assert.equal(processControl(PR_GET_DUMPABLE), 1);
});
