import assert from 'node:assert/strict';
import { accessSync, constants, openSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { run } from './run.ts';
import { sealProgram } from './sealed-program.ts';

test('a sealed program runs as its file does', async () => {
  using program = sealProgram('/bin/echo');
  const { stdout, status } = await run(program.path, ['one', 'two']);
  assert.deepEqual(status, { kind: 'exited', code: 0 });
  assert.equal(stdout.toString(), 'one two\n');
});

test('nobody can write to a sealed program', () => {
  using program = sealProgram('/bin/echo');
  assert.deepEqual(readFileSync(program.path), readFileSync('/bin/echo'));
  assert.throws(() => openSync(program.path, 'w'), { code: 'EPERM' });
});

test('a sealed program is gone once it is disposed of, twice if need be', () => {
  const program = sealProgram('/bin/echo');
  program[Symbol.dispose]();
  program[Symbol.dispose]();
  assert.throws(() => accessSync(program.path, constants.X_OK), { code: 'ENOENT' });
});

test('sealing an absent program says so', () => {
  assert.throws(() => sealProgram('/bin/no-such-program'), { code: 'ENOENT' });
});
