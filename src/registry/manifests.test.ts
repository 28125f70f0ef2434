import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf, systemClock, type Digest } from '#base';
import { memoryBlobStore } from '#blob';
import { memoryStore } from '#store';
import { createRegistryContent, RegistryError, type RegistryContent } from './index.ts';

const app = { registry: '000000000000/us-east-1', name: 'app' };

/** A store that does something, once, before the next transaction that deletes. */
function interruptedStore() {
  const store = memoryStore();
  const interruption: { run?: (() => Promise<unknown>) | undefined } = {};
  const txn = store.txn.bind(store);
  store.txn = async (transaction) => {
    const { run } = interruption;
    if (run && transaction.success.some(({ kind }) => kind === 'delete')) {
      interruption.run = undefined;
      await run();
    }
    return await txn(transaction);
  };
  return { interruption, store };
}

async function putIndex(content: RegistryContent, children: readonly Digest[], note = ''): Promise<Digest> {
  const mediaType = 'application/vnd.oci.image.index.v1+json';
  const manifests = await Promise.all(children.map(async (digest) => await content.findManifest(app, digest)));
  const document = {
    schemaVersion: 2,
    mediaType,
    annotations: { note },
    manifests: manifests.map((child) => ({ mediaType, digest: child!.digest, size: child!.sizeBytes })),
  };
  return (await content.putManifest(app, { bytes: Buffer.from(JSON.stringify(document)) })).digest;
}

const isNamedBy =
  (...parents: readonly Digest[]) =>
  (error: unknown) => {
    assert.ok(error instanceof RegistryError, String(error));
    assert.deepEqual(error.parents, parents);
    return true;
  };

test('what an index names stays, though the index is put while it is deleted', async () => {
  const { interruption, store } = interruptedStore();
  const content = createRegistryContent({ store, blobs: memoryBlobStore(), clock: systemClock });
  await content.createRepository(app);
  const child = await putIndex(content, []);
  const parents: Digest[] = [];
  interruption.run = async () => parents.push(await putIndex(content, [child]));
  await assert.rejects(content.deleteManifest(app, child), (error) => isNamedBy(...parents)(error));
  assert.equal(parents.length, 1);

  const second = await putIndex(content, [child], 'second');
  await content.deleteManifest(app, parents[0]!);
  await assert.rejects(content.deleteManifest(app, child), isNamedBy(second));
  await content.deleteManifest(app, second);
  await content.deleteManifest(app, child);
  assert.deepEqual(await content.listManifests(app), []);
  await assert.rejects(content.deleteManifest(app, digestOf('never')), { kind: 'NotFound' });
});
