import type { IncomingMessage } from 'node:http';

const MOST_BYTES = 3 * 1024 * 1024;

/** The JSON of an answer. Throws for one that is too large, or none. */
export async function jsonOf(answer: IncomingMessage, mostBytes = MOST_BYTES): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer) {
    size += (chunk as Buffer).length;
    if (size > mostBytes) throw new Error('the answer is too large');
    chunks.push(chunk as Buffer);
  }
  return JSON.parse(Buffer.concat(chunks).toString());
}
