import { pipeline } from 'node:stream/promises';
import { RegistryError } from './errors.ts';
import { replyEmpty, type Exchange, type Headers } from './exchange.ts';
import { parseDigestOf } from './names.ts';
import { rangeOf } from './range.ts';

/** `HEAD`, `GET` and `DELETE` of a blob (OCI distribution specification, "Pulling blobs", "Deleting Blobs"). */
export async function serveBlob(exchange: Exchange, digestText: string): Promise<void> {
  const { request, response, content, repository } = exchange;
  const digest = parseDigestOf(digestText);
  exchange.note({ digest });
  if (request.method === 'DELETE') {
    await content.unlinkBlob(repository, digest);
    return replyEmpty(response, 202);
  }
  // Who asks without reading is about to push.
  const isAsked = request.method === 'HEAD';
  const found = await (isAsked ? content.keepBlob(repository, digest) : content.hasBlob(repository, digest));
  if (!found) throw new RegistryError('BLOB_UNKNOWN', `blob ${digest} is not in repository ${repository.name}`);
  const headers: Headers = {
    'content-type': 'application/octet-stream',
    'docker-content-digest': digest,
    'accept-ranges': 'bytes',
    etag: `"${digest}"`,
  };
  if (isAsked) return replyEmpty(response, 200, { ...headers, 'content-length': found.sizeBytes });
  const range = rangeOf(request.headers.range, found.sizeBytes);
  const { start, end } = range ?? { start: 0, end: found.sizeBytes - 1 };
  const length = end - start + 1;
  const bytes = await content.readBlob(repository, digest, { start, length });
  response.writeHead(range ? 206 : 200, {
    ...headers,
    'content-length': length,
    ...(range && { 'content-range': `bytes ${start}-${end}/${found.sizeBytes}` }),
  });
  await pipeline(bytes, response);
}
