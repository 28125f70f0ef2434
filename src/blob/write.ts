import type { Digest } from '#base';
import type { BlobInfo, Upload, WriteOptions } from './blob.ts';
import { sizeMismatch } from './errors.ts';

/** An adapter's upload, which can also be committed under whatever sha256 digest its bytes have. */
export interface OpenUpload extends Upload {
  commit(expected?: Digest): Promise<BlobInfo>;
}

/** `BlobStore.write`, derived once from uploads; a failure or an abort forgets the upload. */
export async function writeByUpload(
  upload: OpenUpload,
  source: AsyncIterable<Uint8Array>,
  { expected, expectedSizeBytes, signal }: WriteOptions = {},
): Promise<BlobInfo> {
  try {
    await upload.append(signal ? untilAborted(source, signal) : source);
    if (expectedSizeBytes !== undefined && upload.sizeBytes !== expectedSizeBytes)
      throw sizeMismatch(expectedSizeBytes, upload.sizeBytes);
    return await upload.commit(expected);
  } catch (error) {
    await upload.cancel();
    throw signal?.aborted ? (signal.reason as Error) : error;
  }
}

/** The source's chunks until the signal aborts, even while the source itself is waiting for more. */
async function* untilAborted(source: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncIterable<Uint8Array> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => aborted.reject(signal.reason as Error);
  // Nobody may be waiting for it when the abort comes.
  aborted.promise.catch(() => undefined);
  signal.throwIfAborted();
  signal.addEventListener('abort', onAbort, { once: true });
  const iterator = source[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await Promise.race([iterator.next(), aborted.promise]);
      if (next.done) return;
      yield next.value;
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    // Not awaited: a generator that is stuck in `next` never answers. Its own failure no longer concerns anybody.
    iterator.return?.().catch(() => undefined);
  }
}
