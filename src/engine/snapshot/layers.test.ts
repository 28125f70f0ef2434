import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { digestOf, ManualClock, silentLogger, systemRandom } from '#base';
import { LayerStore } from './layers.ts';
import { Trash } from './trash.ts';

const content = { diffId: digestOf('files'), sizeBytes: 5 };

/** A store in an empty directory, and what makes the files of one and the same layer, ready to be committed. */
async function storeOf(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'dabba-layers-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const trash = new Trash(join(directory, 'trash'), {
    clock: new ManualClock(),
    random: systemRandom,
    logger: silentLogger,
  });
  await trash.start();
  const layers = new LayerStore(directory, { trash, logger: silentLogger });
  await layers.start();
  const unpacked = (): string => {
    const staging = mkdtempSync(join(directory, 'staging-'));
    mkdirSync(join(staging, 'diff'));
    writeFileSync(join(staging, 'diff/file'), 'files');
    return staging;
  };
  const linked = (): readonly string[] =>
    readdirSync(layers.linkDirectory).map((link) => readFileSync(join(layers.linkDirectory, link, 'file'), 'utf8'));
  return { layers, unpacked, linked };
}

test('a layer that is unpacked several times at once is one, with one link', async (t) => {
  const { layers, unpacked, linked } = await storeOf(t);
  const made = await Promise.all(Array.from({ length: 8 }, () => layers.commit(unpacked(), content)));
  assert.equal(new Set(made).size, 1);
  assert.deepEqual(layers.list(), [made[0]]);
  assert.deepEqual(linked(), ['files']);
});

test('a layer that is made again while it is removed keeps its link', async (t) => {
  const { layers, unpacked, linked } = await storeOf(t);
  const { chainId } = await layers.commit(unpacked(), content);
  await Promise.all([layers.remove(chainId), layers.commit(unpacked(), content)]);
  assert.deepEqual(linked(), ['files']);
  await layers.remove(chainId);
  assert.deepEqual([layers.list(), linked()], [[], []]);
});
