import { createHmac, timingSafeEqual, type BinaryLike } from 'node:crypto';

/** Amazon EC2 User Guide, "Use the Instance Metadata Service": from one second to six hours. */
const MAX_TTL_S = 21_600;

/** Session tokens of IMDSv2. They are not kept: each says itself until when it is good, and for which instance. */
export class MetadataTokens {
  readonly #key: BinaryLike;
  readonly #now: () => number;

  /** Tokens of another key, such as an earlier process', are no good; SDKs then ask for new ones. */
  constructor(key: BinaryLike, now: () => number) {
    this.#key = key;
    this.#now = now;
  }

  /** Undefined for a lifetime that is no number of seconds between 1 and 21600. */
  issue(instanceId: string, ttl: string | undefined): { readonly token: string; readonly ttlS: number } | undefined {
    const ttlS = /^\d{1,5}$/.test(ttl ?? '') ? Number(ttl) : 0;
    if (ttlS < 1 || ttlS > MAX_TTL_S) return undefined;
    const expiry = Buffer.alloc(6);
    expiry.writeUIntBE(this.#now() + ttlS * 1000, 0, 6);
    return { token: Buffer.concat([expiry, this.#sign(instanceId, expiry)]).toString('base64url') + '==', ttlS };
  }

  /** The seconds that a token is still good for; undefined when it is not, or never was. */
  secondsLeft(instanceId: string, token: string): number | undefined {
    const bytes = Buffer.from(token, 'base64url');
    if (bytes.length !== 6 + 32) return undefined;
    const expiry = bytes.subarray(0, 6);
    if (!timingSafeEqual(bytes.subarray(6), this.#sign(instanceId, expiry))) return undefined;
    const leftMs = expiry.readUIntBE(0, 6) - this.#now();
    return leftMs > 0 ? Math.ceil(leftMs / 1000) : undefined;
  }

  #sign(instanceId: string, expiry: Buffer): Buffer {
    return createHmac('sha256', this.#key).update(instanceId).update(expiry).digest();
  }
}
