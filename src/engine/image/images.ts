import { join } from 'node:path';
import { type Clock, DabbaError, type Digest, type Logger, messageOf } from '#base';
import type { BlobStore } from '#blob';
import type { Image, ImageConfig, Images, RegistryCredentials, RemovedImage, TransferOptions } from '../engine.ts';
import type { Archives } from '../layer/archives.ts';
import type { RegistryResolver } from '../ports.ts';
import { chainIdsOf } from '../snapshot/chain.ts';
import type { OverlaySnapshots } from '../snapshot/snapshots.ts';
import { decodeConfig, type DescribedImage, encodeConfig } from './config.ts';
import { collectGarbage } from './garbage.ts';
import type { CommitUpper, CreateImage, ImageInternals, ImageUsers, Layer, ResolvedImage } from './internals.ts';
import { ImageLayers } from './layers.ts';
import { loginTo } from './login.ts';
import { pullImage } from './pull.ts';
import { pushImage } from './push.ts';
import { formatReference, parseReference } from './reference.ts';
import { RegistryHttp } from './registry-http.ts';
import { nameWithTag, removeImage } from './remove.ts';
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
  readonly clock: Clock;
  readonly logger: Logger;
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

  async pull(text: string, options: TransferOptions): Promise<Image> {
    const reference = parseReference(text);
    using _ = this.hold();
    await this.#collecting;
    const id = await pullImage(this.#parts(), reference, options);
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
    await this.#store.update((index) => withImage(index, image.id, { references: [formatReference(reference)] }));
  }

  async remove(nameOrId: string, options?: { readonly force?: boolean }): Promise<readonly RemovedImage[]> {
    const removed = await removeImage(this.#store, this.#options.users, nameOrId, options?.force === true);
    for (const entry of removed) if ('deleted' in entry) this.#described.delete(entry.deleted as Digest); // our own image ID
    if (!removed.some((entry) => 'deleted' in entry)) return removed;
    const chains = await this.#collect();
    return [...removed, ...chains.map((deleted) => ({ deleted }))];
  }

  async importRootfs(
    tar: AsyncIterable<Uint8Array>,
    options: { readonly reference?: string; readonly config?: Partial<ImageConfig>; readonly signal: AbortSignal },
  ): Promise<Image> {
    const references = options.reference === undefined ? [] : [options.reference];
    for (const reference of references) parseReference(reference);
    using _ = this.hold();
    await this.#collecting;
    const layer = await this.#layers.importTree(tar, options.signal);
    const createdAt = this.#options.clock.now();
    return this.createImage({
      config: options.config ?? {},
      diffIds: [layer.diffId],
      history: [{ created: new Date(createdAt).toISOString(), comment: 'Imported from a root file system' }],
      references,
      createdAt,
    });
  }

  async resolveForRun(nameOrId: string): Promise<ResolvedImage> {
    const image = await this.find(nameOrId);
    if (!image) throw new DabbaError('NotFound', `No such image: ${nameWithTag(nameOrId)}`);
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
    await this.#store.update((index) => withImage(index, digest, { references }));
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
    const { blobs, clock, resolver, snapshots } = this.#options;
    const [http, layers, store, inFlight] = [this.#http, this.#layers, this.#store, this.#inFlight];
    return { blobs, clock, http, inFlight, layers, resolver, snapshots, store };
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
    const repoDigests = this.#store.index.images[id]?.repoDigests ?? [];
    return { ...described, references: this.#store.referencesOf(id), repoDigests, sizeBytes };
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
    await this.#collecting;
    this.#http[Symbol.dispose]();
  }
}

async function* only(bytes: Buffer): AsyncGenerator<Buffer, void> {
  yield bytes;
}
