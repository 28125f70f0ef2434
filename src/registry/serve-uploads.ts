import type { Upload } from '#blob';
import { isDabbaError, type Digest } from '#base';
import { RegistryError } from './errors.ts';
import { bodyOf, replyEmpty, type Exchange, type Headers } from './exchange.ts';
import { parseDigestOf } from './names.ts';
import { chunkRangeOf } from './range.ts';

/** `POST …/blobs/uploads/`: mounts a blob, takes one whole, or opens an upload (OCI distribution specification, "Pushing blobs"). */
export async function startUpload(exchange: Exchange): Promise<void> {
  const { request, response, content, query, repository } = exchange;
  const digestText = query.get('digest');
  if (digestText !== null) {
    const { digest } = await content.putBlob(repository, bodyOf(request), { expected: parseDigestOf(digestText) });
    return replyCreated(exchange, digest);
  }
  const mounted = await mount(exchange);
  if (mounted) return replyCreated(exchange, mounted);
  replyEmpty(response, 202, statusOf(exchange, await content.startUpload(repository)));
}

/** `GET`, `PATCH`, `PUT` and `DELETE` of an upload. */
export async function serveUpload(exchange: Exchange, id: string): Promise<void> {
  const { request, response, content, repository } = exchange;
  const upload = await content.resumeUpload(repository, id);
  switch (request.method) {
    case 'GET':
      return replyEmpty(response, 204, statusOf(exchange, upload));
    case 'DELETE':
      await upload.cancel();
      return replyEmpty(response, 204);
    case 'PATCH':
      if (!(await receive(exchange, upload))) return;
      return replyEmpty(response, 202, statusOf(exchange, upload));
    default:
      return await complete(exchange, upload);
  }
}

async function complete(exchange: Exchange, upload: Upload): Promise<void> {
  const expected = parseDigestOf(exchange.query.get('digest') ?? '');
  if (!(await receive(exchange, upload))) return;
  try {
    await upload.commit(expected);
  } catch (error) {
    // More bytes cannot mend it.
    if (isDabbaError(error, 'InvalidArgument')) await upload.cancel();
    throw uploadError(error);
  }
  replyCreated(exchange, expected);
}

/** Appends the body. Answers 416 and false for a chunk that does not go on where the upload ends; the upload stays as it is. */
async function receive(exchange: Exchange, upload: Upload): Promise<boolean> {
  const { request, response } = exchange;
  const range = chunkRangeOf(request.headers['content-range']);
  if (range && range.start !== upload.sizeBytes) {
    replyEmpty(response, 416, statusOf(exchange, upload));
    return false;
  }
  const declared = request.headers['content-length'];
  if (range && declared !== undefined && Number(declared) !== range.end - range.start + 1)
    throw new RegistryError('RANGE_INVALID', `a chunk of ${declared} bytes cannot be ${range.start}-${range.end}`);
  try {
    await upload.append(bodyOf(request));
  } catch (error) {
    // The disk is full: give back what the upload holds, for nobody may come to finish it.
    if (isDabbaError(error, 'ResourceExhausted')) await upload.cancel();
    throw uploadError(error);
  }
  return true;
}

/** Two requests for one upload at once are the client's mistake, and not about a tag, as other conflicts are. */
function uploadError(error: unknown): unknown {
  if (!isDabbaError(error, 'Conflict')) return error;
  return new RegistryError('BLOB_UPLOAD_INVALID', error.message, { cause: error });
}

/** The digest if it could be mounted. A caller who may not pull from the source learns nothing of it: the push goes on as usual. */
async function mount(exchange: Exchange): Promise<Digest | undefined> {
  const { query, policy, host, caller, content, repository } = exchange;
  const [digestText, from] = [query.get('mount'), query.get('from')];
  if (digestText === null) return undefined;
  const digest = parseDigestOf(digestText);
  // Without `from`, only the repository itself is looked at: a blob elsewhere is none of the caller's business.
  const source = from === null ? repository : policy.resolve(host, from);
  if (!source) return undefined;
  try {
    await policy.authorize(caller, source, 'blob-get');
  } catch (error) {
    if (isDabbaError(error, 'PermissionDenied') || isDabbaError(error, 'Unauthenticated')) return undefined;
    throw error;
  }
  return (await content.mountBlob(repository, digest, source)) ? digest : undefined;
}

function statusOf({ name }: Exchange, upload: Upload): Headers {
  return {
    location: `/v2/${name}/blobs/uploads/${upload.id}`,
    range: `0-${Math.max(0, upload.sizeBytes - 1)}`,
    'docker-upload-uuid': upload.id,
  };
}

function replyCreated(exchange: Exchange, digest: Digest): void {
  exchange.note({ digest });
  replyEmpty(exchange.response, 201, {
    location: `/v2/${exchange.name}/blobs/${digest}`,
    'docker-content-digest': digest,
  });
}
