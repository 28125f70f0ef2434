import type { Digest } from '#base';

/**
 * Tar archives and directory trees, each made from the other. The work runs on worker threads whose root directory is the tree in
 * question, so no name in an archive (`..`, absolute, through a symbolic link) and no link in a tree reaches outside it.
 *
 * Errors are `DabbaError`: `InvalidArgument` (the archive is malformed, climbs, or has another digest than expected), `ResourceExhausted`
 * (disk full, archive beyond `TarLimits`), `Cancelled`. After an error the tree holds whatever was written so far: the caller discards it.
 */
export interface Archives extends AsyncDisposable {
  /** Unpacks a tar stream, plain, gzip or zstd, into a directory, verifying on the way what digests are expected. */
  unpack(request: UnpackRequest): Promise<Unpacked>;
  /** Hashes the deterministic tar of a tree; with `write` the tar goes there too. */
  pack(request: PackRequest): Promise<Packed>;
}

export interface UnpackRequest {
  readonly source: AsyncIterable<Uint8Array>;
  /** Directory that nothing leaves. */
  readonly root: string;
  /** Where in `root` to unpack, e.g. `/app`; made if absent. Symbolic links in it resolve beneath `root`. Default: `root` itself. */
  readonly directory?: string;
  /** `layer`: whiteouts become overlayfs's (character device 0:0, opaque attribute). `archive`: every name means itself. */
  readonly form: 'layer' | 'archive';
  /** Of the bytes as they come. */
  readonly expectedDigest?: Digest;
  /** Of the plain tar. */
  readonly expectedDiffId?: Digest;
  readonly signal: AbortSignal;
}

export interface Unpacked {
  /** Bytes of all files together. */
  readonly contentBytes: number;
  readonly entries: number;
}

export interface PackRequest {
  readonly root: string;
  /**
   * What of the tree goes in: `upper`, all of it as a layer, with overlayfs's whiteouts as OCI's; `tree`, all of it as it stands; or the
   * entries listed, in the order given. Trees are sorted by name and leave out the root directory itself and sockets.
   */
  readonly content: 'upper' | 'tree' | readonly ArchiveEntry[];
  /** Seconds since the epoch that replace every later modification time (SOURCE_DATE_EPOCH). */
  readonly timestamp?: number;
  /** Receives the archive; its backpressure is obeyed. It must read to the end, or throw. */
  readonly write?: (archive: AsyncIterable<Buffer>) => Promise<void>;
  /** Of what `write` receives; default `none`. */
  readonly compression?: 'none' | 'gzip';
  readonly signal: AbortSignal;
}

/** A member made from a file of the tree, with what is given here put in place of the file's own; or a directory made from nothing. */
export type ArchiveEntry = (
  | { readonly source: string }
  | { readonly isDirectory: true; readonly mode: number; readonly uid: number; readonly gid: number }
) & {
  /** Path in the archive, without slashes at its ends. */
  readonly name: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
};

export interface Packed {
  /** Digest and size of the plain tar. */
  readonly diffId: Digest;
  readonly tarBytes: number;
  /** Bytes of all files together. */
  readonly contentBytes: number;
}
