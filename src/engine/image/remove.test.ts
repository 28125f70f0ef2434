import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { digestOf, hexOf } from '#base';
import { removeImage } from './remove.ts';
import { ImageStore, withImage } from './store.ts';

const id = digestOf('image');
const other = digestOf('other');

async function openStore(
  references: readonly string[],
  containers: readonly { id: string; isRunning: boolean }[] = [],
) {
  const directory = await mkdtemp(join(tmpdir(), 'dabba-image-store-'));
  const path = join(directory, 'images.json');
  const store = new ImageStore(path);
  await store.start();
  const repoDigests = [`docker.io/library/app@${digestOf('manifest')}`];
  await store.update((index) =>
    withImage(withImage(index, id, { references, repoDigests }), other, { references: [] }),
  );
  const users = { containersOf: async () => containers, chainsInUse: async () => [] };
  return {
    path,
    store,
    remove: (name: string, isForced = false) => removeImage(store, users, name, isForced),
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true }),
  };
}

const app = 'docker.io/library/app:latest';
const container = { id: 'c'.repeat(64), isRunning: false };
const untagged = [{ untagged: 'app:latest' }, { untagged: `app@${digestOf('manifest')}` }, { deleted: id }];

test('the last reference takes the image with it', async () => {
  await using images = await openStore([app]);
  assert.deepEqual(await images.remove('app'), untagged);
  assert.equal(images.store.find(id), undefined);
  assert.equal(images.store.find(other), other);
});

test('one of several references goes alone, and its digests when it was the last of its repository', async () => {
  await using images = await openStore([app, 'docker.io/library/app:1', 'docker.io/team/app:1']);
  assert.deepEqual(await images.remove('app:1'), [{ untagged: 'app:1' }]);
  assert.equal(images.store.index.images[id]?.repoDigests.length, 1);
  assert.deepEqual(await images.remove('app'), [{ untagged: 'app:latest' }]);
  assert.equal(images.store.index.images[id]?.repoDigests.length, 0);
  assert.deepEqual(images.store.referencesOf(id), ['docker.io/team/app:1']);
});

test('an ID takes all references of one repository, and none of several', async () => {
  await using several = await openStore([app, 'docker.io/team/app:1']);
  await assert.rejects(several.remove(hexOf(id).slice(0, 12)), {
    kind: 'Conflict',
    message: `conflict: unable to delete ${hexOf(id).slice(0, 12)} (must be forced) - image is referenced in multiple repositories`,
  });
  assert.equal((await several.remove(id, true)).length, 4);
  await using one = await openStore([app]);
  assert.deepEqual(await one.remove(id), untagged);
});

test('containers protect their image; force overrides those that have stopped', async () => {
  await using stopped = await openStore([app], [container]);
  await assert.rejects(stopped.remove('app'), { kind: 'Conflict' });
  await assert.rejects(stopped.remove(id), {
    kind: 'Conflict',
    message: /must be forced.*stopped container cccccccccccc$/,
  });
  assert.deepEqual(await stopped.remove('app', true), untagged);
  await using running = await openStore([app], [{ ...container, isRunning: true }]);
  await assert.rejects(running.remove(id, true), { kind: 'Conflict', message: /cannot be forced/ });
  assert.deepEqual(await running.remove('app', true), [{ untagged: 'app:latest' }]);
  assert.equal(running.store.find(id), id);
});

test('an image that gets another tag at the same time stays, and loses the one alone', async () => {
  await using images = await openStore([app]);
  const tagged = images.store.update((index) => withImage(index, id, { references: ['docker.io/team/app:1'] }));
  assert.deepEqual(await images.remove('app'), [{ untagged: 'app:latest' }]);
  await tagged;
  assert.deepEqual([images.store.find(id), images.store.referencesOf(id)], [id, ['docker.io/team/app:1']]);
});

test('a name that another image takes at the same time means that one', async () => {
  await using images = await openStore([app]);
  const moved = images.store.update((index) => withImage(index, other, { references: [app] }));
  assert.deepEqual(await images.remove('app'), [{ untagged: 'app:latest' }, { deleted: other }]);
  await moved;
  assert.deepEqual([images.store.find(id), images.store.find('app')], [id, undefined]);
});

test('of two who remove an image at the same time one is told that it is not here', async () => {
  await using images = await openStore([app]);
  const [first, second] = await Promise.allSettled([images.remove('app'), images.remove('app')]);
  assert.deepEqual([first.status, second.status], ['fulfilled', 'rejected']);
});

test('what is recorded is there again, and what is damaged is said to be', async () => {
  await using images = await openStore([app]);
  const again = new ImageStore(images.path);
  await again.start();
  assert.deepEqual(again.index, images.store.index);
  assert.equal(again.find('app'), id);
  assert.equal(again.find(hexOf(id).slice(0, 4)), id);
  assert.equal(again.find('constructor'), undefined);
  await writeFile(images.path, '{"images"');
  await assert.rejects(new ImageStore(images.path).start(), { kind: 'DataLoss' });
});
