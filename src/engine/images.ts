import type { Digest } from '#base';
import type { ImportOptions, LoadedImage, LoadOptions, Platform, RemoteImage } from './image-archive.ts';

export interface RegistryCredentials {
  readonly username: string;
  readonly password: string;
}

export interface TransferOptions {
  readonly credentials?: RegistryCredentials;
  readonly signal: AbortSignal;
  /** Progress, throttled; one call per change of a layer's state or every 100 ms. */
  readonly onProgress?: (progress: LayerProgress) => void;
}

export interface LayerProgress {
  readonly digest: Digest;
  readonly state: 'waiting' | 'exists' | 'transferring' | 'transferred' | 'unpacking' | 'done';
  readonly currentBytes?: number;
  readonly totalBytes?: number;
}

export interface Images {
  /**
   * Fetches an image from its registry, verifies every digest, unpacks its layers. What is here already is not fetched again. Of an index
   * the machine's own platform is taken unless another is asked for; one that is absent is `NotFound`.
   */
  pull(reference: string, options: TransferOptions & { readonly platform?: Platform }): Promise<Image>;
  /** Uploads what the registry lacks, then the manifest. Returns the manifest's digest and size. */
  push(reference: string, options: TransferOptions): Promise<{ readonly digest: Digest; readonly sizeBytes: number }>;
  /** Asks the registry whether these credentials are good; returns its word for it. Throws `Unauthenticated`. */
  login(host: string, credentials: RegistryCredentials, signal: AbortSignal): Promise<string>;
  /** By reference, image ID, or unambiguous ID prefix. Undefined if absent. */
  find(nameOrId: string): Promise<Image | undefined>;
  list(): Promise<readonly Image[]>;
  tag(nameOrId: string, reference: string): Promise<void>;
  /** Removes a tag, and the image with its last one. Throws `Conflict` while a container uses it, unless `force`. */
  remove(nameOrId: string, options?: { readonly force?: boolean }): Promise<readonly RemovedImage[]>;
  /** Makes a one-layer image from a root filesystem tar (`docker import`), plain, gzip or zstd. */
  importRootfs(tar: AsyncIterable<Uint8Array>, options: ImportOptions): Promise<Image>;
  /** Unpacked bytes of each layer of an image, lowest first. */
  layerSizes(image: Image): Promise<readonly number[]>;
  /**
   * An archive of images: an OCI layout that is Docker's `manifest.json` form too. A repository without a tag stands for all of its tags, an ID
   * for the image without names. Each piece is valid until the next is asked for. Throws `NotFound` before the first byte.
   */
  save(namesOrIds: readonly string[], signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
  /** Takes in the images of an archive (OCI layout, `docker save`), plain, gzip or zstd. Every digest named is verified. */
  load(archive: AsyncIterable<Uint8Array>, options: LoadOptions): Promise<readonly LoadedImage[]>;
  /** Asks the registry what a reference leads to, without fetching it. */
  lookUp(reference: string, options: Pick<TransferOptions, 'credentials' | 'signal'>): Promise<RemoteImage>;
}

export type RemovedImage = { readonly untagged: string } | { readonly deleted: string };

/** The runtime part of an OCI image config (image-spec, "config", `config` member) with Docker's additions. */
export interface ImageConfig {
  readonly User?: string;
  readonly ExposedPorts?: { readonly [port: string]: object };
  readonly Env?: readonly string[];
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly Volumes?: { readonly [path: string]: object };
  readonly WorkingDir?: string;
  readonly Labels?: { readonly [name: string]: string };
  readonly StopSignal?: string;
  readonly Shell?: readonly string[];
  readonly Healthcheck?: {
    readonly Test?: readonly string[];
    readonly Interval?: number;
    readonly Timeout?: number;
    readonly StartPeriod?: number;
    readonly StartInterval?: number;
    readonly Retries?: number;
  };
  readonly OnBuild?: readonly string[];
}

export interface Image {
  /** Digest of the config. */
  readonly id: Digest;
  /** Normalised references that point here, e.g. `docker.io/library/debian:latest`. */
  readonly references: readonly string[];
  /** `repository@digest` under which it was pulled or pushed. */
  readonly repoDigests: readonly string[];
  readonly config: ImageConfig;
  readonly architecture: string;
  readonly os: string;
  readonly createdAt: number;
  readonly author?: string;
  readonly diffIds: readonly Digest[];
  readonly history: readonly {
    readonly created?: string;
    readonly created_by?: string;
    readonly empty_layer?: boolean;
    readonly comment?: string;
    /** Key of the build step that gave it, by which another build finds the step (`BuildRequest.cacheSources`). Images built elsewhere have none. */
    readonly cache_key?: string;
  }[];
  /** Unpacked size of all layers. */
  readonly sizeBytes: number;
  /** When it was last pulled, made, loaded or tagged here. */
  readonly taggedAt?: number;
}
