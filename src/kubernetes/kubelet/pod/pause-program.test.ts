import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pauseProgram } from './pause-program.ts';

test('it waits until it is killed, and ignores the ends of children', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'pause-'));
  const program = join(directory, 'pause');
  writeFileSync(program, pauseProgram(process.arch), { mode: 0o755 });
  const child = spawn(program, { stdio: 'ignore' });
  await once(child, 'spawn');
  const statusOf = () => readFileSync(`/proc/${child.pid}/status`, 'utf8');
  const sigchld = 1n << 16n;
  while ((BigInt(`0x${/^SigIgn:\s*(\w+)/m.exec(statusOf())![1]}`) & sigchld) === 0n) {
    assert.equal(child.exitCode, null);
    await new Promise((resolve) => setImmediate(resolve));
  }
  child.kill('SIGKILL');
  assert.deepEqual(await once(child, 'exit'), [null, 'SIGKILL']);
  rmSync(directory, { recursive: true });
});

test('its parts lie where they say, on both architectures', () => {
  for (const architecture of ['x64', 'arm64']) {
    const file = pauseProgram(architecture);
    assert.equal(file.readBigUInt64LE(64 + 32), BigInt(file.length), architecture);
    assert.equal(file.readBigUInt64LE(24) - file.readBigUInt64LE(64 + 16), 120n, architecture);
    assert.equal(file.readBigUInt64LE(file.length - 32), 1n, `${architecture}: SIG_IGN`);
  }
  const arm = pauseProgram('arm64');
  // adr x1: from the third instruction to the data.
  const adr = arm.readUInt32LE(120 + 2 * 4);
  assert.equal(120 + 2 * 4 + (((adr >>> 5) & 0x7ffff) << 2) + ((adr >>> 29) & 3), arm.length - 32);
  assert.throws(() => pauseProgram('s390x'), /no pause program/);
});
