import { attributeKey, formatPaxTime, writePax } from './pax.ts';
import { blockBytes, checksumOf, type Field, field, paddingOf, type TarHeader, typeFlags } from './tar-header.ts';

/**
 * The header of a member as it stands in the archive: one ustar block, with a pax extended header before it for what ustar cannot say
 * (long or non-ASCII names, big numbers, fractions of seconds, attributes). Equal headers give equal bytes, always.
 */
export function encodeHeader(header: TarHeader): Buffer {
  const records = paxRecordsOf(header);
  const block = ustarBlock(header);
  if (records.size === 0) return block;
  const body = writePax(records);
  const extension = ustarBlock({
    ...header,
    name: `PaxHeaders.0/${header.name.slice(0, 80)}`,
    mode: 0o644,
    uid: 0,
    gid: 0,
    modifiedAtNs: 0n,
    sizeBytes: body.length,
    linkName: '',
    device: { major: 0, minor: 0 },
    type: 'file',
  });
  extension[field.type[0]] = 'x'.charCodeAt(0);
  seal(extension);
  return Buffer.concat([extension, body, Buffer.alloc(paddingOf(body.length)), block]);
}

/** Two zero blocks. */
export const endOfArchive: Buffer = Buffer.alloc(2 * blockBytes);

const largestOctal = 0o7777777;
const largestLongOctal = 0o77777777777;
const plain = /^[\x20-\x7e]*$/;

function paxRecordsOf(header: TarHeader): Map<string, Buffer> {
  const records = new Map<string, Buffer>();
  const put = (key: string, value: string) => records.set(key, Buffer.from(value, 'latin1'));
  if (!fits(header.name)) put('path', header.name);
  if (!fits(header.linkName)) put('linkpath', header.linkName);
  if (header.uid > largestOctal) put('uid', String(header.uid));
  if (header.gid > largestOctal) put('gid', String(header.gid));
  if (header.sizeBytes > largestLongOctal) put('size', String(header.sizeBytes));
  if (!isWholeSecond(header.modifiedAtNs)) put('mtime', formatPaxTime(header.modifiedAtNs));
  for (const [name, value] of header.attributes) records.set(attributeKey(name), value);
  return records;
}

function fits(name: string): boolean {
  return name.length <= field.name[1] && plain.test(name);
}

function isWholeSecond(atNs: bigint): boolean {
  return atNs >= 0n && atNs % 1_000_000_000n === 0n && atNs / 1_000_000_000n <= BigInt(largestLongOctal);
}

function ustarBlock(header: TarHeader): Buffer {
  const block = Buffer.alloc(blockBytes);
  const isWhole = isWholeSecond(header.modifiedAtNs);
  putName(block, field.name, header.name);
  putNumber(block, field.mode, header.mode);
  putNumber(block, field.uid, header.uid);
  putNumber(block, field.gid, header.gid);
  putNumber(block, field.size, header.sizeBytes);
  putNumber(block, field.mtime, isWhole ? Number(header.modifiedAtNs / 1_000_000_000n) : 0);
  block.write(typeFlags[header.type], field.type[0], 'latin1');
  putName(block, field.linkName, header.linkName);
  block.write('ustar\x0000', field.magic[0], 'latin1');
  putNumber(block, field.deviceMajor, header.device.major);
  putNumber(block, field.deviceMinor, header.device.minor);
  seal(block);
  return block;
}

/** What does not fit is said by the pax header; here it is only cut. */
function putName(block: Buffer, [offset, length]: Field, name: string): void {
  block.write(plain.test(name) ? name : name.replaceAll(/[^\x20-\x7e]/g, '?'), offset, length, 'latin1');
}

function putNumber(block: Buffer, [offset, length]: Field, value: number): void {
  const digits = value.toString(8).padStart(length - 1, '0');
  block.write(digits.length < length ? digits : '0'.repeat(length - 1), offset, 'latin1');
}

function seal(block: Buffer): void {
  const digits = checksumOf(block).toString(8).padStart(6, '0');
  block.write(`${digits}\0 `, field.checksum[0], 'latin1');
}
