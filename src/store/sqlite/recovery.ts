import { closeSync, openSync, readSync } from 'node:fs';
import { DabbaError, systemCode } from '#base';
import { BLOCK_BYTES, decodeRecord, recordHeader } from './journal-record.ts';
import type { Tables } from './tables.ts';
import type { Row, Tail } from './tail.ts';

/**
 * Gives SQLite what the journal has and it has not. May be repeated, and may be cut off anywhere: the journal stays as it is until SQLite was
 * synced, and revisions that SQLite has are passed over. Throws `DataLoss` when a revision between the two is missing.
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

/** The records of the lap that the first block begins, up to the first that is not whole or not of this lap. None if there is no journal. */
export function* readJournal(path: string): Generator<Row[], void, undefined> {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return;
    throw error;
  }
  try {
    yield* readLap(fd);
  } finally {
    closeSync(fd);
  }
}

function* readLap(fd: number): Generator<Row[], void, undefined> {
  const block = Buffer.alloc(BLOCK_BYTES);
  let lap: Buffer | undefined;
  let position = 0;
  for (let index = 0; ; index++) {
    if (readSync(fd, block, 0, BLOCK_BYTES, position) < BLOCK_BYTES) return;
    const header = recordHeader(block);
    if (header?.index !== index) return;
    lap ??= Buffer.from(header.lap);
    if (!lap.equals(header.lap)) return;
    const record = Buffer.alloc(header.length);
    if (readSync(fd, record, 0, record.length, position) < record.length) return;
    const rows = decodeRecord(record);
    if (!rows) return;
    yield rows;
    position += Math.ceil(record.length / BLOCK_BYTES) * BLOCK_BYTES;
  }
}
