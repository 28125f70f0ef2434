import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DabbaError, digestOf, isDabbaError, ManualClock, type Digest } from '#base';
import { memoryBlobStore, type BlobStore, type Upload } from '#blob';
import { memoryStore, type Store } from '#store';
import { createRegistryContent, type RegistryContent, type RepositoryName } from './index.ts';

const HOUR_MS = 60 * 60_000;
const DAY_MS = 24 * HOUR_MS;
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const EMPTY_CONFIG = Buffer.from('{}');
const repositories: readonly RepositoryName[] = ['app', 'team/app'].map((name) => ({
  registry: '000000000000/us-east-1',
  name,
}));
const [app, other] = [repositories[0]!, repositories[1]!];

const chunks = (bytes: Buffer) =>
  (async function* () {
    yield bytes;
  })();

function manifestOf(layers: readonly Buffer[]): Buffer {
  const descriptor = (bytes: Buffer, mediaType: string) => ({ mediaType, digest: digestOf(bytes), size: bytes.length });
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST,
      config: descriptor(EMPTY_CONFIG, 'application/vnd.oci.image.config.v1+json'),
      layers: layers.map((layer) => descriptor(layer, 'application/vnd.oci.image.layer.v1.tar')),
    }),
  );
}

/** Pushes as clients do: ask for each blob, mount it from next door or send it, then name all of them. */
async function push(content: RegistryContent, repository: RepositoryName, layers: readonly Buffer[]): Promise<Digest> {
  await content.createRepository(repository);
  const neighbour = repository === app ? other : app;
  for (const layer of [EMPTY_CONFIG, ...layers]) {
    const digest = digestOf(layer);
    if (await content.keepBlob(repository, digest)) continue;
    if (await content.mountBlob(repository, digest, neighbour)) continue;
    const upload = await content.startUpload(repository);
    await upload.append(chunks(layer));
    await upload.commit(digest);
  }
  return (await content.putManifest(repository, { bytes: manifestOf(layers), tag: 'latest' })).digest;
}

function openWorld(blobs: BlobStore = memoryBlobStore(), store: Store = memoryStore()) {
  const clock = new ManualClock();
  return { clock, blobs, store, content: createRegistryContent({ store, blobs, clock }) };
}

async function bytesIn(blobs: BlobStore): Promise<number> {
  let sum = 0;
  for await (const { sizeBytes } of blobs.list()) sum += sizeBytes;
  return sum;
}

test('what an image alone had goes with it, what others have stays', async () => {
  const { clock, blobs, content } = openWorld();
  const [shared, own, theirs] = [Buffer.alloc(1000, 1), Buffer.alloc(2000, 2), Buffer.alloc(4000, 3)];
  const image = await push(content, app, [shared, own]);
  await push(content, other, [shared, theirs]);
  clock.advance(2 * HOUR_MS);
  assert.deepEqual(await content.collectGarbage(), { unlinked: 0, removedBlobs: 0, freedBytes: 0 });

  await content.deleteManifest(app, image);
  const { freedBytes, removedBlobs } = await content.collectGarbage();
  assert.equal(removedBlobs, 2, 'its layer and its manifest');
  assert.equal(freedBytes, own.length + manifestOf([shared, own]).length);
  assert.equal(await content.hasBlob(app, digestOf(own)), undefined);
  assert.equal(await content.hasBlob(app, digestOf(shared)), undefined, 'nobody has a right to it here any more');
  assert.ok(await content.hasBlob(other, digestOf(shared)));

  await content.deleteRepository(other, { force: true });
  await content.collectGarbage();
  assert.equal(await bytesIn(blobs), 0);
});

test('an image without a tag stays until it is deleted', async () => {
  const { clock, content } = openWorld();
  const first = await push(content, app, [Buffer.from('first')]);
  await push(content, app, [Buffer.from('second')]);
  clock.advance(100 * DAY_MS);
  await content.collectGarbage();
  assert.deepEqual((await content.findManifest(app, first))?.tags, []);
  assert.ok(await content.hasBlob(app, digestOf(Buffer.from('first'))));
});

test('a blob that was found or brought waits a day for its manifest', async () => {
  const { clock, content, blobs } = openWorld();
  const layer = Buffer.from('layer');
  const image = await push(content, app, [layer]);
  clock.advance(2 * HOUR_MS);
  await content.keepBlob(app, digestOf(layer)); // another push begins
  await content.deleteManifest(app, image);
  clock.advance(HOUR_MS / 2);
  await content.collectGarbage();
  assert.ok(await content.hasBlob(app, digestOf(layer)));
  await push(content, app, [layer]);
  await content.putBlob(app, chunks(Buffer.from('never named')));
  clock.advance(DAY_MS - 1);
  await content.collectGarbage();
  assert.ok(await content.hasBlob(app, digestOf(Buffer.from('never named'))));
  clock.advance(2);
  await content.collectGarbage();
  assert.equal(await blobs.stat(digestOf(Buffer.from('never named'))), undefined);
  assert.ok(await blobs.stat(digestOf(layer)));
});

test('a manifest that is put while its old blobs are taken back keeps them', async () => {
  const memory = memoryStore();
  let beforeTxn: (() => Promise<void>) | undefined;
  const store: Store = {
    ...memory,
    get: memory.get.bind(memory),
    list: memory.list.bind(memory),
    async txn(transaction) {
      const meanwhile = beforeTxn;
      beforeTxn = undefined;
      await meanwhile?.();
      return await memory.txn(transaction);
    },
  };
  const { clock, content } = openWorld(memoryBlobStore(), store);
  const layer = Buffer.from('layer');
  await content.deleteManifest(app, await push(content, app, [layer]));
  clock.advance(2 * HOUR_MS);
  // A client that remembers the blobs and asks for none of them.
  beforeTxn = async () => void (await content.putManifest(app, { bytes: manifestOf([layer]), tag: 'again' }));
  await content.collectGarbage();
  for (const blob of [EMPTY_CONFIG, layer]) assert.ok(await content.hasBlob(app, digestOf(blob)));
});

type Action =
  | { readonly kind: 'push'; readonly repository: number; readonly layers: readonly number[] }
  | { readonly kind: 'delete'; readonly repository: number; readonly layers: readonly number[] }
  | { readonly kind: 'delete-repository'; readonly repository: number }
  | { readonly kind: 'collect' }
  | { readonly kind: 'wait'; readonly hours: number };

const target = fc.record({
  repository: fc.nat(1),
  layers: fc.uniqueArray(fc.nat(2), { minLength: 1, maxLength: 3 }).map((layers) => layers.toSorted((a, b) => a - b)),
});
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 4, arbitrary: target.map((each) => ({ kind: 'push' as const, ...each })) },
  { weight: 3, arbitrary: target.map((each) => ({ kind: 'delete' as const, ...each })) },
  { weight: 1, arbitrary: fc.nat(1).map((repository) => ({ kind: 'delete-repository' as const, repository })) },
  { weight: 3, arbitrary: fc.constant({ kind: 'collect' as const }) },
  { weight: 1, arbitrary: fc.constantFrom(2, 30).map((hours) => ({ kind: 'wait' as const, hours })) },
);
const layersOf = (numbers: readonly number[]) => numbers.map((number) => Buffer.alloc(10 + number, number));

/** What a client may be answered when somebody deletes beside it, or when the machine fails. */
const isExpected = (error: unknown) =>
  (['NotFound', 'FailedPrecondition', 'Unavailable'] as const).some((kind) => isDabbaError(error, kind));

async function perform({ content, clock }: ReturnType<typeof openWorld>, each: Action): Promise<void> {
  try {
    if (each.kind === 'wait') return clock.advance(each.hours * HOUR_MS);
    if (each.kind === 'collect') return void (await content.collectGarbage());
    const repository = repositories[each.repository]!;
    if (each.kind === 'push') await push(content, repository, layersOf(each.layers));
    else if (each.kind === 'delete')
      await content.deleteManifest(repository, digestOf(manifestOf(layersOf(each.layers))));
    else await content.deleteRepository(repository, { force: true });
  } catch (error) {
    if (!isExpected(error)) throw error;
  }
}

/** Lets the scheduler choose who goes on before each call of the store and the blobs, and after it; `fails` says which calls fail. */
function interleaved(scheduler: fc.Scheduler, fails: () => boolean) {
  const wrap =
    <Args extends readonly unknown[], Result>(name: string, call: (...args: Args) => Promise<Result>) =>
    async (...args: Args): Promise<Result> => {
      await scheduler.schedule(Promise.resolve(), `before ${name}`);
      if (fails()) throw new DabbaError('Unavailable', `${name} fails`);
      const result = await call(...args);
      await scheduler.schedule(Promise.resolve(), `after ${name}`);
      return result;
    };
  const [store, blobs] = [memoryStore(), memoryBlobStore()];
  const wrapUpload = (upload: Upload): Upload => ({
    id: upload.id,
    get sizeBytes() {
      return upload.sizeBytes;
    },
    append: (source) => upload.append(source),
    commit: wrap('commit', (expected) => upload.commit(expected)),
    cancel: () => upload.cancel(),
  });
  return {
    plain: { store, blobs },
    store: {
      ...store,
      get: wrap('get', store.get.bind(store)),
      list: wrap('list', store.list.bind(store)),
      txn: wrap('txn', store.txn.bind(store)),
    } satisfies Store,
    blobs: {
      ...blobs,
      stat: wrap('stat', (digest) => blobs.stat(digest)),
      write: wrap('write', (source, options) => blobs.write(source, options)),
      remove: wrap('remove', (digest) => blobs.remove(digest)),
      startUpload: async () => wrapUpload(await blobs.startUpload()),
    } satisfies BlobStore,
  };
}

/** Every manifest has its blobs, every link its bytes; afterwards nothing is left that nobody reaches. */
async function assertWhole(store: Store, blobs: BlobStore, clock: ManualClock): Promise<void> {
  const content = createRegistryContent({ store, blobs, clock });
  const named = new Set<Digest>();
  for (const repository of repositories)
    for (const manifest of await content.listManifests(repository)) {
      assert.ok(await content.manifestBytes(repository, manifest.digest));
      named.add(manifest.digest);
      for (const blob of manifest.blobs) {
        named.add(blob);
        assert.ok(await content.hasBlob(repository, blob), `${blob} is not linked to ${repository.name}`);
        assert.ok(await blobs.stat(blob), `the bytes of ${blob} are gone`);
      }
    }
  const links = await store.list('registry/links/');
  for (const { key } of links.entries) {
    const digest = key.slice(key.lastIndexOf('/') + 1) as Digest;
    assert.ok(await blobs.stat(digest), `a link leads nowhere: ${key}`);
  }
  clock.advance(2 * DAY_MS);
  await content.collectGarbage();
  const left = new Set<Digest>();
  for await (const { digest } of blobs.list()) left.add(digest);
  assert.deepEqual(left, named);
}

const actions = fc.array(action, { minLength: 2, maxLength: 8 });

test('pushes, deletions and collections at once, in any order of their steps, lose nothing and leave nothing', async () => {
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), actions, actions, async (scheduler, first, second) => {
      const { plain, store, blobs } = interleaved(scheduler, () => false);
      const world = openWorld(blobs, store);
      const inTurn = async (list: readonly Action[]) => {
        for (const each of list) await perform(world, each);
      };
      await scheduler.waitFor(Promise.all([inTurn(first), inTurn(second)]));
      await assertWhole(plain.store, plain.blobs, world.clock);
    }),
    { numRuns: 60 },
  );
});

test('so they do when calls fail and when the process dies among them', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      actions,
      actions,
      fc.infiniteStream(fc.nat(19)),
      fc.nat(60),
      async (scheduler, first, second, dice, steps) => {
        let calls = 0;
        // After its last step a process that died does nothing more: every call of it fails.
        const { plain, store, blobs } = interleaved(scheduler, () => calls++ > steps || dice.next().value === 0);
        const world = openWorld(blobs, store);
        await scheduler.waitFor(Promise.all([...first, ...second].map((each) => perform(world, each))));
        await assertWhole(plain.store, plain.blobs, world.clock);
      },
    ),
    { numRuns: 60 },
  );
});
