import type { Writable } from 'node:stream';

/** Writes and resolves when there is room for more, or when the stream is gone: the caller learns of that by its signal. */
export async function write(stream: Writable, data: Buffer | string): Promise<void> {
  if (stream.destroyed || stream.write(data)) return;
  await new Promise<void>((resolve) => {
    const done = () => {
      stream.off('drain', done).off('close', done);
      resolve();
    };
    stream.on('drain', done).on('close', done);
  });
}
