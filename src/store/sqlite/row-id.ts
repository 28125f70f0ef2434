import type { Version } from './key-index.ts';

/** Bits of a row id that hold the place within the revision: a million changes in one transaction. */
export const PLACE_BITS = 20n;
export const LAST_PLACE = 2 ** Number(PLACE_BITS) - 1;

/** The id of the row that made `version`. Ids are in the order of the changes, and may not fit a JavaScript number. */
export function idOf({ modRevision, place }: Pick<Version, 'modRevision' | 'place'>): bigint {
  return (BigInt(modRevision) << PLACE_BITS) | BigInt(place);
}
