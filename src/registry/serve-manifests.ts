import type { IncomingMessage } from 'node:http';
import type { Digest } from '#base';
import { RegistryError } from './errors.ts';
import { bodyOf, replyEmpty, type Exchange } from './exchange.ts';
import { MANIFEST_LIMIT_BYTES } from './manifest.ts';
import { isDigestReference, parseDigestOf, parseTag } from './names.ts';
import type { ManifestRecord } from './registry.ts';

/** `HEAD`, `GET`, `PUT` and `DELETE` of a manifest by tag or digest. */
export async function serveManifest(exchange: Exchange, reference: string): Promise<void> {
  switch (exchange.request.method) {
    case 'PUT':
      return await put(exchange, reference);
    case 'DELETE':
      return await remove(exchange, reference);
    default:
      return await get(exchange, reference);
  }
}

async function get(exchange: Exchange, reference: string): Promise<void> {
  const { request, response, content, repository, logger } = exchange;
  const found = await content.findManifest(repository, checkedReference(reference));
  if (!found) throw manifestUnknown(exchange, reference);
  note(exchange, reference, found.digest);
  const headers = {
    'content-type': found.mediaType,
    'content-length': found.sizeBytes,
    'docker-content-digest': found.digest,
    etag: `"${found.digest}"`,
  };
  if (request.method === 'HEAD') return replyEmpty(response, 200, headers);
  const bytes = await content.manifestBytes(repository, found.digest);
  response.writeHead(200, headers).end(bytes);
  try {
    await content.recordPull(repository, found.digest);
  } catch (error) {
    // The caller has the manifest; when it was pulled is worth a line, not a failure.
    logger.warn('cannot note a pull', { digest: found.digest, repository: repository.name, cause: String(error) });
  }
}

async function put(exchange: Exchange, reference: string): Promise<void> {
  const { request, response, content, policy, repository, query } = exchange;
  checkedReference(reference);
  const mediaType = request.headers['content-type'];
  const tags = query.getAll('tag').map(parseTag);
  const stored = await content.putManifest(repository, {
    bytes: await wholeBodyOf(request),
    ...(mediaType && { mediaType }),
    ...(isDigestReference(reference) ? { digest: parseDigestOf(reference) } : { tag: reference }),
    tags,
    checkTagChange: async (tag) => await policy.checkTagChange(repository, tag),
  });
  note(exchange, reference, stored.digest);
  replyEmpty(response, 201, {
    location: `/v2/${exchange.name}/manifests/${stored.digest}`,
    'docker-content-digest': stored.digest,
    ...(stored.subject && { 'oci-subject': stored.subject }),
    ...(tags.length && { 'oci-tag': tags }),
  });
}

async function remove(exchange: Exchange, reference: string): Promise<void> {
  const { response, content, repository } = exchange;
  const found = await content.findManifest(repository, checkedReference(reference));
  if (!found) throw manifestUnknown(exchange, reference);
  note(exchange, reference, found.digest);
  if (isDigestReference(reference)) await content.deleteManifest(repository, found.digest);
  else await content.deleteTag(repository, reference);
  replyEmpty(response, 202);
}

function note(exchange: Exchange, reference: string, digest: ManifestRecord['digest']): void {
  exchange.note({ digest, ...(!isDigestReference(reference) && { tag: reference }) });
}

function checkedReference(reference: string): string | Digest {
  return isDigestReference(reference) ? parseDigestOf(reference) : parseTag(reference);
}

/** The whole body, refused as soon as it is known to be too large. */
async function wholeBodyOf(request: IncomingMessage): Promise<Buffer> {
  const tooLarge = new RegistryError('SIZE_INVALID', `the manifest has more than ${MANIFEST_LIMIT_BYTES} bytes`);
  if (Number(request.headers['content-length'] ?? 0) > MANIFEST_LIMIT_BYTES) throw tooLarge;
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of bodyOf(request)) {
    sizeBytes += chunk.length;
    if (sizeBytes > MANIFEST_LIMIT_BYTES) throw tooLarge;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function manifestUnknown({ repository }: Exchange, reference: string): RegistryError {
  return new RegistryError('MANIFEST_UNKNOWN', `manifest "${reference}" is not in repository ${repository.name}`);
}
