/** Short names for pod templates. Upstream hashes Go's memory dump; no client relies on the value, only on it being stable and safe in names. */
import { createHash } from 'node:crypto';

/** apimachinery `util/rand`, "SafeEncodeString": no vowels, no look-alikes. */
const alphabet = 'bcdfghjklmnpqrstvwxz2456789';

/** Ten characters for a JSON value; `collisions` gives another name to the same value. */
export function templateHash(value: unknown, collisions = 0): string {
  const digest = createHash('sha256').update(canonical(value)).update(`/${collisions}`).digest();
  return Array.from(digest.subarray(0, 10), (byte) => alphabet[byte % alphabet.length]).join('');
}

/** JSON with the names of each object in order. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) => {
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
