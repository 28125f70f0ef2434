import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ManualClock, systemRandom } from '#base';
import type { EngineEvent } from '../engine.ts';
import { EventHub } from '../events.ts';
import { VolumeSet } from './volumes.ts';

/** Volumes in an empty directory, and what is told of them. */
function volumesOf(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'dabba-volumes-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const clock = new ManualClock();
  const events = new EventHub(clock);
  const told: EngineEvent['action'][] = [];
  t.mock.method(events, 'publish', ({ action }: EngineEvent) => told.push(action));
  return {
    directory,
    told,
    volumes: new VolumeSet({ directory: join(directory, 'volumes'), events, clock, random: systemRandom }),
  };
}

test('a volume that several ask for at once is made once', async (t) => {
  const { volumes, told } = volumesOf(t);
  const made = await Promise.all(
    Array.from({ length: 8 }, (_, index) => volumes.create({ name: 'data', labels: { index: `${index}` } })),
  );
  assert.deepEqual(new Set(made.map(({ labels }) => labels['index'])), new Set(['0']));
  assert.deepEqual(told, ['create']);
});

test('a volume that is made again while it is removed is whole', async (t) => {
  const { volumes } = volumesOf(t);
  await volumes.create({ name: 'data' });
  const [, again] = await Promise.all([volumes.remove('data'), volumes.create({ name: 'data' })]);
  assert.deepEqual(readdirSync(again.path), []);
  assert.deepEqual(await volumes.find('data'), again);
});

test('a volume that several first mount at once is filled once, for all of them', async (t) => {
  const { volumes, directory } = volumesOf(t);
  const names = Array.from({ length: 300 }, (_, index) => `file-${index}`);
  mkdirSync(join(directory, 'root/data'), { recursive: true });
  for (const name of names) writeFileSync(join(directory, 'root/data', name), name);
  const volume = await volumes.create({ name: 'data' });
  const seen = await Promise.all(
    Array.from({ length: 8 }, async () => {
      await volumes.fillFrom(volume, join(directory, 'root'), '/data');
      return readdirSync(volume.path).length;
    }),
  );
  assert.deepEqual(new Set(seen), new Set([names.length]));
});
