import type { Readable } from 'node:stream';
import type { Digest } from '#base';

/**
 * Content-addressed bytes.
 *
 * **Vocabulary.** A *blob* is bytes named by their digest; it never changes. An *upload* is bytes on their way to becoming one.
 * **Lifecycle.** A blob becomes visible only when its bytes are verified and durable: written, synced, renamed into place, directory
 * synced. A crash leaves at worst an upload, which is swept at the next start. Writing a blob that exists succeeds and changes nothing.
 *
 * **Example.** `const { digest } = await blobs.write(stream, { expected })` then `blobs.read(digest)`.
 *
 * Errors, all `DabbaError`: `NotFound`, `InvalidArgument` (bytes do not match the expected digest or size), `ResourceExhausted` (disk full).
 * Every adapter passes `blob.contract.ts`.
 */
export interface BlobStore {
  /** Size in bytes, or undefined if absent. */
  stat(digest: Digest): Promise<{ readonly sizeBytes: number } | undefined>;
  /** The bytes, or `length` of them from `start`. Throws `NotFound`. */
  read(digest: Digest, range?: { readonly start: number; readonly length?: number }): Promise<Readable>;
  /** The blob as a file that is open for reading and that nobody changes; the caller closes it. Undefined when it is absent, or not kept as a file. */
  openFile(digest: Digest): Promise<OpenBlob | undefined>;
  /** The whole blob, for small ones. Throws `NotFound`, and `ResourceExhausted` when it is larger than `limitBytes` (default 4 MiB). */
  readBytes(digest: Digest, limitBytes?: number): Promise<Buffer>;
  /** Stores a stream; when `expected` is given, what does not match leaves nothing. Resolves when durable. */
  write(source: AsyncIterable<Uint8Array>, options?: WriteOptions): Promise<BlobInfo>;
  /** A resumable upload, as a registry needs; survives a restart under its id. */
  startUpload(): Promise<Upload>;
  /** An upload begun earlier. Throws `NotFound`. */
  resumeUpload(id: string): Promise<Upload>;
  /** Removes the blob; removing an absent one succeeds. */
  remove(digest: Digest): Promise<void>;
  /** Every blob, in no order. */
  list(): AsyncIterable<BlobInfo>;
}

export interface OpenBlob extends AsyncDisposable {
  readonly fd: number;
}

export interface BlobInfo {
  readonly digest: Digest;
  readonly sizeBytes: number;
}

export interface WriteOptions {
  readonly expected?: Digest;
  readonly expectedSizeBytes?: number;
  readonly signal?: AbortSignal;
}

/** Bytes on their way to a blob. One writer at a time. */
export interface Upload {
  readonly id: string;
  /** Bytes held so far. */
  readonly sizeBytes: number;
  /** Adds bytes at the end; resolves when they are written (not yet synced). */
  append(source: AsyncIterable<Uint8Array>): Promise<void>;
  /** Verifies and publishes the blob, then ends the upload. Throws `InvalidArgument` on a mismatch, and the upload stays. */
  commit(expected: Digest): Promise<BlobInfo>;
  /** Forgets the upload. */
  cancel(): Promise<void>;
}
