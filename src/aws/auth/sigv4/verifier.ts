import { createHmac, createSecretKey, timingSafeEqual, type KeyObject } from 'node:crypto';
import { stringToSign, type SignedRequest } from './canonical.ts';
import type { SignatureClaim } from './claim.ts';
import { SignatureFault } from './fault.ts';

/** How far a caller's clock may be off. */
const SKEW_MS = 15 * 60_000;
const MAX_SIGNING_KEYS = 4096;

export interface SigningSecret {
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/**
 * Checks AWS Signature Version 4, in header and presigned form. It holds the signing keys derived lately, as `KeyObject`s: deriving one costs
 * four HMACs, and an HMAC with a raw key costs five times one with a `KeyObject`.
 */
export class SignatureVerifier {
  readonly #keys = new Map<string, KeyObject>();

  /** Returns if `secret` made the claimed signature over this very request; otherwise throws `SignatureFault`. */
  verify(request: SignedRequest, claim: SignatureClaim, secret: SigningSecret, now: number): void {
    checkToken(claim, secret);
    checkTime(claim, now);
    checkScopeDate(claim);
    checkSignedHeaders(request, claim);
    checkPayloadDeclaration(request);
    const expected = createHmac('sha256', this.#signingKey(claim, secret.secretAccessKey))
      .update(stringToSign(request, claim))
      .digest();
    if (!timingSafeEqual(expected, Buffer.from(claim.signature, 'hex')))
      throw new SignatureFault(
        'mismatch',
        'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.',
      );
  }

  #signingKey(claim: SignatureClaim, secret: string): KeyObject {
    const id = `${secret}\n${claim.date}/${claim.region}/${claim.service}`;
    const known = this.#keys.get(id);
    if (known) return known;
    let key: string | Buffer = `AWS4${secret}`;
    for (const part of [claim.date, claim.region, claim.service, 'aws4_request'])
      key = createHmac('sha256', key).update(part).digest();
    const made = createSecretKey(key);
    if (this.#keys.size >= MAX_SIGNING_KEYS) this.#keys.delete(this.#keys.keys().next().value!);
    this.#keys.set(id, made);
    return made;
  }
}

function checkToken(claim: SignatureClaim, secret: SigningSecret): void {
  if (claim.sessionToken !== secret.sessionToken)
    throw new SignatureFault('wrong-token', 'The security token included in the request is invalid.');
}

function checkTime(claim: SignatureClaim, now: number): void {
  const isOld =
    claim.lifetimeMs === undefined ? now - claim.signedAt > SKEW_MS : now - claim.signedAt > claim.lifetimeMs;
  const oldest = now - (claim.lifetimeMs ?? SKEW_MS);
  const window = claim.lifetimeMs === undefined ? '15 min' : `${claim.lifetimeMs / 1000} s`;
  if (isOld)
    throw new SignatureFault(
      'expired',
      `Signature expired: ${claim.time} is now earlier than ${amzTime(oldest)} (${amzTime(now)} - ${window}.)`,
    );
  if (claim.signedAt - now > SKEW_MS)
    throw new SignatureFault(
      'expired',
      `Signature not yet current: ${claim.time} is still later than ${amzTime(now + SKEW_MS)} (${amzTime(now)} + 15 min.)`,
    );
}

function checkScopeDate(claim: SignatureClaim): void {
  if (claim.date !== claim.time.slice(0, 8))
    throw new SignatureFault(
      'wrong-scope',
      `Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '${claim.date}' != '${claim.time.slice(0, 8)}', from '${claim.time}'.`,
    );
}

/** `host` and every `x-amz-*` header must be signed, else somebody on the way could add a target or a token. */
function checkSignedHeaders(request: SignedRequest, claim: SignatureClaim): void {
  if (!claim.signedHeaders.includes('host'))
    throw new SignatureFault('mismatch', "'Host' must be a 'SignedHeader' in the AWS Authorization.");
  for (const name in request.headers)
    if (name.startsWith('x-amz-') && !claim.signedHeaders.includes(name))
      throw new SignatureFault('mismatch', `'${name}' must be a 'SignedHeader' in the AWS Authorization.`);
}

/**
 * The payload hash is always that of the body as read. A declared hash is signed, so a false one fails by itself; a declaration that is no hash
 * (`UNSIGNED-PAYLOAD`, `STREAMING-…`) would leave the body unproven, and none of our services has operations that may do so.
 */
function checkPayloadDeclaration(request: SignedRequest): void {
  const declared = request.headers['x-amz-content-sha256'];
  if (declared !== undefined && !/^[0-9a-f]{64}$/.test(declared.toString()))
    throw new SignatureFault(
      'mismatch',
      `x-amz-content-sha256 must be the SHA-256 of the payload, not "${declared.toString().slice(0, 60)}".`,
    );
}

function amzTime(at: number): string {
  return new Date(at).toISOString().replace(/[-:]|\.\d{3}/g, '');
}
