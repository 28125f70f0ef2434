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
  const lost = newestRevision(path);
  if (lost > revision)
    throw new DabbaError(
      'DataLoss',
      `${path} is damaged at its beginning: it holds changes up to revision ${lost}, but the database beside it ends with ${revision} and those between cannot be read. Restore both from a copy, or move the journal away to go on without them`,
    );
}

/**
 * The last revision of any whole record in the file, wherever it lies. What earlier laps left was given to SQLite before the next began, so one that
 * SQLite lacks means that the beginning of its lap is gone. 0 if there is none.
 */
function newestRevision(path: string): number {
  const fd = openJournal(path);
  if (fd === undefined) return 0;
  try {
    let newest = 0;
    for (let at = 0, header = headerAt(fd, at); header !== 'end'; at += BLOCK_BYTES, header = headerAt(fd, at))
      for (const { version } of (header && decodeRecord(read(fd, at, header.length))) ?? [])
        newest = Math.max(newest, version.modRevision);
    return newest;
  } finally {
    closeSync(fd);
  }
}

/**
 * The records of the lap that the first block begins, up to the first that is not whole: that one was being written when the machine stopped,
 * and nobody was told. Throws `DataLoss` when there is another behind it. None if there is no journal.
 */
export function* readJournal(path: string): Generator<Row[], void, undefined> {
  const fd = openJournal(path);
  if (fd === undefined) return;
  try {
    yield* readLap(fd, path);
  } finally {
    closeSync(fd);
  }
}

function openJournal(path: string): number | undefined {
  try {
    return openSync(path, 'r');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function* readLap(fd: number, path: string): Generator<Row[], void, undefined> {
  const first = headerAt(fd, 0);
  if (!first || first === 'end') return;
  const { lap } = first;
  let position = 0;
  for (let index = 0; ; index++) {
    const header = headerAt(fd, position);
    if (!header || header === 'end' || header.index !== index || !lap.equals(header.lap)) break;
    const rows = decodeRecord(read(fd, position, header.length));
    if (!rows) break;
    yield rows;
    position += blocksBytes(header.length);
  }
  // Nothing but a record of this lap can hold its number.
  for (let at = position + BLOCK_BYTES; at <= position + MAX_RECORD_BYTES; at += BLOCK_BYTES) {
    const header = headerAt(fd, at);
    if (header && header !== 'end' && header.lap.equals(lap))
      throw new DabbaError('DataLoss', `${path} is damaged at byte ${position}: there is more behind it`);
  }
}

/** Undefined for what can be no record; `end` at the end of the file. */
function headerAt(fd: number, position: number): RecordHeader | undefined | 'end' {
  const bytes = read(fd, position, HEADER_BYTES);
  return bytes.length < HEADER_BYTES ? 'end' : recordHeader(bytes);
}

/** Fewer bytes than `length` at the end of the file. */
function read(fd: number, position: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  return bytes.subarray(0, readSync(fd, bytes, 0, length, position));
}
