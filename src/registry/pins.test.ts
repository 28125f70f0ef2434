import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from '#base';
import { BlobPins } from './pins.ts';

const [one, two] = [digestOf(Buffer.from('one')), digestOf(Buffer.from('two'))];

test('a collection leaves alone what was pinned before it or since', async () => {
  const pins = new BlobPins();
  const before = await pins.pin(one);
  using collection = pins.beginCollection();
  before[Symbol.dispose]();
  assert.equal(await collection.remove(one, async () => assert.fail('it was pinned when the collection began')), false);
  (await pins.pin(two))[Symbol.dispose]();
  assert.equal(await collection.remove(two, async () => assert.fail('it was pinned since')), false);
});

test('a pin of bytes without a name keeps all', async () => {
  const pins = new BlobPins();
  {
    using _unnamed = await pins.pin();
    using collection = pins.beginCollection();
    assert.equal(await collection.remove(one, async () => assert.fail('it may be that one')), false);
  }
  using collection = pins.beginCollection();
  assert.equal(await collection.remove(one, async () => undefined), true);
});

test('who pins a blob that is being removed waits until it is gone, and nobody else does', async () => {
  const pins = new BlobPins();
  using collection = pins.beginCollection();
  const { promise: removed, resolve: finish } = Promise.withResolvers<void>();
  const events: string[] = [];
  const removal = collection.remove(one, () => removed.then(() => void events.push('removed')));
  const same = pins.pin(one).then(() => events.push('pinned'));
  using _other = await pins.pin(two);
  assert.deepEqual(events, []);
  finish();
  await Promise.all([removal, same]);
  assert.deepEqual(events, ['removed', 'pinned']);
});

test('a removal that fails lets go of those who wait for it', async () => {
  const pins = new BlobPins();
  using collection = pins.beginCollection();
  const removal = collection.remove(one, () => Promise.reject(new Error('disk')));
  const waiting = pins.pin(one);
  await assert.rejects(removal, /disk/);
  (await waiting)[Symbol.dispose]();
});
