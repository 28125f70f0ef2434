import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isDabbaError } from '#base';
import { claimProcessFile, isSameProcess, livingProcess } from './process-file.ts';

test('one living process holds the file; the next may have it after that', (context) => {
  const directory = mkdtempSync(join(tmpdir(), 'dabba-pid-'));
  context.after(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'control.pid');
  assert.equal(livingProcess(file), undefined);
  const claim = claimProcessFile(file);
  assert.equal(livingProcess(file)?.pid, process.pid);
  assert.throws(
    () => claimProcessFile(file),
    (error) => isDabbaError(error, 'AlreadyExists'),
  );
  claim[Symbol.dispose]();
  assert.equal(livingProcess(file), undefined);
  claimProcessFile(file)[Symbol.dispose]();
});

test('a pid used anew by another program is not taken for ours', async (context) => {
  const directory = mkdtempSync(join(tmpdir(), 'dabba-pid-'));
  context.after(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'control.pid');
  const child = spawn('sleep', ['60']);
  const exited = new Promise((resolve) => child.once('exit', resolve));
  writeFileSync(file, JSON.stringify({ pid: child.pid, startTicks: '1' }));
  assert.equal(livingProcess(file), undefined);
  assert.equal(isSameProcess({ pid: child.pid!, startTicks: '1' }), false);
  child.kill('SIGKILL');
  await exited;
  using claim = claimProcessFile(file);
  assert.ok(claim);
});
