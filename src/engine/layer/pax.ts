import type { ByteName } from './names.ts';
import { tarFault } from './tar-header.ts';

/** Extended header records by key (POSIX.1-2017 pax, "pax Extended Header"); the values are bytes. */
export type PaxRecords = Map<string, Buffer>;

const attributePrefix = 'SCHILY.xattr.';

/** Reads records, over those given: an empty value takes a record away. */
export function readPax(body: Buffer, over?: PaxRecords): PaxRecords {
  const records: PaxRecords = new Map(over);
  for (let offset = 0; offset < body.length;) {
    const blank = body.indexOf(0x20, offset);
    const digits = blank < 0 ? '' : body.toString('latin1', offset, blank);
    const end = offset + Number(digits);
    if (!/^[1-9]\d{0,8}$/.test(digits) || end > body.length || end <= blank + 1 || body[end - 1] !== 0x0a)
      throw tarFault('malformed extended header record');
    const equals = body.indexOf(0x3d, blank);
    if (equals < 0 || equals >= end || equals === blank + 1) throw tarFault('extended header record without a key');
    const key = body.toString('utf8', blank + 1, equals);
    // An empty attribute is a value; anything else empty is a deletion.
    if (equals + 2 === end && !key.startsWith(attributePrefix)) records.delete(key);
    else records.set(key, Buffer.from(body.subarray(equals + 1, end - 1)));
    offset = end;
  }
  return records;
}

/** Writes records in byte order of their keys. */
export function writePax(records: ReadonlyMap<string, Buffer>): Buffer {
  return Buffer.concat(
    [...records]
      .sort(([left], [right]) => Buffer.compare(Buffer.from(left), Buffer.from(right)))
      .flatMap(([key, value]) => {
        const rest = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from('\n')]);
        return [Buffer.from(String(lengthWithItself(rest.length))), rest];
      }),
  );
}

/** The length of a record counts its own digits. */
function lengthWithItself(restBytes: number): number {
  const guess = restBytes + String(restBytes).length;
  return restBytes + String(guess).length;
}

export function paxName(records: PaxRecords, key: 'path' | 'linkpath'): ByteName | undefined {
  return records.get(key)?.toString('latin1');
}

export function paxNumber(records: PaxRecords, key: 'uid' | 'gid' | 'size'): number | undefined {
  const text = records.get(key)?.toString('latin1');
  if (text === undefined) return undefined;
  if (!/^\d{1,16}$/.test(text) || !Number.isSafeInteger(Number(text)))
    throw tarFault(`extended header ${key} is "${text}"`);
  return Number(text);
}

/** Seconds with a decimal fraction, as nanoseconds; digits beyond those are dropped, towards the past. */
export function paxTime(records: PaxRecords): bigint | undefined {
  const text = records.get('mtime')?.toString('latin1');
  if (text === undefined) return undefined;
  const parts = /^(-?)(\d{1,12})(?:\.(\d*))?$/.exec(text);
  if (!parts) throw tarFault(`extended header mtime is "${text}"`);
  const [, sign, seconds = '', fraction = ''] = parts;
  const total = BigInt(seconds) * 1_000_000_000n + BigInt(fraction.slice(0, 9).padEnd(9, '0'));
  return sign === '-' ? -total : total;
}

/** The counterpart of `paxTime`. */
export function formatPaxTime(atNs: bigint): string {
  const [sign, total] = atNs < 0n ? ['-', -atNs] : ['', atNs];
  const fraction = String(total % 1_000_000_000n)
    .padStart(9, '0')
    .replace(/0+$/, '');
  return `${sign}${total / 1_000_000_000n}${fraction === '' ? '' : `.${fraction}`}`;
}

/** Extended attributes among the records. */
export function paxAttributes(records: PaxRecords): ReadonlyMap<string, Buffer> {
  const attributes = new Map<string, Buffer>();
  for (const [key, value] of records)
    if (key.startsWith(attributePrefix)) attributes.set(key.slice(attributePrefix.length), value);
  return attributes;
}

/** Record key of an extended attribute. */
export function attributeKey(name: string): string {
  return attributePrefix + name;
}
