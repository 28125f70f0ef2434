import { RegistryError } from './errors.ts';

/** Part of a blob; `end` is the last byte. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * The part that a `Range` header asks for; undefined for the whole: no header, several ranges, or a unit we do not know (RFC 9110, section
 * 14.2, allows to ignore those). Throws `RANGE_INVALID` where nothing of the blob is in it.
 */
export function rangeOf(header: string | undefined, sizeBytes: number): ByteRange | undefined {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(header ?? '') ?? [];
  if (first === undefined || last === undefined || first + last === '') return undefined;
  const isSuffix = first === '';
  const start = isSuffix ? Math.max(0, sizeBytes - Number(last)) : Number(first);
  const end = isSuffix || last === '' ? sizeBytes - 1 : Math.min(Number(last), sizeBytes - 1);
  if (start > end)
    throw new RegistryError('RANGE_INVALID', `range "${header}" lies outside of the blob's ${sizeBytes} bytes`);
  return { start, end };
}

/** The bytes that a chunk's `Content-Range` says it holds, `<start>-<end>`; undefined without the header. Throws `RANGE_INVALID`. */
export function chunkRangeOf(header: string | undefined): ByteRange | undefined {
  if (header === undefined) return undefined;
  const [, first, last] = /^(?:bytes )?(\d+)-(\d+)(?:\/.*)?$/.exec(header) ?? [];
  const range = { start: Number(first), end: Number(last) };
  if (first === undefined || range.end < range.start)
    throw new RegistryError('RANGE_INVALID', `content range "${header}" is not <start>-<end>`);
  return range;
}
