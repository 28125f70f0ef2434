import { crc32 } from 'node:zlib';
import type { Row } from './tail.ts';

/** Records begin at multiples of this: what a disk writes as one, and what writing past the page cache asks for. */
export const BLOCK_BYTES = 4096;
/** The largest record, with its padding; a group of changes that needs more does not go through the journal. */
export const MAX_RECORD_BYTES = 1024 * 1024;
export const LAP_BYTES = 16;

/** Where a record stands: in which lap of the journal, and as which of its records. */
export interface Place {
  /** `LAP_BYTES` random bytes. */
  readonly lap: Uint8Array;
  readonly index: number;
}

/** What a record says of itself. */
export interface RecordHeader extends Place {
  readonly lap: Buffer;
  readonly length: number;
}

/*
 * A record, little-endian:
 *    0  u32  CRC-32 of the bytes from 4 to its end
 *    4  u32  length
 *    8  16   lap
 *   24  u32  index in the lap
 *   28  u32  number of rows
 *   32       rows
 * A row:
 *    0  u48  modRevision
 *    6  u32  place
 *   10  u48  createRevision (0: the key was deleted)
 *   16  u48  version
 *   22  u16  length of the lease's id (0: no lease)
 *   24  u32  length of the key
 *   28  u32  length of the value
 *   32       lease, key, value
 */
export const HEADER_BYTES = 32;
const ROW_BYTES = 32;
const MAX_LEASE_BYTES = 0xffff;

/** Writes a record at the beginning of `buffer` and returns its length; undefined if it may not fit. */
export function encodeRecord(buffer: Buffer, rows: readonly Row[], { lap, index }: Place): number | undefined {
  if (!fits(rows, buffer.length)) return undefined;
  buffer.set(lap, 8);
  buffer.writeUInt32LE(index, 24);
  buffer.writeUInt32LE(rows.length, 28);
  let at = HEADER_BYTES;
  for (const row of rows) at = encodeRow(buffer, at, row);
  buffer.writeUInt32LE(at, 4);
  buffer.writeUInt32LE(crc32(buffer.subarray(4, at)), 0);
  return at;
}

function fits(rows: readonly Row[], sizeBytes: number): boolean {
  let most = HEADER_BYTES;
  for (const { key, version, value } of rows) {
    const leaseBytes = (version.leaseId?.length ?? 0) * 3;
    if (leaseBytes > MAX_LEASE_BYTES) return false;
    // A unit of UTF-16 takes three bytes of UTF-8 at most.
    most += ROW_BYTES + leaseBytes + key.length * 3 + (value?.length ?? 0);
  }
  return most <= sizeBytes;
}

function encodeRow(buffer: Buffer, start: number, { key, version, value }: Row): number {
  let at = start + ROW_BYTES;
  const leaseBytes = version.leaseId === undefined ? 0 : buffer.write(version.leaseId, at);
  at += leaseBytes;
  const keyBytes = buffer.write(key, at);
  at += keyBytes;
  if (value) buffer.set(value, at);
  buffer.writeUIntLE(version.modRevision, start, 6);
  buffer.writeUInt32LE(version.place, start + 6);
  buffer.writeUIntLE(version.createRevision, start + 10, 6);
  buffer.writeUIntLE(version.version, start + 16, 6);
  buffer.writeUInt16LE(leaseBytes, start + 22);
  buffer.writeUInt32LE(keyBytes, start + 24);
  buffer.writeUInt32LE(value?.length ?? 0, start + 28);
  return at + (value?.length ?? 0);
}

/** What a record of `length` bytes takes in the file. */
export function blocksBytes(length: number): number {
  return Math.ceil(length / BLOCK_BYTES) * BLOCK_BYTES;
}

/** What the first `HEADER_BYTES` of a record say of the whole; undefined if none can begin so. Nothing of it is verified. */
export function recordHeader(bytes: Buffer): RecordHeader | undefined {
  const length = bytes.readUInt32LE(4);
  if (length < HEADER_BYTES || length > MAX_RECORD_BYTES) return undefined;
  return { length, lap: bytes.subarray(8, 8 + LAP_BYTES), index: bytes.readUInt32LE(24) };
}

/** The rows of a record; undefined unless it is whole, as it was written. */
export function decodeRecord(record: Buffer): Row[] | undefined {
  // The end of the file may be in the middle of it.
  if (record.length < HEADER_BYTES || record.length !== record.readUInt32LE(4)) return undefined;
  if (crc32(record.subarray(4)) !== record.readUInt32LE(0)) return undefined;
  const rows: Row[] = [];
  let at = HEADER_BYTES;
  for (let left = record.readUInt32LE(28); left > 0; left--) {
    const leaseAt = at + ROW_BYTES;
    const keyAt = leaseAt + record.readUInt16LE(at + 22);
    const valueAt = keyAt + record.readUInt32LE(at + 24);
    const end = valueAt + record.readUInt32LE(at + 28);
    const createRevision = record.readUIntLE(at + 10, 6);
    rows.push({
      key: record.toString('utf8', keyAt, valueAt),
      version: {
        modRevision: record.readUIntLE(at, 6),
        place: record.readUInt32LE(at + 6),
        createRevision,
        version: record.readUIntLE(at + 16, 6),
        leaseId: keyAt > leaseAt ? record.toString('utf8', leaseAt, keyAt) : undefined,
      },
      value: createRevision === 0 ? undefined : record.subarray(valueAt, end),
    });
    at = end;
  }
  return rows;
}
