import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { digestOf } from '#base';
import { ImageStore, withImage } from './store.ts';

const [one, other] = [digestOf('one'), digestOf('other')];

test('an image has the references that point at it, in order, after every change', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'dabba-image-store-'));
  try {
    const store = new ImageStore(join(directory, 'images.json'));
    await store.start();
    assert.deepEqual(store.referencesOf(one), []);
    await store.update((index) => withImage(index, one, { references: ['z:latest', 'a:latest'] }));
    assert.deepEqual(store.referencesOf(one), ['a:latest', 'z:latest']);
    await store.update((index) => withImage(index, other, { references: ['a:latest'] }));
    assert.deepEqual([store.referencesOf(one), store.referencesOf(other)], [['z:latest'], ['a:latest']]);
  } finally {
    await rm(directory, { recursive: true });
  }
});
