import type { Image, ImageConfig } from './engine.ts';

/**
 * The files of containers, running or not. Paths are the container's own: absolute, resolved with its root as `/`, and nothing reaches outside it.
 * A container that does not run cannot start while its files are read or written.
 */
export interface ContainerFiles {
  /** What the container changed of its image, parents before children. Mount points made for it are left out. */
  changes(id: string): Promise<readonly FileChange[]>;
  /** The whole root file system as a tar, without what is mounted in it. Read it to the end or return it. */
  export(id: string, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
  /** Makes an image of a container: its image and one more layer, if it changed anything. */
  commit(id: string, request: CommitRequest): Promise<Image>;
  /** What is at a path; a symbolic link is not followed unless the path ends in `/`. Throws `NotFound`. Mounts are seen. */
  stat(id: string, path: string): Promise<PathStat>;
  /** A file or tree as a tar whose first member carries the path's last name (`.` and `/` as given). */
  read(
    id: string,
    path: string,
    signal: AbortSignal,
  ): Promise<{ readonly stat: PathStat; readonly tar: AsyncIterable<Uint8Array> }>;
  /**
   * Unpacks a tar, plain, gzip or zstd, in an existing directory. Throws `NotFound` without one, `InvalidArgument` if it is none or
   * `isKindKept` and a directory would give way to something else or the reverse, `PermissionDenied` where the container may not write.
   */
  write(id: string, path: string, tar: AsyncIterable<Uint8Array>, options: WriteOptions): Promise<void>;
}

export interface FileChange {
  readonly path: string;
  readonly kind: 'modified' | 'added' | 'deleted';
}

export interface PathStat {
  /** Last name of the path. */
  readonly name: string;
  readonly sizeBytes: number;
  /** `st_mode`: type and permissions. */
  readonly mode: number;
  readonly modifiedAtNs: bigint;
  /** Where a symbolic link leads, all links followed as far as they go; else empty. */
  readonly linkTarget: string;
}

export interface WriteOptions {
  readonly isKindKept: boolean;
  /** Gives everything to the container's user instead of the archive's owners. */
  readonly isOwnedByUser: boolean;
  readonly signal: AbortSignal;
}

export interface CommitRequest {
  readonly reference?: string;
  readonly author?: string;
  readonly comment?: string;
  /** Dockerfile instructions applied to the config: CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME, WORKDIR. */
  readonly changes: readonly string[];
  /** Replaces members of the container's config, before the changes. */
  readonly config?: Partial<ImageConfig>;
  /** Freeze a running container meanwhile, so that its files fit one another. */
  readonly isPaused: boolean;
  readonly signal: AbortSignal;
}
