import type { Digest } from '#base';
import type { UserNamespace } from '#kernel';
import type { Image, ImageConfig } from '../engine.ts';

/**
 * What `runtime/` and `build/` need of images beyond the port `Images`. Both are given by `openImages` (`images.ts`).
 *
 * **Vocabulary.** A *diff ID* is the digest of a layer's plain tar. A *chain ID* names a layer together with all layers beneath it (OCI
 * image specification, "Layer ChainID"); unpacked layers are kept by it, and `undefined` stands for the empty chain (`FROM scratch`).
 * An *upper* is an overlayfs upper directory: what a container or a build step changed.
 *
 * **Lifecycle.** A layer lives as long as an image, a container or the build cache reaches it (`ImageUsers`). Whoever makes layers
 * before making the image that keeps them does so under a `hold()`, during which nothing is collected.
 *
 * **Example.** One RUN step: mount `snapshots.mount({ chainId: base, target, writable: { upper, work } })`, run, `snapshots.unmount(target)`, then
 * `const layer = await images.commitUpper({ parent: base, upper, signal })`, and in the end `images.createImage({ layers: … })`.
 */
export interface ImageInternals {
  readonly snapshots: Snapshots;
  /** The image and the chain to mount for it. Throws `NotFound` ("No such image: …") when it is not here; never pulls. */
  resolveForRun(nameOrId: string): Promise<ResolvedImage>;
  /** The chain IDs of an image, lowest layer first; the last is the one to mount. */
  chainIdsOf(image: Image): readonly Digest[];
  /**
   * Makes an upper the layer above `parent`. The directory is moved, not copied: afterwards it is gone from its place. It must not be
   * mounted any more, unless `isCopied`, which leaves it where it is (committing a container). Making the same layer twice gives one.
   */
  commitUpper(request: CommitUpper): Promise<Layer>;
  /** The layer of that chain ID if it is unpacked here. */
  findLayer(chainId: Digest): Promise<Layer | undefined>;
  /**
   * Writes the config and records an image of layers that are unpacked here, under the references given (none: an untagged image).
   * Equal requests give the same image ID. References that pointed elsewhere move. Resolves when durable.
   */
  createImage(request: CreateImage): Promise<Image>;
  /** While any hold is open nothing is collected. Holds are short: one pull, one build. */
  hold(): Disposable;
  /** Removes layers and blobs that nothing reaches. `remove` does so by itself; builds call it when their cache shrinks. */
  collectGarbage(): Promise<void>;
}

export interface ResolvedImage {
  readonly image: Image;
  /** Chain to mount; undefined for an image without layers. */
  readonly chainId: Digest | undefined;
}

export interface Layer {
  readonly chainId: Digest;
  readonly diffId: Digest;
  /** Chain ID beneath; absent for the lowest. */
  readonly parent?: Digest;
  /** Bytes of the files in it. */
  readonly sizeBytes: number;
}

export interface CommitUpper {
  readonly parent: Digest | undefined;
  readonly upper: string;
  readonly isCopied?: boolean;
  /** Paths to leave out; only with `isCopied`. */
  readonly except?: readonly string[];
  /** Seconds since the epoch that replace every later modification time (SOURCE_DATE_EPOCH). */
  readonly timestamp?: number;
  readonly signal: AbortSignal;
}

export interface CreateImage {
  readonly config: ImageConfig;
  /** Diff IDs, lowest first; every layer of the chain must be unpacked here. */
  readonly diffIds: readonly Digest[];
  readonly history: Image['history'];
  /** To be normalised and pointed at the image. */
  readonly references: readonly string[];
  /** Default: this machine's. */
  readonly architecture?: string;
  readonly author?: string;
  /** Milliseconds since the epoch. Default: now. */
  readonly createdAt?: number;
}

/** Who else keeps images and layers alive. Asked at each removal and collection. */
export interface ImageUsers {
  /** Containers made from the image, in any state. */
  containersOf(imageId: Digest): Promise<readonly { readonly id: string; readonly isRunning: boolean }[]>;
  /** Chain IDs in use by containers and the build cache. Everything beneath them is in use too. */
  chainsInUse(): Promise<readonly Digest[]>;
}

/** Unpacked layers, and overlay mounts of them. */
export interface Snapshots {
  /**
   * Mounts the chain at `target` (made if absent): read/write with `upper` and `work` (made if absent, on one file system), else read-only.
   * The mount belongs to the machine, not to us: it outlives the process, and mounting what is already mounted at `target` succeeds.
   */
  mount(request: MountRequest): Promise<void>;
  /**
   * Mounts what is at `source` once more at `target`, a file or directory like it, with mapped ids. In an overlay mounted here, overlayfs taking no
   * mapping, it is that of the layers beneath; one that is written to is only there from then on. Throws `KernelError` `EINVAL` where a file system
   * takes none.
   */
  mountMapped(source: string, target: string, options: MappedIds & { readonly isRecursive: boolean }): Promise<void>;
  /** Unmounts `target`; absent or not mounted succeeds. */
  unmount(target: string): Promise<void>;
  /**
   * A read-only view of the chain in a directory of our own, beneath the read/write layer of a container if one is given; disposing unmounts and
   * removes it. Left-overs are swept at start.
   */
  openView(chainId: Digest | undefined, upper?: string): Promise<View>;
  /** Moves a directory out of sight at once; its bytes are freed later. Absent succeeds. Must be on the engine's file system. */
  discard(directory: string): Promise<void>;
  /** An empty directory of our own on the layers' file system, for uppers and temporary trees; left-overs are swept at start. */
  makeTemporary(): Promise<string>;
}

export interface MountRequest {
  readonly chainId: Digest | undefined;
  readonly target: string;
  readonly writable?: { readonly upper: string; readonly work: string };
  /** With the empty files and directories a runtime mounts over, where the image has none: they need not be made in each upper then. */
  readonly hasMountPoints?: boolean;
  readonly mapped?: MappedIds;
}

/** A mount through which files have the ids that those on disk are in a user namespace. */
export interface MappedIds {
  readonly userNamespace: UserNamespace;
  /** Its root, as the machine calls it. */
  readonly root: { readonly uid: number; readonly gid: number };
  /** An empty directory to work with for a moment. */
  readonly workplace: string;
}

export interface View extends AsyncDisposable {
  readonly path: string;
}
