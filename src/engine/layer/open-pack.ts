import { DabbaError } from '#base';
import type { Archives, PackRequest } from './archives.ts';

/** The archive of a tree as a stream to pull from. Returning early ends the work. */
export async function* openPack(archives: Archives, request: Omit<PackRequest, 'write'>): AsyncGenerator<Buffer, void> {
  const opened = Promise.withResolvers<AsyncIterable<Buffer>>();
  const read = Promise.withResolvers<void>();
  read.promise.catch(() => undefined); // told by `work`
  const write = (archive: AsyncIterable<Buffer>) => {
    opened.resolve(archive);
    return read.promise;
  };
  const work = archives.pack({ ...request, write });
  work.catch(opened.reject);
  try {
    yield* await opened.promise;
    read.resolve();
    await work;
  } finally {
    read.reject(new DabbaError('Cancelled', 'nobody reads the archive any more')); // without effect once it was read
    await work.catch(() => undefined); // thrown above, unless it is this very cancellation
  }
}
