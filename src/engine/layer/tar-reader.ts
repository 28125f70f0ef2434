import { DabbaError } from '#base';
import type { ByteName } from './names.ts';
import { type PaxRecords, paxAttributes, paxName, paxNumber, paxTime, readPax } from './pax.ts';
import { numberField, nameField, typeOf } from './tar-fields.ts';
import {
  blockBytes,
  checksumOf,
  field,
  noAttributes,
  noDevice,
  paddingOf,
  signedChecksumOf,
  type TarHeader,
  tarFault,
} from './tar-header.ts';

/** Receives an archive in order. For each member: `entry`, `data` for each piece of content, `entryEnd`. */
export interface TarHandler {
  entry(header: TarHeader): void;
  /** Valid only during the call. */
  data(chunk: Buffer): void;
  entryEnd(): void;
}

/** What an archive may ask of us before it is refused with `ResourceExhausted`. */
export interface TarLimits {
  readonly entries: number;
  /** Content of all members together. */
  readonly contentBytes: number;
  /** One extended header or long name. */
  readonly metadataBytes: number;
}

export const defaultTarLimits: TarLimits = {
  entries: 5_000_000,
  contentBytes: 512 * 1024 ** 3,
  metadataBytes: 1024 ** 2,
};

const longestName = 4096; // PATH_MAX
const zeroBlock = Buffer.alloc(blockBytes);

/**
 * Reads a tar archive that arrives in chunks of any size: ustar, pax (global headers too), GNU long names and links, base-256 numbers.
 * Malformed, truncated or sparse archives throw `InvalidArgument`. An archive may end without its two zero blocks, but only between
 * members: some layers in the wild do, and a layer cut short is caught by its digest. What follows the end is ignored.
 */
export class TarReader {
  readonly #handler: TarHandler;
  readonly #limits: TarLimits;
  #partial = Buffer.alloc(0);
  /** Bytes of content and padding still to come. */
  #content = 0;
  #padding = 0;
  /** Collects an extended header or long name. */
  #metadata: { readonly flag: string; readonly chunks: Buffer[] } | undefined;
  #global: PaxRecords = new Map();
  #local: PaxRecords | undefined;
  #longName: ByteName | undefined;
  #longLink: ByteName | undefined;
  #state: 'members' | 'zero block seen' | 'ended' = 'members';
  #offset = 0;
  #entries = 0;
  #contentTotal = 0;

  constructor(handler: TarHandler, limits: TarLimits = defaultTarLimits) {
    this.#handler = handler;
    this.#limits = limits;
  }

  /** Members seen so far. */
  get entries(): number {
    return this.#entries;
  }

  push(input: Buffer): void {
    let chunk = input;
    if (this.#partial.length > 0) {
      chunk = Buffer.concat([this.#partial, input]);
      this.#partial = Buffer.alloc(0);
    }
    let at = 0;
    while (at < chunk.length && this.#state !== 'ended') {
      if (this.#content > 0) at += this.#takeContent(chunk, at);
      else if (this.#padding > 0) {
        const skipped = Math.min(this.#padding, chunk.length - at);
        this.#padding -= skipped;
        this.#offset += skipped;
        at += skipped;
      } else if (chunk.length - at < blockBytes) {
        this.#partial = Buffer.from(chunk.subarray(at));
        return;
      } else {
        this.#header(chunk.subarray(at, at + blockBytes));
        at += blockBytes;
        this.#offset += blockBytes;
        if (this.#content === 0) this.#endOfContent();
      }
    }
  }

  /** Call once after the last chunk; throws if the archive stops in the middle of something. */
  end(): void {
    if (this.#state === 'ended') return;
    const isPending = this.#local !== undefined || this.#longName !== undefined || this.#longLink !== undefined;
    if (this.#content > 0 || this.#padding > 0 || this.#partial.length > 0 || isPending)
      throw tarFault(`it ends in the middle of a member, at byte ${this.#offset + this.#partial.length}`);
  }

  #takeContent(chunk: Buffer, at: number): number {
    const piece = chunk.subarray(at, at + Math.min(this.#content, chunk.length - at));
    if (this.#metadata) this.#metadata.chunks.push(Buffer.from(piece));
    else this.#handler.data(piece);
    this.#content -= piece.length;
    this.#offset += piece.length;
    if (this.#content === 0) this.#endOfContent();
    return piece.length;
  }

  #isInMember = false;

  #endOfContent(): void {
    if (this.#metadata) {
      const { flag, chunks } = this.#metadata;
      this.#metadata = undefined;
      this.#applyMetadata(flag, Buffer.concat(chunks));
    } else if (this.#isInMember) {
      this.#isInMember = false;
      this.#handler.entryEnd();
    }
  }

  #applyMetadata(flag: string, body: Buffer): void {
    switch (flag) {
      case 'x':
        this.#local = readPax(body, this.#local);
        return;
      case 'g':
        this.#global = readPax(body, this.#global);
        if (sizeOf(this.#global) > this.#limits.metadataBytes)
          throw new DabbaError('ResourceExhausted', 'tar archive: too many global extended header records');
        return;
      case 'L':
        this.#longName = nameField(body, [0, body.length]);
        return;
      case 'K':
        this.#longLink = nameField(body, [0, body.length]);
        return;
      default:
        return; // a volume label: nothing to keep
    }
  }

  #header(block: Buffer): void {
    if (block.equals(zeroBlock)) {
      this.#state = this.#state === 'members' ? 'zero block seen' : 'ended';
      return;
    }
    if (this.#state === 'zero block seen') throw tarFault(`a lone zero block before byte ${this.#offset}`);
    const stated = numberField(block, field.checksum);
    if (stated !== checksumOf(block) && stated !== signedChecksumOf(block))
      throw tarFault(`the header at byte ${this.#offset} fails its checksum`);

    const flag = String.fromCharCode(block[156]!);
    if ('xgLKV'.includes(flag)) {
      const size = numberField(block, field.size);
      if (size < 0) throw tarFault(`an extended header of ${size} bytes`);
      if (size > this.#limits.metadataBytes)
        throw new DabbaError('ResourceExhausted', `tar archive: an extended header of ${size} bytes`);
      this.#metadata = { flag, chunks: [] };
      this.#content = size;
      this.#padding = paddingOf(size);
      return;
    }
    this.#begin(this.#member(block, flag));
  }

  /** Joins a header block with the extended headers before it. */
  #member(block: Buffer, flag: string): TarHeader {
    const records = this.#records();
    const magic = block.toString('latin1', 257, 263);
    const prefix = magic === 'ustar\0' ? nameField(block, field.prefix) : '';
    const shortName = nameField(block, field.name);
    const name =
      (records && paxName(records, 'path')) ?? this.#longName ?? (prefix === '' ? shortName : `${prefix}/${shortName}`);
    const linkName = (records && paxName(records, 'linkpath')) ?? this.#longLink ?? nameField(block, field.linkName);
    this.#local = this.#longName = this.#longLink = undefined;
    for (const each of [name, linkName])
      if (each.length >= longestName || each.includes('\0')) throw tarFault('a name that is too long or holds NUL');
    const type = typeOf(flag, name);
    const isDevice = type === 'character' || type === 'block';
    const size = (records && paxNumber(records, 'size')) ?? numberField(block, field.size);
    if (size < 0) throw tarFault(`a member of ${size} bytes`);
    return {
      name,
      type,
      mode: numberField(block, field.mode) & 0o7777,
      uid: owner((records && paxNumber(records, 'uid')) ?? numberField(block, field.uid)),
      gid: owner((records && paxNumber(records, 'gid')) ?? numberField(block, field.gid)),
      sizeBytes: type === 'file' ? size : 0,
      modifiedAtNs: (records && paxTime(records)) ?? BigInt(numberField(block, field.mtime)) * 1_000_000_000n,
      linkName: type === 'hardlink' || type === 'symlink' ? linkName : '',
      device: isDevice
        ? { major: numberField(block, field.deviceMajor), minor: numberField(block, field.deviceMinor) }
        : noDevice,
      attributes: records ? paxAttributes(records) : noAttributes,
    };
  }

  #records(): PaxRecords | undefined {
    if (this.#global.size === 0 && this.#local === undefined) return undefined;
    const records = new Map([...this.#global, ...(this.#local ?? [])]);
    for (const key of records.keys())
      if (key.startsWith('GNU.sparse.')) throw tarFault('sparse members are not supported');
    return records;
  }

  #begin(header: TarHeader): void {
    this.#entries++;
    this.#contentTotal += header.sizeBytes;
    if (this.#entries > this.#limits.entries)
      throw new DabbaError('ResourceExhausted', `tar archive: more than ${this.#limits.entries} members`);
    if (this.#contentTotal > this.#limits.contentBytes)
      throw new DabbaError('ResourceExhausted', `tar archive: more than ${this.#limits.contentBytes} bytes of content`);
    this.#content = header.sizeBytes;
    this.#padding = paddingOf(header.sizeBytes);
    this.#isInMember = true;
    this.#handler.entry(header);
  }
}

function sizeOf(records: PaxRecords): number {
  let size = 0;
  for (const [key, value] of records) size += key.length + value.length;
  return size;
}

function owner(id: number): number {
  if (id < 0 || id >= 0xffffffff) throw tarFault(`owner ${id}`);
  return id;
}
