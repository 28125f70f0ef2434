import type { Digest } from '#base';
import type { IdMapping } from '#kernel';
import type { FileChange, PathStat } from '../files.ts';

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
  /** What an overlayfs upper changes of the tree beneath it, parents before children. `except` are paths to pass over. */
  compare(request: CompareRequest): Promise<readonly FileChange[]>;
  /** What is at a path beneath a root; the last name is not followed unless the path ends in `/` or `/.`. Undefined if there is nothing. */
  stat(request: StatRequest): Promise<PathStat | undefined>;
}

export interface CompareRequest {
  readonly upper: string;
  readonly lower: string;
  readonly except: readonly string[];
  readonly signal: AbortSignal;
}

export interface StatRequest {
  readonly root: string;
  readonly path: string;
  readonly signal: AbortSignal;
}

/** A file that is open for reading (a `FileHandle`, say) and that nobody changes. Its position does not matter and stays. */
export interface OpenFile {
  readonly fd: number;
}

export type ArchiveSource = AsyncIterable<Uint8Array> | OpenFile;

/** Streams of files have an `fd` too. */
export function isOpenFile(source: ArchiveSource): source is OpenFile {
  return !(Symbol.asyncIterator in source);
}

export interface UnpackRequest {
  /** A plain tar in an open file is read by who unpacks it, as fast as that goes; the caller closes it. */
  readonly source: ArchiveSource;
  /** Told now and then how many more bytes of the source were taken. */
  readonly onTaken?: (bytes: number) => void;
  /** Directory that nothing leaves. */
  readonly root: string;
  /** Where in `root` to unpack, e.g. `/app`; made if absent. Symbolic links in it resolve beneath `root`. Default: `root` itself. */
  readonly directory?: string;
  /** `layer`: whiteouts become overlayfs's (character device 0:0, opaque attribute). `archive`: every name means itself. */
  readonly form: 'layer' | 'archive';
  /** The tree is in use: its root directory keeps its owner, mode and time, and more as told. */
  readonly onto?: OntoTree;
  /** Of the bytes as they come. */
  readonly expectedDigest?: Digest;
  /** Of the plain tar. */
  readonly expectedDiffId?: Digest;
  /** How much comes, where it is known: what is large and to be verified is decoded and hashed on a thread of its own. */
  readonly sizeBytes?: number;
  readonly signal: AbortSignal;
}

export interface OntoTree {
  /** Refuse (`InvalidArgument`) to put something else in the place of a directory, or a directory in the place of something else. */
  readonly isKindKept: boolean;
  /** Owner of everything unpacked, instead of the archive's. */
  readonly owner?: { readonly uid: number; readonly gid: number };
  /** The tree is seen through mapped ids: owners are those inside of it. Throws `InvalidArgument` for one that has no place there. */
  readonly ids?: IdMapping;
}

export interface Unpacked {
  /** Bytes of all files together. */
  readonly contentBytes: number;
  readonly entries: number;
}

export interface PackRequest {
  readonly root: string;
  /**
   * What of the tree goes in: `upper`, all of it as a layer, with overlayfs's whiteouts as OCI's; `tree`, all of it as it stands; the
   * entries listed, in the order given; or what is at one path, under another name. Trees are sorted by name and leave out the root
   * directory itself and sockets.
   */
  readonly content: 'upper' | 'tree' | readonly ArchiveEntry[] | { readonly path: string; readonly name: string };
  /** The tree is seen through mapped ids: owners become those inside of it. */
  readonly ids?: IdMapping;
  /** Paths from the root to leave out, with all beneath them. */
  readonly except?: readonly string[];
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
