import type { LogEntry } from '../engine.ts';

const [newline, space] = [0x0a, 0x20] as const;

/**
 * Parses whole lines of conmon's `k8s-file` log, which is the CRI log format: `RFC3339Nano stdout|stderr F|P text`. `position` is the byte
 * position of `bytes` in the file. Answers the entries and how many bytes were taken; an unfinished line is left for the next call.
 */
export function parseLog(
  bytes: Buffer,
  position: number,
): { readonly entries: readonly LogEntry[]; readonly taken: number } {
  const entries: LogEntry[] = [];
  let start = 0;
  for (let end = bytes.indexOf(newline); end >= 0; end = bytes.indexOf(newline, start)) {
    const entry = parseLine(bytes.subarray(start, end), position + end + 1);
    if (entry) entries.push(entry);
    start = end + 1;
  }
  return { entries, taken: start };
}

/** One line without its newline; undefined if it is none of ours. */
function parseLine(line: Buffer, nextPosition: number): LogEntry | undefined {
  const afterTime = line.indexOf(space);
  const afterStream = line.indexOf(space, afterTime + 1);
  const afterTag = line.indexOf(space, afterStream + 1);
  if (afterTime < 0 || afterStream < 0 || afterTag < 0) return undefined;
  const stream = line.toString('latin1', afterTime + 1, afterStream);
  const atNs = parseTimestamp(line.toString('latin1', 0, afterTime));
  if ((stream !== 'stdout' && stream !== 'stderr') || atNs === undefined) return undefined;
  const isPartial = line.toString('latin1', afterStream + 1, afterTag) === 'P';
  return { atNs, stream, data: line.subarray(afterTag + 1), isPartial, nextPosition };
}

/** Nanoseconds since the epoch of an RFC 3339 timestamp with up to nine decimals. */
export function parseTimestamp(text: string): bigint | undefined {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(text);
  if (!match) return undefined;
  const seconds = Date.parse(`${match[1]}${match[3]}`) / 1000;
  return BigInt(seconds) * 1_000_000_000n + BigInt((match[2] ?? '').padEnd(9, '0'));
}
