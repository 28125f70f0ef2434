import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerCreate, ImageConfig } from '../../engine.ts';
import { joinEnvironment, joinProcess } from './process.ts';

const join = (request: Partial<ContainerCreate>, image: ImageConfig) =>
  joinProcess({ image: 'i', network: { mode: 'none' }, ...request }, image, 'f'.repeat(64));

test('the command of the request replaces the image’s; an entrypoint discards it', () => {
  const image = { Entrypoint: ['/entry'], Cmd: ['default'] };
  assert.deepEqual(join({}, image).args, ['/entry', 'default']);
  assert.deepEqual(join({ command: ['mine'] }, image).args, ['/entry', 'mine']);
  assert.deepEqual(join({ entrypoint: ['/other'] }, image).args, ['/other']);
  assert.deepEqual(join({ entrypoint: [''], command: ['bare'] }, image).args, ['bare']);
  assert.throws(() => join({}, {}), /no command specified/);
});

test('variables are joined by name, the later one winning', () => {
  const { environment } = join({ command: ['x'], environment: ['A=2', 'C=3', 'PATH'] }, { Env: ['A=1', 'B=1=1'] });
  assert.deepEqual(environment, ['HOSTNAME=ffffffffffff', 'A=2', 'B=1=1', 'C=3']);
  assert.deepEqual(joinEnvironment(['A=1'], ['A=']), ['A=']);
});

test('the working directory is absolute and plain', () => {
  assert.equal(join({ command: ['x'] }, { WorkingDir: '/srv/../app/' }).workingDirectory, '/app');
  assert.equal(join({ command: ['x'], workingDirectory: '/w' }, { WorkingDir: '/srv' }).workingDirectory, '/w');
  assert.throws(() => join({ command: ['x'], workingDirectory: 'w' }, {}), /needs to be an absolute path/);
});
