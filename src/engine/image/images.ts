import { join } from 'node:path';
import { type Clock, DabbaError, type Digest, type Logger, messageOf } from '#base';
import type { BlobStore } from '#blob';
import type {
  Image,
  Images,
  ImportOptions,
  LoadedImage,
  LoadOptions,
  Platform,
  RegistryCredentials,
  RemoteImage,
  RemovedImage,
  TransferOptions,
} from '../engine.ts';
import type { DiskReserve } from '../disk-space.ts';
import { applyChanges } from '../files/config.ts';
import type { Archives } from '../layer/archives.ts';
import type { RegistryResolver } from '../ports.ts';
import { chainIdsOf } from '../snapshot/chain.ts';
import type { OverlaySnapshots } from '../snapshot/snapshots.ts';
import { decodeConfig, type DescribedImage, encodeConfig } from './config.ts';
import { collectGarbage } from './garbage.ts';
import type { CommitUpper, CreateImage, ImageInternals, ImageUsers, Layer, ResolvedImage } from './internals.ts';
import { defaultImageLimits, ImageKeeping, type ImageLimits } from './keeping.ts';
import { ImageLayers } from './layers.ts';
import { loadImages } from './load.ts';
import { loginTo } from './login.ts';
import { lookUpImage } from './look-up.ts';
import { pullImage } from './pull.ts';
import { pushImage } from './push.ts';
import { formatReference, parseReference, repositoryOf, tryParseReference } from './reference.ts';
import { RegistryHttp } from './registry-http.ts';
import { noSuchImage, removeImage } from './remove.ts';
import { type SavedImage, saveImages } from './save.ts';
import { ImageStore, withImage } from './store.ts';

export interface ImagesOptions {
  /** Holds `images.json`. Made when absent. */
  readonly directory: string;
  /** A blob store of the engine's own: blobs that no image reaches are removed from it. */
  readonly blobs: BlobStore;
  readonly snapshots: OverlaySnapshots;
  readonly archives: Archives;
  readonly resolver: RegistryResolver;
  readonly users: ImageUsers;
  /** For removing images from a full disk. */
  readonly reserve: DiskReserve;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits?: ImageLimits;
}

/** Opens the images below a directory. Disposing lets go of connections; everything is on disk. */
export async function openImages(options: ImagesOptions): Promise<Images & ImageInternals & AsyncDisposable> {
  const images = new LocalImages(options);
  await images.start();
  return images;
}

const configLimitBytes = 8 * 1024 ** 2;

class LocalImages implements Images, ImageInternals, AsyncDisposable {
  readonly #options: ImagesOptions;
  readonly #store: ImageStore;
  readonly #layers: ImageLayers;
  readonly #keeping: ImageKeeping;
  readonly #http = new RegistryHttp();
  /** What the configs of recorded images say. */
  readonly #described = new Map<Digest, DescribedImage>();
  readonly #inFlight = new Map<Digest, Promise<void>>();
  #holds = 0;
  #isCollectionDue = false;
  #collecting: Promise<readonly Digest[]> = Promise.resolve([]);

  constructor(options: ImagesOptions) {
    this.#options = options;
    this.#store = new ImageStore(join(options.directory, 'images.json'));
    this.#layers = new ImageLayers({ ...options, store: this.#store });
    this.#keeping = new ImageKeeping({
      ...options,
      limits: options.limits ?? defaultImageLimits,
      list: () => this.#ids().map((id) => ({ id, taggedAt: this.#store.index.images[id]?.taggedAt ?? 0 })),
      remove: (id) => this.remove(id, { force: true }),
      isHeld: () => this.#holds > 0,
      emptyTrash: () => this.snapshots.emptyTrash(),
    });
  }

  async start(): Promise<void> {
    await this.#store.start();
    for (const id of this.#ids())
      try {
        await this.#describe(id);
      } catch (error) {
        if (!(error instanceof DabbaError)) throw error;
        this.#options.logger.error('forgot an image whose config is lost', { imageId: id, reason: messageOf(error) });
        await this.#forget(id);
      }
  }

  get snapshots(): OverlaySnapshots {
    return this.#options.snapshots;
  }

  async pull(text: string, options: TransferOptions & { readonly platform?: Platform }): Promise<Image> {
    const reference = parseReference(text);
    using _ = this.hold();
    await this.#collecting;
    const id = await pullImage(this.#parts(), reference, options);
    void this.#keeping.enforce();
    return this.#imageOf(await this.#describe(id));
  }

  async push(text: string, options: TransferOptions): Promise<{ readonly digest: Digest; readonly sizeBytes: number }> {
    const reference = parseReference(text);
    using _ = this.hold();
    await this.#collecting;
    const id = this.#store.index.references[formatReference(reference)];
    const image = id && this.#described.get(id);
    if (!image) throw new DabbaError('NotFound', `An image does not exist locally with the tag: ${text}`);
    return pushImage(this.#parts(), image, reference, options);
  }

  login(host: string, credentials: RegistryCredentials, signal: AbortSignal): Promise<string> {
    return loginTo(host, credentials, { http: this.#http, resolver: this.#options.resolver, signal });
  }

  async find(nameOrId: string): Promise<Image | undefined> {
    const id = this.#store.find(nameOrId);
    const described = id && this.#described.get(id);
    return described && this.#imageOf(described);
  }

  async list(): Promise<readonly Image[]> {
    return [...this.#described.values()]
      .map((described) => this.#imageOf(described))
      .sort((left, right) => right.createdAt - left.createdAt);
  }

  async tag(nameOrId: string, text: string): Promise<void> {
    const reference = parseReference(text);
    if (reference.digest !== undefined)
      throw new DabbaError('InvalidArgument', 'refusing to create a tag with a digest reference');
    const { image } = await this.resolveForRun(nameOrId);
    await this.#store.update((index) => {
      // It may have been removed while the change waited for its turn.
      if (!Object.hasOwn(index.images, image.id)) throw noSuchImage(nameOrId);
      return withImage(index, image.id, {
        references: [formatReference(reference)],
        taggedAt: this.#options.clock.now(),
      });
    });
  }

  async remove(nameOrId: string, options?: { readonly force?: boolean }): Promise<readonly RemovedImage[]> {
    const { reserve, users } = this.#options;
    const removed = await reserve.spend(() => removeImage(this.#store, users, nameOrId, options?.force === true));
    for (const entry of removed) if ('deleted' in entry) this.#described.delete(entry.deleted as Digest); // our own image ID
    if (!removed.some((entry) => 'deleted' in entry)) return removed;
    const chains = await this.#collect();
    await reserve.take();
    return [...removed, ...chains.map((deleted) => ({ deleted }))];
  }

  async importRootfs(tar: AsyncIterable<Uint8Array>, options: ImportOptions): Promise<Image> {
    const references = options.reference === undefined ? [] : [options.reference];
    for (const reference of references) parseReference(reference);
    const config = applyChanges(options.config ?? {}, options.changes ?? []);
    using _ = this.hold();
    await this.#collecting;
    const layer = await this.#layers.importTree(tar, options.signal);
    const createdAt = this.#options.clock.now();
    return this.createImage({
      config,
      diffIds: [layer.diffId],
      history: [
        { created: new Date(createdAt).toISOString(), comment: options.comment ?? 'Imported from a root file system' },
      ],
      references,
      createdAt,
    });
  }

  async layerSizes(image: Image): Promise<readonly number[]> {
    return chainIdsOf(image.diffIds).map((chainId) => this.snapshots.layers.find(chainId)?.sizeBytes ?? 0);
  }

  async save(namesOrIds: readonly string[], signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    using _ = this.hold();
    await this.#collecting;
    const saved = new Map<Digest, SavedImage>();
    for (const { image, references } of namesOrIds.flatMap((each) => this.#namedBy(each))) {
      const known = saved.get(image.id)?.references ?? [];
      saved.set(image.id, { image, references: [...new Set([...known, ...references])] });
    }
    return this.#holding(await saveImages(this.#parts(), [...saved.values()], signal));
  }

  async load(archive: AsyncIterable<Uint8Array>, options: LoadOptions): Promise<readonly LoadedImage[]> {
    using _ = this.hold();
    await this.#collecting;
    const loaded = await loadImages(this.#parts(), archive, options);
    for (const { id } of loaded) await this.#describe(id);
    void this.#keeping.enforce();
    return loaded;
  }

  lookUp(text: string, options: Pick<TransferOptions, 'credentials' | 'signal'>): Promise<RemoteImage> {
    return lookUpImage({ http: this.#http, resolver: this.#options.resolver }, parseReference(text), options);
  }

  /** Passes bytes on; while they come nothing is collected. */
  async *#holding(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void> {
    using _ = this.hold();
    yield* source;
  }

  /** What a name means to `save`: all tags of a repository, one reference, or an image by its ID. */
  #namedBy(nameOrId: string): readonly SavedImage[] {
    const { index } = this.#store;
    const reference = tryParseReference(nameOrId);
    const isRepository = reference && !/[:@][^/]*$/.test(nameOrId);
    const named = Object.keys(index.references).filter((each) => {
      if (!reference) return false;
      return isRepository
        ? repositoryOf(parseReference(each)) === repositoryOf(reference)
        : each === formatReference(reference);
    });
    const found =
      named.length > 0
        ? named.map((each) => ({ id: index.references[each], references: [each] }))
        : [{ id: this.#store.find(nameOrId), references: [] }];
    return found.map(({ id, references }) => {
      const image = id && this.#described.get(id);
      if (!image) throw noSuchImage(nameOrId);
      return { image, references };
    });
  }

  async resolveForRun(nameOrId: string): Promise<ResolvedImage> {
    const image = await this.find(nameOrId);
    if (!image) throw noSuchImage(nameOrId);
    this.#keeping.use(image.id);
    return { image, chainId: this.chainIdsOf(image).at(-1) };
  }

  chainIdsOf(image: Image): readonly Digest[] {
    return chainIdsOf(image.diffIds);
  }

  async commitUpper(request: CommitUpper): Promise<Layer> {
    return this.#layers.commit(request);
  }

  async findLayer(chainId: Digest): Promise<Layer | undefined> {
    return this.snapshots.layers.find(chainId);
  }

  async createImage(request: CreateImage): Promise<Image> {
    using _ = this.hold();
    await this.#collecting;
    for (const chainId of chainIdsOf(request.diffIds))
      if (!this.snapshots.layers.find(chainId))
        throw new DabbaError('NotFound', `layer ${chainId} of the new image is not here`);
    const references = request.references.map((text) => formatReference(parseReference(text)));
    const config = encodeConfig(request, request.createdAt ?? this.#options.clock.now());
    const { digest } = await this.#options.blobs.write(only(config));
    await this.#store.update((index) => withImage(index, digest, { references, taggedAt: this.#options.clock.now() }));
    void this.#keeping.enforce();
    return this.#imageOf(await this.#describe(digest));
  }

  hold(): Disposable {
    this.#holds++;
    let isOpen = true;
    return {
      [Symbol.dispose]: () => {
        if (!isOpen) return;
        isOpen = false;
        this.#holds--;
        if (this.#holds === 0 && this.#isCollectionDue) void this.#collect();
      },
    };
  }

  async collectGarbage(): Promise<void> {
    await this.#collect();
  }

  /** Collections take turns, and wait for holds. Nothing is lost by one that fails: the next finds the same garbage. */
  #collect(): Promise<readonly Digest[]> {
    this.#isCollectionDue = true;
    this.#collecting = this.#collecting.then(async () => {
      if (this.#holds > 0 || !this.#isCollectionDue) return [];
      this.#isCollectionDue = false;
      try {
        return await collectGarbage({
          blobs: this.#options.blobs,
          layers: this.snapshots.layers,
          store: this.#store,
          users: this.#options.users,
          diffIdsOf: (id) => this.#described.get(id)?.diffIds ?? [],
          isHeld: () => {
            if (this.#holds > 0) this.#isCollectionDue = true;
            return this.#holds > 0;
          },
        });
      } catch (error) {
        this.#options.logger.error('image garbage was not collected', { reason: messageOf(error) });
        return [];
      }
    });
    return this.#collecting;
  }

  #parts() {
    const { archives, blobs, clock, resolver, snapshots } = this.#options;
    const [http, layers, store, inFlight] = [this.#http, this.#layers, this.#store, this.#inFlight];
    return { archives, blobs, clock, http, inFlight, layers, resolver, snapshots, store };
  }

  async #describe(id: Digest): Promise<DescribedImage> {
    const known = this.#described.get(id);
    if (known) return known;
    const described = decodeConfig(await this.#options.blobs.readBytes(id, configLimitBytes));
    this.#described.set(id, described);
    return described;
  }

  #imageOf(described: DescribedImage): Image {
    const { id, diffIds } = described;
    let sizeBytes = 0;
    for (const chainId of chainIdsOf(diffIds)) sizeBytes += this.snapshots.layers.find(chainId)?.sizeBytes ?? 0;
    const { repoDigests = [], taggedAt } = this.#store.index.images[id] ?? {};
    const references = this.#store.referencesOf(id);
    return { ...described, references, repoDigests, sizeBytes, ...(taggedAt !== undefined && { taggedAt }) };
  }

  #forget(id: Digest): Promise<void> {
    return this.#store.update((index) => {
      const { [id]: _, ...images } = index.images;
      const references = Object.entries(index.references).filter(([, target]) => target !== id);
      return { ...index, images, references: Object.fromEntries(references) };
    });
  }

  #ids(): readonly Digest[] {
    return Object.keys(this.#store.index.images) as Digest[]; // keys of `images` are digests
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#keeping.idle();
    await this.#collecting;
    this.#http[Symbol.dispose]();
  }
}

async function* only(bytes: Buffer): AsyncGenerator<Buffer, void> {
  yield bytes;
}
