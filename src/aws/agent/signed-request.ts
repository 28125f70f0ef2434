import { createHmac } from 'node:crypto';
import type { OutgoingHttpHeaders } from 'node:http';
import { stringToSign } from '../auth/sigv4/canonical.ts';
import type { SignatureClaim } from '../auth/sigv4/claim.ts';

/** Keys of a session. */
export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

export interface UnsignedRequest {
  readonly service: string;
  readonly region: string;
  /** Lower-case names, `host` among them. All are signed. */
  readonly headers: { readonly [name: string]: string };
  readonly body: Buffer;
}

/** The headers of a `POST /` with its signature (AWS Signature Version 4, "Authorization header"). */
export function signedHeaders(request: UnsignedRequest, credentials: Credentials, now: number): OutgoingHttpHeaders {
  const time = new Date(now).toISOString().replaceAll(/[-:]|\.\d{3}/g, '');
  const headers: { readonly [name: string]: string } = {
    ...request.headers,
    'x-amz-date': time,
    'x-amz-security-token': credentials.sessionToken,
  };
  const claim: SignatureClaim = {
    form: 'header',
    accessKeyId: credentials.accessKeyId,
    date: time.slice(0, 8),
    region: request.region,
    service: request.service,
    signedHeaders: Object.keys(headers).sort(),
    signature: '',
    time,
    signedAt: now,
    sessionToken: credentials.sessionToken,
    lifetimeMs: undefined,
  };
  const text = stringToSign({ method: 'POST', path: '/', query: '', headers, body: request.body }, claim);
  const signature = createHmac('sha256', signingKey(claim, credentials)).update(text).digest('hex');
  const credential = [claim.accessKeyId, claim.date, claim.region, claim.service, 'aws4_request'].join('/');
  return {
    ...headers,
    'content-length': request.body.length,
    authorization: `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${claim.signedHeaders.join(';')}, Signature=${signature}`,
  };
}

function signingKey({ date, region, service }: SignatureClaim, { secretAccessKey }: Credentials): Buffer {
  const hmac = (key: string | Buffer, part: string) => createHmac('sha256', key).update(part).digest();
  return [region, service, 'aws4_request'].reduce(hmac, hmac(`AWS4${secretAccessKey}`, date));
}
