import { closeSync, constants, fdatasyncSync, fstatSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { systemCode } from '#base';
import { BLOCK_BYTES } from './journal-record.ts';

const { O_RDWR, O_CREAT, O_DSYNC, O_DIRECT } = constants;
/** Buffers of this process lie at multiples of this, at least. */
const ADDRESS_STEP_BYTES = 16;

/** A file open for writing, and the memory it is written from. */
export interface DurableFile {
  /** Every write returns when its data is on the disk. */
  readonly fd: number;
  readonly buffer: Buffer;
}

/** Makes the file, or makes it longer, of zeros that are on the disk, so that no later write has to allocate. False if there is no room: then it is as it was. */
export function preallocate(path: string, sizeBytes: number): boolean {
  const fd = openSync(path, O_RDWR | O_CREAT, 0o600);
  const before = fstatSync(fd).size;
  try {
    const zeros = Buffer.alloc(Math.min(sizeBytes, 64 * BLOCK_BYTES));
    for (let at = before; at < sizeBytes;) at += writeSync(fd, zeros, 0, Math.min(zeros.length, sizeBytes - at), at);
    fdatasyncSync(fd);
    return true;
  } catch (error) {
    if (systemCode(error) !== 'ENOSPC') throw error;
    ftruncateSync(fd, before);
    return false;
  } finally {
    closeSync(fd);
  }
}

/** Opens a file whose first block may be overwritten: past the page cache where the file system allows it, which saves a fifth of the time. */
export function openDurable(path: string, bufferBytes: number): DurableFile {
  const memory = new ArrayBuffer(bufferBytes + BLOCK_BYTES);
  const direct = openDirect(path);
  if (direct !== undefined) {
    const buffer = alignedBuffer(direct, memory, bufferBytes);
    if (buffer) return { fd: direct, buffer };
    closeSync(direct);
  }
  return { fd: openSync(path, O_RDWR | O_DSYNC), buffer: Buffer.from(memory, 0, bufferBytes) };
}

function openDirect(path: string): number | undefined {
  try {
    return openSync(path, O_RDWR | O_DSYNC | O_DIRECT);
  } catch (error) {
    if (systemCode(error) !== 'EINVAL') throw error;
    return undefined;
  }
}

/** Direct writes want memory at a multiple of the disk's sector. JavaScript does not see addresses, so the kernel is asked, by writing zeros. */
function alignedBuffer(fd: number, memory: ArrayBuffer, bufferBytes: number): Buffer | undefined {
  for (let offset = 0; offset < BLOCK_BYTES; offset += ADDRESS_STEP_BYTES)
    try {
      writeSync(fd, new Uint8Array(memory, offset, BLOCK_BYTES), 0, BLOCK_BYTES, 0);
      return Buffer.from(memory, offset, bufferBytes);
    } catch (error) {
      if (systemCode(error) !== 'EINVAL') throw error;
    }
  return undefined;
}
