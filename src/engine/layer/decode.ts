import type { Digest } from '#base';
import { sniff } from './decompress.ts';
import { type Pieces, verified } from './verify.ts';

/** What the bytes of an archive are to be, as they come and decoded. */
export interface ExpectedDigests {
  readonly expectedDigest?: Digest | undefined;
  readonly expectedDiffId?: Digest | undefined;
}

/** The plain bytes of an archive that comes plain or compressed. Damage and other bytes than expected throw `InvalidArgument`. */
export async function decoded(
  source: AsyncIterable<Buffer>,
  { expectedDigest, expectedDiffId }: ExpectedDigests,
): Promise<Pieces> {
  const sniffed = await sniff(source);
  if (!sniffed.isCompressed) return verifiedPlain(sniffed.bytes, { expectedDigest, expectedDiffId });
  return verified(sniffed.decode(verified(sniffed.bytes, 'archive', expectedDigest)), 'plain archive', expectedDiffId);
}

/** The bytes of an archive that comes plain, and so has both digests at once. */
export function verifiedPlain(source: Pieces, { expectedDigest, expectedDiffId }: ExpectedDigests): Pieces {
  const verifying = verified(source, 'archive', expectedDigest);
  return expectedDigest === expectedDiffId ? verifying : verified(verifying, 'plain archive', expectedDiffId);
}
