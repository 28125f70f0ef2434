import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf, ManualClock, silentLogger, type Digest } from '#base';
import { defaultImageLimits, ImageKeeping } from './keeping.ts';

const hourMs = 3600_000;

/** A disk of images, each a percent of it. */
function world(count: number, used: readonly Digest[] = [], onRemove: (id: Digest) => void = () => undefined) {
  const clock = new ManualClock(100 * hourMs);
  const images = Array.from({ length: count }, (_, index) => ({ id: digestOf(`${index}`), taggedAt: index * hourMs }));
  const [left, removed] = [[...images], [] as Digest[]];
  const keeping = new ImageKeeping({
    directory: '/nowhere',
    limits: defaultImageLimits,
    clock,
    logger: silentLogger,
    users: {
      containersOf: async (id) => (used.includes(id) ? [{ id: 'c', isRunning: false }] : []),
      chainsInUse: async () => [],
    },
    list: () => left,
    remove: async (id) => {
      removed.push(id);
      onRemove(id);
      left.splice(
        left.findIndex((image) => image.id === id),
        1,
      );
    },
    isHeld: () => false,
    emptyTrash: async () => undefined,
    usedPercent: async () => left.length,
  });
  return { keeping, images, removed, clock };
}

test('beyond the high mark the least recently used go, down to the low one', async () => {
  const { keeping, images, removed } = world(86);
  keeping.use(images[0]!.id);
  await keeping.enforce();
  assert.deepEqual(
    removed,
    images.slice(1, 8).map(({ id }) => id),
  );
  await keeping.enforce();
  assert.equal(removed.length, 7, 'below the high mark nothing happens');
});

test('what a container is made from stays, and what is young', async () => {
  const ids = world(100).images.map(({ id }) => id);
  const { keeping, removed, images } = world(100, ids.slice(0, 50));
  for (const { id } of images.slice(60)) keeping.use(id);
  await keeping.enforce();
  assert.deepEqual(removed, ids.slice(50, 60));
});

test('what is used while others are removed stays', async () => {
  const { keeping, images, removed } = world(86, [], (id) => {
    if (id === images[0]!.id) keeping.use(images[1]!.id);
  });
  await keeping.enforce();
  assert.deepEqual(
    removed,
    [images[0]!, ...images.slice(2, 8)].map(({ id }) => id),
  );
});
