import type { IncomingHttpHeaders } from 'node:http';
import { SignatureFault } from './fault.ts';

/** What a request says of its own signature. Nothing of it is proven. */
export interface SignatureClaim {
  readonly form: 'header' | 'presigned';
  readonly accessKeyId: string;
  /** The credential scope: day (`20260102`), region, service. */
  readonly date: string;
  readonly region: string;
  readonly service: string;
  /** Lower-case header names, as signed. */
  readonly signedHeaders: readonly string[];
  /** 64 hexadecimal digits. */
  readonly signature: string;
  /** `20260102T030405Z` as sent, and in milliseconds since the epoch. */
  readonly time: string;
  readonly signedAt: number;
  readonly sessionToken: string | undefined;
  /** How long a presigned URL is good for. */
  readonly lifetimeMs: number | undefined;
}

const ALGORITHM = 'AWS4-HMAC-SHA256';
const MAX_PRESIGNED_SECONDS = 7 * 24 * 3600;
const authorizationForm =
  /^AWS4-HMAC-SHA256\s+Credential=([^,\s]+)\s*,\s*SignedHeaders=([^,\s]+)\s*,\s*Signature=([^,\s]+)\s*$/;

/** The claim of a request; undefined when it carries no signature. Throws `SignatureFault` `incomplete` when it is malformed. */
export function readClaim(headers: IncomingHttpHeaders, query: string): SignatureClaim | undefined {
  const authorization = headers.authorization;
  if (authorization !== undefined) return headerClaim(authorization, headers);
  return query.includes('X-Amz-') ? presignedClaim(new URLSearchParams(query)) : undefined;
}

function headerClaim(authorization: string, headers: IncomingHttpHeaders): SignatureClaim {
  const match = authorizationForm.exec(authorization);
  if (!match)
    throw incomplete(
      `The Authorization header is not of the form "${ALGORITHM} Credential=…, SignedHeaders=…, Signature=…".`,
    );
  const [, credential = '', signedHeaders = '', signature = ''] = match;
  return {
    form: 'header',
    ...scopeOf(credential),
    ...timeOf(headers['x-amz-date']?.toString()),
    signedHeaders: signedHeaders.split(';'),
    signature: signatureOf(signature),
    sessionToken: headers['x-amz-security-token']?.toString(),
    lifetimeMs: undefined,
  };
}

function presignedClaim(query: URLSearchParams): SignatureClaim | undefined {
  const credential = query.get('X-Amz-Credential');
  const signature = query.get('X-Amz-Signature');
  if (credential === null && signature === null) return undefined;
  if (query.get('X-Amz-Algorithm') !== ALGORITHM) throw incomplete(`X-Amz-Algorithm must be ${ALGORITHM}.`);
  const seconds = Number(query.get('X-Amz-Expires') ?? Number.NaN);
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > MAX_PRESIGNED_SECONDS)
    throw incomplete(`X-Amz-Expires must be between 1 and ${MAX_PRESIGNED_SECONDS} seconds.`);
  return {
    form: 'presigned',
    ...scopeOf(credential ?? ''),
    ...timeOf(query.get('X-Amz-Date') ?? undefined),
    signedHeaders: (query.get('X-Amz-SignedHeaders') ?? '').split(';'),
    signature: signatureOf(signature ?? ''),
    sessionToken: query.get('X-Amz-Security-Token') ?? undefined,
    lifetimeMs: seconds * 1000,
  };
}

function scopeOf(credential: string): Pick<SignatureClaim, 'accessKeyId' | 'date' | 'region' | 'service'> {
  const [accessKeyId, date, region, service, terminator, ...rest] = credential.split('/');
  if (!accessKeyId || !date || !region || !service || terminator !== 'aws4_request' || rest.length)
    throw incomplete('Credential must be "<access key id>/<date>/<region>/<service>/aws4_request".');
  return { accessKeyId, date, region, service };
}

function timeOf(time: string | undefined): Pick<SignatureClaim, 'time' | 'signedAt'> {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(time ?? '');
  if (!time || !match) throw incomplete('X-Amz-Date must be present, as YYYYMMDDTHHMMSSZ.');
  const [year, month, day, hour, minute, second] = match.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  return { time, signedAt: Date.UTC(year, month - 1, day, hour, minute, second) };
}

function signatureOf(signature: string): string {
  if (!/^[0-9a-f]{64}$/.test(signature)) throw incomplete('Signature must be 64 lower-case hexadecimal digits.');
  return signature;
}

function incomplete(message: string): SignatureFault {
  return new SignatureFault('incomplete', message);
}
