import { hash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { SignatureClaim } from './claim.ts';

/** The parts of a request that a signature covers. */
export interface SignedRequest {
  readonly method: string;
  /** As sent: percent-encoded, without the query. */
  readonly path: string;
  /** Without the `?`. */
  readonly query: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** The string that the signature is made of (AWS Signature Version 4, "Create a string to sign"). */
export function stringToSign(request: SignedRequest, claim: SignatureClaim): string {
  const scope = `${claim.date}/${claim.region}/${claim.service}/aws4_request`;
  return `AWS4-HMAC-SHA256\n${claim.time}\n${scope}\n${sha256(canonicalRequest(request, claim))}`;
}

function canonicalRequest(request: SignedRequest, claim: SignatureClaim): string {
  let headers = '';
  for (const name of claim.signedHeaders) headers += `${name}:${headerValue(request.headers[name])}\n`;
  const query = canonicalQuery(request.query, claim.form === 'presigned');
  return `${request.method}\n${canonicalPath(request.path)}\n${query}\n${headers}\n${claim.signedHeaders.join(';')}\n${sha256(request.body)}`;
}

function headerValue(value: string | string[] | undefined): string {
  const text = typeof value === 'string' ? value : (value ?? []).join(',');
  return text.includes('  ') ? text.trim().replace(/ +/g, ' ') : text.trim();
}

/** Every segment is encoded once more than it was on the wire, as all services but S3 do. */
function canonicalPath(path: string): string {
  return path === '/' || path === '' ? '/' : path.split('/').map(encode).join('/');
}

function canonicalQuery(query: string, isPresigned: boolean): string {
  if (!query) return '';
  const pairs: [string, string][] = [];
  for (const part of query.split('&')) {
    if (!part) continue;
    const equals = part.indexOf('=');
    const name = decode(equals < 0 ? part : part.slice(0, equals));
    if (isPresigned && name === 'X-Amz-Signature') continue;
    pairs.push([encode(name), encode(equals < 0 ? '' : decode(part.slice(equals + 1)))]);
  }
  return pairs
    .sort((first, second) => compare(first[0], second[0]) || compare(first[1], second[1]))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
}

function compare(first: string, second: string): number {
  return first < second ? -1 : first > second ? 1 : 0;
}

/** RFC 3986: everything but unreserved characters. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** Text that is not well encoded stays as it is; its signature will then not match what a client meant. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch (error) {
    if (error instanceof URIError) return text;
    throw error;
  }
}

function sha256(data: string | Buffer): string {
  return hash('sha256', data, 'hex');
}
