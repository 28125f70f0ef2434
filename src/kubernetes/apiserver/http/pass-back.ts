import type { IncomingMessage } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { passedBack } from '../passed-headers.ts';
import type { Exchange } from './exchange.ts';

/** Gives the client the answer of another server, as it comes. */
export async function passBack({ response, signal }: Exchange, answer: IncomingMessage): Promise<void> {
  response.writeHead(answer.statusCode ?? 502, passedBack(answer.headersDistinct));
  response.flushHeaders();
  await pipeline(answer, response).catch((error: unknown) => {
    // Either side may leave in the middle.
    if (!signal.aborted && !response.destroyed) throw error;
  });
}
