/** Writes answers. */
import { once } from 'node:events';
import { stringify } from 'yaml';
import { isDabbaError, type Logger, messageOf } from '#base';
import { type KubernetesObject, parseApiVersion } from '../../object.ts';
import { envelope } from '../../schema/protobuf-encode.ts';
import type { Schemas } from '../../schema/schema.ts';
import { StatusError } from '../../status.ts';
import type { Exchange } from './exchange.ts';
import { type Negotiated, negotiate } from './negotiate.ts';

/** Bytes handed to the socket at once. */
const CHUNK_BYTES = 256 * 1024;

const json: Pick<Negotiated, 'form' | 'contentType'> = { form: 'json', contentType: 'application/json' };

export function sendObject(
  exchange: Exchange,
  object: object,
  { code = 200, as = json }: { readonly code?: number; readonly as?: Pick<Negotiated, 'form' | 'contentType'> } = {},
): void {
  sendBytes(exchange, bytesOf(exchange, object, as.form), { code, contentType: as.contentType });
}

function bytesOf({ schemas }: Exchange, object: object, form: Negotiated['form']): Buffer {
  if (form === 'protobuf') return enveloped(schemas, object);
  return Buffer.from(form === 'yaml' ? stringify(object) : `${JSON.stringify(object)}\n`);
}

export type NamedKind = Pick<KubernetesObject, 'kind' | 'apiVersion'>;

/** An object that names its kind, in protobuf. */
export function enveloped(schemas: Schemas, object: NamedKind): Buffer {
  const kind = { ...parseApiVersion(object.apiVersion ?? 'v1'), kind: object.kind ?? '' };
  return envelope(kind, schemas.protobufField(kind, object));
}

export function sendBytes(
  exchange: Exchange,
  bytes: Buffer,
  { code = 200, contentType = 'application/json' }: { readonly code?: number; readonly contentType?: string } = {},
): void {
  const { response, request } = exchange;
  if (response.headersSent || response.destroyed) return;
  writeWarnings(exchange);
  response.writeHead(code, { 'content-type': contentType, 'content-length': bytes.length });
  response.end(request.method === 'HEAD' ? undefined : bytes);
}

/** Writes pieces as they come, no faster than the client takes them. */
export async function sendPieces(exchange: Exchange, pieces: Iterable<Buffer>, contentType: string): Promise<void> {
  const { response } = exchange;
  writeWarnings(exchange);
  response.writeHead(200, { 'content-type': contentType });
  let waiting: Buffer[] = [];
  let size = 0;
  const flush = async () => {
    const isTaken = response.write(Buffer.concat(waiting, size));
    waiting = [];
    size = 0;
    if (!isTaken) await once(response, 'drain', { signal: exchange.signal });
  };
  for (const piece of pieces) {
    waiting.push(piece);
    size += piece.length;
    if (size >= CHUNK_BYTES) await flush();
  }
  response.end(Buffer.concat(waiting, size));
}

/** `Warning: 299 - "…"` for each. Source: RFC 7234 section 5.5 as apiserver `warning.AddWarning` writes it. */
function writeWarnings({ response, warnings }: Exchange): void {
  if (!warnings.size) return;
  const quoted = [...warnings].map(
    (text) => `299 - "${text.replaceAll(/[^\x20-\x7e]/g, ' ').replaceAll(/["\\]/g, '\\$&')}"`,
  );
  response.setHeader('warning', quoted);
}

/** The one table from whatever was thrown to what a client is told. */
export function sendError(exchange: Exchange, error: unknown, logger: Logger): void {
  const refused = refusalOf(error);
  if (refused.code >= 500 && !exchange.signal.aborted)
    logger.error('a request to a cluster failed', {
      method: exchange.request.method ?? '',
      path: exchange.url.pathname,
      error: error instanceof StatusError ? error.message : ((error as Error | undefined)?.stack ?? messageOf(error)),
    });
  // Half an answer cannot become another one: the connection ends.
  if (exchange.response.headersSent) return;
  if (refused.code === 429 || refused.details?.retryAfterSeconds)
    exchange.response.setHeader('retry-after', String(refused.details?.retryAfterSeconds ?? 1));
  if (refused.reason === 'Unauthorized')
    exchange.response.setHeader('www-authenticate', 'Basic realm="kubernetes-master"');
  sendObject(exchange, refused.toStatus(), { code: refused.code, as: formOfRefusal(exchange) });
}

/** Who takes no form that is known is told in JSON why. */
function formOfRefusal({ request }: Exchange): Pick<Negotiated, 'form' | 'contentType'> {
  try {
    const as = negotiate(request.headers.accept, true);
    return as.form === 'protobuf' ? as : json;
  } catch {
    return json;
  }
}

/** A failure as a refusal of the API. */
export function refusalOf(error: unknown): StatusError {
  if (error instanceof StatusError) return error;
  if (isDabbaError(error, 'Unavailable')) return new StatusError('ServiceUnavailable', error.message, { cause: error });
  if (isDabbaError(error, 'ResourceExhausted'))
    return new StatusError('ServiceUnavailable', error.message, { cause: error });
  if (isDabbaError(error, 'InvalidArgument')) return new StatusError('BadRequest', error.message, { cause: error });
  if (isDabbaError(error, 'Unauthenticated')) return new StatusError('Unauthorized', 'Unauthorized', { cause: error });
  return new StatusError('InternalError', `Internal error occurred: ${messageOf(error)}`, { cause: error });
}
