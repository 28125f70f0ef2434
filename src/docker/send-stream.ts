import type { Exchange } from './exchange.ts';
import { write } from './writable.ts';

/** Answers with bytes as they come, at the client's pace. A failure after the first of them cuts the connection. */
export async function sendStream(
  { response, signal }: Exchange,
  contentType: string,
  source: AsyncIterable<Uint8Array>,
  headers: { readonly [name: string]: string } = {},
): Promise<void> {
  const chunks = source[Symbol.asyncIterator]();
  try {
    // Until there is something to send, a failure can still be a proper answer.
    let next = await chunks.next();
    response.writeHead(200, { 'content-type': contentType, ...headers });
    while (!next.done && !signal.aborted) {
      // The source may use its chunk again while ours waits to be sent.
      await write(response, Buffer.from(next.value));
      next = await chunks.next();
    }
    response.end();
  } finally {
    await chunks.return?.();
  }
}
