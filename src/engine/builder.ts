import type { Readable } from 'node:stream';
import type { Digest } from '#base';
import type { ContainerCreate, RegistryCredentials } from './engine.ts';

/** Builds Dockerfiles, and keeps what their steps gave for the next build. */
export interface Builder {
  /**
   * Builds a Dockerfile. Yields progress as it happens and ends with `result` (with `onFiles`: when they were taken). A fault in the Dockerfile throws `InvalidArgument` whose
   * message names file, line and instruction; a failing RUN throws `FailedPrecondition` with its exit code. Stages that do not need one
   * another are built at the same time: their events come mixed, each with the number of its stage.
   */
  build(request: BuildRequest): AsyncIterable<BuildEvent>;
  /** What the build cache holds. */
  cacheUsage(): Promise<readonly CacheRecord[]>;
  /** Removes cached steps and cache mounts, those unused for longest first. What a build uses now stays. May be repeated. */
  prune(request: CachePrune): Promise<CachePruned>;
}

export interface BuildRequest {
  /** A tar stream, plain or compressed. */
  readonly context: Readable;
  /** Path of the Dockerfile within the context. Default `Dockerfile`. */
  readonly dockerfile?: string;
  readonly references: readonly string[];
  /** `SOURCE_DATE_EPOCH` among them makes layers and image reproducible: no time in them is later. */
  readonly buildArgs: { readonly [name: string]: string };
  readonly labels: { readonly [name: string]: string };
  readonly target?: string;
  readonly isCacheDisabled?: boolean;
  /**
   * References of images that are here and were built by us, perhaps elsewhere: a step that one of them was built with counts as cached.
   * One that is not here, or was built by others, is passed over with a note.
   */
  readonly cacheSources?: readonly string[];
  readonly isPulledAlways?: boolean;
  /** The layers above the base become one. */
  readonly isSquashed?: boolean;
  readonly networkMode?: string;
  /** Of the containers of RUN. They do not decide what is cached. */
  readonly runOptions?: Pick<
    ContainerCreate,
    'resources' | 'ulimits' | 'sharedMemoryBytes' | 'cgroupParent' | 'resolution' | 'namespaces'
  >;
  /** For `RUN --mount=type=secret`, by id. Kept in memory alone. */
  readonly secrets?: { readonly [id: string]: Buffer };
  /** For `RUN --mount=type=ssh`: paths of agents' sockets on this machine, by id. */
  readonly sshAgents?: { readonly [id: string]: string };
  /** Receives the files of the result as a tar; no image is made then. It must read to the end, or throw. */
  readonly onFiles?: (archive: AsyncIterable<Buffer>) => Promise<void>;
  /** Credentials by registry host. */
  readonly credentials: { readonly [host: string]: RegistryCredentials };
  readonly signal: AbortSignal;
}

export type BuildEvent =
  /** A step begins; the one before it in its stage has ended. `index` counts from 1 in the order of the file. */
  | {
      readonly kind: 'step';
      readonly index: number;
      readonly count: number;
      readonly text: string;
      readonly stage?: number;
    }
  | { readonly kind: 'cached'; readonly imageId?: string; readonly stage?: number }
  | { readonly kind: 'output'; readonly stream: 'stdout' | 'stderr'; readonly data: Buffer; readonly stage?: number }
  | { readonly kind: 'note'; readonly text: string; readonly stage?: number }
  | { readonly kind: 'warning'; readonly text: string; readonly stage?: number }
  | { readonly kind: 'layer'; readonly id: string; readonly stage?: number }
  /** All steps of the stage are done. */
  | { readonly kind: 'stage-end'; readonly stage: number }
  | { readonly kind: 'result'; readonly imageId: Digest; readonly references: readonly string[] };

/** A cached step, or the directory of a `RUN --mount=type=cache`. */
export interface CacheRecord {
  readonly id: string;
  readonly type: 'step' | 'mount';
  /** The step as the image's history shows it, or the name of the mount. */
  readonly description: string;
  /** A build uses it now. */
  readonly isInUse: boolean;
  /** An image keeps its layer too: removing the record frees nothing. */
  readonly isShared: boolean;
  readonly sizeBytes: number;
  readonly createdAt: number;
  readonly lastUsedAt: number;
}

/** All conditions must hold for a record to go; without any, all go that may. */
export interface CachePrune {
  /** Only until the rest is no larger than this. */
  readonly keepBytes?: number;
  /** Only what was last used before this instant. */
  readonly unusedSince?: number;
  readonly ids?: readonly string[];
  readonly types?: readonly CacheRecord['type'][];
}

export interface CachePruned {
  readonly ids: readonly string[];
  readonly reclaimedBytes: number;
}
