import type { Digest } from '#base';
import { sniff } from './decompress.ts';
import { verified } from './verify.ts';

/** What the bytes of an archive are to be, as they come and decoded. */
export interface ExpectedDigests {
  readonly expectedDigest?: Digest;
  readonly expectedDiffId?: Digest;
}

/** The plain bytes of an archive that comes plain or compressed. Damage and other bytes than expected throw `InvalidArgument`. */
export async function decoded(
  source: AsyncIterable<Buffer>,
  { expectedDigest, expectedDiffId }: ExpectedDigests,
): Promise<AsyncIterable<Buffer>> {
  const sniffed = await sniff(source);
  const whole = sniffed.decode(verified(sniffed.bytes, 'archive', expectedDigest));
  // What came plain was hashed already if both digests are the same.
  const isDone = !sniffed.isCompressed && expectedDigest === expectedDiffId;
  return isDone ? whole : verified(whole, 'plain archive', expectedDiffId);
}
