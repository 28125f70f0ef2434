import type { IncomingMessage } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { DabbaError, systemCode } from '#base';
import { AwsError } from '../errors.ts';

const EMPTY = Buffer.alloc(0);

/** Reads a request's body whole. Throws 413 above `limitBytes`, and `Cancelled` when the client went away. */
export function readBody(request: IncomingMessage, limitBytes: number): Promise<Buffer> {
  const declared = Number(request.headers['content-length'] ?? Number.NaN);
  if (declared > limitBytes) return Promise.reject(tooLarge(limitBytes));
  if (declared === 0 || (Number.isNaN(declared) && request.headers['transfer-encoding'] === undefined))
    return Promise.resolve(EMPTY);
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let sizeBytes = 0;
    request.on('data', (chunk: Buffer) => {
      sizeBytes += chunk.length;
      if (sizeBytes > limitBytes) {
        request.removeAllListeners('data').pause();
        reject(tooLarge(limitBytes));
      } else chunks.push(chunk);
    });
    // A request closes after its end too; an error made for nothing at every call would be dear.
    const onClose = () => reject(new DabbaError('Cancelled', 'the client closed the connection'));
    request.on('end', () => {
      request.off('close', onClose);
      resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks));
    });
    request.on('close', onClose);
    // What went wrong shows as a close without an end.
    request.on('error', onClose);
  });
}

/** The body as it was before `Content-Encoding: gzip`, which clients use for large inputs of a few operations. */
export function decodeBody(body: Buffer, contentEncoding: string | undefined, limitBytes: number): Buffer {
  if (contentEncoding !== 'gzip') return body;
  try {
    return gunzipSync(body, { maxOutputLength: limitBytes });
  } catch (error) {
    if (systemCode(error) === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(limitBytes);
    throw new AwsError('SerializationException', 'The request body is not valid gzip data.', {
      status: 400,
      cause: error,
    });
  }
}

function tooLarge(limitBytes: number): AwsError {
  return new AwsError('RequestEntityTooLarge', `The request body is larger than ${limitBytes} bytes.`, { status: 413 });
}
