import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { digestOf } from '#base';
import { Instance } from './instance.ts';
import { initialState, type ContainerRecord } from './record.ts';
import type { Runtime } from './runtime.ts';

const record: ContainerRecord = {
  id: 'c'.repeat(64),
  name: 'app',
  createdAt: 0,
  create: { image: 'app', network: { mode: 'none' } },
  imageId: digestOf('app'),
  process: { args: ['app'], environment: [], workingDirectory: '/', user: '' },
  hostname: 'app',
  stopSignal: 'SIGTERM',
  mounts: [],
  warnings: [],
};

test('an attachment that comes between the making of the process and its start does not wait for another start', async (t) => {
  const directory = mkdtempSync(`${tmpdir()}/instance-`);
  t.after(() => rmSync(directory, { recursive: true }));
  const directories = { containersDirectory: directory, bundlesDirectory: directory, mappedDirectory: directory };
  // All that attaching needs.
  const runtime = { ...directories, openStreams: new Set() } as unknown as Runtime;
  const instance = new Instance(runtime, record, initialState);
  await instance.folder.make();
  await instance.advance({ ...initialState, phase: 'starting' });
  instance.connectAttachments();
  const { output } = instance.attach({ stdin: false, stdout: true, stderr: true });
  // Nobody listens here, so that it ends at once.
  const ended = await Promise.race([output[Symbol.asyncIterator]().next(), setImmediate('waits')]);
  assert.deepEqual(ended, { value: undefined, done: true });
});
