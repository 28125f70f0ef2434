import { createHash, hash } from 'node:crypto';
import type { Brand } from './brand.ts';
import { DabbaError } from './errors.ts';

/** A content digest, `sha256:<64 hex>` or `sha512:<128 hex>` (OCI image specification, descriptors, "Digests"). */
export type Digest = Brand<string, 'Digest'>;

const forms = { sha256: /^[0-9a-f]{64}$/, sha512: /^[0-9a-f]{128}$/ } as const;
export type DigestAlgorithm = keyof typeof forms;

/** True if `text` is a well-formed digest of an algorithm we verify. */
export function isDigest(text: string): text is Digest {
  const colon = text.indexOf(':');
  const form = forms[text.slice(0, colon) as DigestAlgorithm] as RegExp | undefined;
  return form !== undefined && form.test(text.slice(colon + 1));
}

/** Throws `InvalidArgument` unless `text` is a well-formed digest. */
export function parseDigest(text: string): Digest {
  if (!isDigest(text)) throw new DabbaError('InvalidArgument', `"${text}" is not a sha256 or sha512 digest`);
  return text;
}

/** The digest of `bytes`. */
export function digestOf(bytes: Uint8Array | string, algorithm: DigestAlgorithm = 'sha256'): Digest {
  return `${algorithm}:${hash(algorithm, bytes, 'hex')}` as Digest;
}

/** The algorithm of a digest. */
export function algorithmOf(digest: Digest): DigestAlgorithm {
  return digest.slice(0, digest.indexOf(':')) as DigestAlgorithm;
}

/** The hexadecimal part of a digest. */
export function hexOf(digest: Digest): string {
  return digest.slice(digest.indexOf(':') + 1);
}

/** Hashes a stream of chunks into a digest. */
export class Digester {
  readonly #algorithm: DigestAlgorithm;
  readonly #hash;
  /** Bytes hashed so far. */
  sizeBytes = 0;

  constructor(algorithm: DigestAlgorithm = 'sha256') {
    this.#algorithm = algorithm;
    this.#hash = createHash(algorithm);
  }

  update(chunk: Uint8Array): void {
    this.sizeBytes += chunk.length;
    this.#hash.update(chunk);
  }

  /** Ends the computation; call once. */
  digest(): Digest {
    return `${this.#algorithm}:${this.#hash.digest('hex')}` as Digest;
  }
}
