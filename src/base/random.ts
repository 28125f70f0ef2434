import { randomBytes, randomUUID } from 'node:crypto';

/** Where randomness comes from, so that tests can fix it. */
export interface Random {
  /** A random RFC 9562 UUID, version 4. */
  uuid(): string;
  /** `length` lower-case hexadecimal digits. */
  hex(length: number): string;
  /** `length` characters drawn evenly from `alphabet` (2 to 256 characters). */
  text(length: number, alphabet: string): string;
  /** A float in [0, 1). */
  fraction(): number;
}

/** Cryptographically strong randomness of the machine. */
export const systemRandom: Random = {
  uuid: () => randomUUID(),
  hex: (length) =>
    randomBytes(Math.ceil(length / 2))
      .toString('hex')
      .slice(0, length),
  text(length, alphabet) {
    // Bytes at or above the last whole multiple would favour the first letters, so they are drawn again.
    const limit = 256 - (256 % alphabet.length);
    let out = '';
    while (out.length < length)
      for (const byte of randomBytes(length))
        if (byte < limit && out.length < length) out += alphabet[byte % alphabet.length];
    return out;
  },
  fraction: () => randomBytes(4).readUInt32BE() / 2 ** 32,
};
