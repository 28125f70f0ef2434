import { closeSync, openSync, readSync } from 'node:fs';
import { DabbaError, systemCode } from '#base';
import {
  BLOCK_BYTES,
  HEADER_BYTES,
  MAX_RECORD_BYTES,
  type RecordHeader,
  blocksBytes,
  decodeRecord,
  recordHeader,
} from './journal-record.ts';
import type { Tables } from './tables.ts';
import type { Row, Tail } from './tail.ts';

/**
 * Gives SQLite what the journal has and it has not. May be repeated, and may be cut off anywhere: the journal stays as it is until SQLite was
 * synced, and revisions that SQLite has are passed over. Throws `DataLoss` when a revision between the two is missing, or the journal is damaged.
 */
export function recover(path: string, tables: Tables, tail: Tail): void {
  let { revision } = tables;
  for (const record of readJournal(path))
    for (const [next, rows] of Map.groupBy(record, ({ version }) => version.modRevision)) {
      if (next <= revision) continue;
      if (next > revision + 1)
        throw new DabbaError(
          'DataLoss',
          `${path} goes on with revision ${next}, but the database beside it ends with ${revision}`,
        );
      tail.append(next, rows);
      revision = next;
      if (tail.isLong) tables.take(() => undefined);
    }
  if (tail.length) tables.take(() => undefined);
}

/**
 * The records of the lap that the first block begins, up to the first that is not whole: that one was being written when the machine stopped,
 * and nobody was told. Throws `DataLoss` when there is another behind it. None if there is no journal.
 */
export function* readJournal(path: string): Generator<Row[], void, undefined> {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return;
    throw error;
  }
  try {
    yield* readLap(fd, path);
  } finally {
    closeSync(fd);
  }
}

function* readLap(fd: number, path: string): Generator<Row[], void, undefined> {
  const lap = headerAt(fd, 0)?.lap;
  if (!lap) return;
  let position = 0;
  for (let index = 0; ; index++) {
    const header = headerAt(fd, position);
    const isNext = header?.index === index && lap.equals(header.lap);
    const rows = isNext ? decodeRecord(read(fd, position, header.length)) : undefined;
    if (!rows) break;
    yield rows;
    position += blocksBytes(header!.length);
  }
  // Nothing but a record of this lap can hold its number.
  for (let at = position + BLOCK_BYTES; at <= position + MAX_RECORD_BYTES; at += BLOCK_BYTES)
    if (headerAt(fd, at)?.lap.equals(lap))
      throw new DabbaError('DataLoss', `${path} is damaged at byte ${position}: there is more behind it`);
}

function headerAt(fd: number, position: number): RecordHeader | undefined {
  const bytes = read(fd, position, HEADER_BYTES);
  return bytes.length < HEADER_BYTES ? undefined : recordHeader(bytes);
}

/** Fewer bytes than `length` at the end of the file. */
function read(fd: number, position: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  return bytes.subarray(0, readSync(fd, bytes, 0, length, position));
}
