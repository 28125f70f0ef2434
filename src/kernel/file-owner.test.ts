import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, constants, fstatSync, mkdtempSync, openSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { givePipe } from './file-owner.ts';
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
