import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import {
  array,
  assert as check,
  bigInt,
  constantFrom,
  dictionary,
  integer,
  nat,
  oneof,
  property,
  record,
  string,
  stringMatching,
  tuple,
  uint8Array,
} from 'fast-check';
import { DabbaError } from '#base';
import { byteName } from './names.ts';
import { noDevice, paddingOf, type TarHeader, type TarType } from './tar-header.ts';
import { defaultTarLimits, TarReader } from './tar-reader.ts';
import { encodeHeader, endOfArchive } from './tar-writer.ts';

interface Member {
  readonly header: TarHeader;
  readonly body: Buffer;
}

/** Reads an archive given in pieces of the sizes wanted. */
function read(bytes: Buffer, pieces: readonly number[] = [], limits = defaultTarLimits): Member[] {
  const members: Member[] = [];
  let body: Buffer[] = [];
  const reader = new TarReader(
    {
      entry: (header) => {
        body = [];
        members.push({ header, body: Buffer.alloc(0) });
      },
      data: (chunk) => body.push(Buffer.from(chunk)),
      entryEnd: () => {
        members[members.length - 1] = { ...members.at(-1)!, body: Buffer.concat(body) };
      },
    },
    limits,
  );
  let at = 0;
  for (const size of pieces) {
    reader.push(bytes.subarray(at, at + size));
    at += size;
  }
  reader.push(bytes.subarray(at));
  reader.end();
  return members;
}

function write(members: readonly Member[]): Buffer {
  return Buffer.concat([
    ...members.flatMap(({ header, body }) => [encodeHeader(header), body, Buffer.alloc(paddingOf(body.length))]),
    endOfArchive,
  ]);
}

const names = oneof(stringMatching(/^[\w./-]{1,150}$/), string({ minLength: 1, maxLength: 120, unit: 'grapheme' }))
  .map((text) => byteName(text.replaceAll('\0', '')))
  .filter((name) => name !== '');
const owners = oneof(nat(70_000), integer({ min: 0, max: 0xfffffffe }));
const types = constantFrom<TarType>('file', 'hardlink', 'symlink', 'character', 'block', 'directory', 'fifo');
const attributes = dictionary(
  stringMatching(/^(user|security)\.[\w.]{1,20}$/),
  uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  { maxKeys: 4 },
).map((found) => new Map(Object.entries(found)));

const member = record({
  name: names,
  type: types,
  mode: nat(0o7777),
  uid: owners,
  gid: owners,
  modifiedAtNs: bigInt(-(10n ** 19n), 10n ** 20n),
  linkName: names,
  device: tuple(nat(4095), nat(1_048_575)).map(([major, minor]) => ({ major, minor })),
  attributes,
  body: uint8Array({ maxLength: 1600 }),
}).map(({ body, ...header }): Member => {
  const isLink = header.type === 'hardlink' || header.type === 'symlink';
  const isDevice = header.type === 'character' || header.type === 'block';
  const content = header.type === 'file' ? Buffer.from(body) : Buffer.alloc(0);
  return {
    header: {
      ...header,
      linkName: isLink ? header.linkName : '',
      device: isDevice ? header.device : noDevice,
      sizeBytes: content.length,
    },
    body: content,
  };
});

test('what is written reads back the same, in whatever pieces it comes', () => {
  check(
    property(
      array(member, { maxLength: 6 }),
      array(integer({ min: 1, max: 2000 }), { maxLength: 10 }),
      (members, pieces) => {
        const bytes = write(members);
        assert.deepEqual(read(bytes, pieces), members);
        assert.deepEqual(write(read(bytes)), bytes);
      },
    ),
  );
});

test('whatever is read, it is refused as such or understood', () => {
  const damaged = tuple(
    array(member, { minLength: 1, maxLength: 4 }),
    array(tuple(nat(), nat(255)), { maxLength: 8 }),
    nat(),
  ).map(([members, changes, end]) => {
    const bytes = write(members);
    for (const [place, value] of changes) bytes[place % bytes.length] = value;
    return bytes.subarray(0, end % 3 === 0 ? end % bytes.length : bytes.length);
  });
  const resealed = tuple(member, nat(499), uint8Array({ minLength: 1, maxLength: 12 })).map(([only, place, bytes]) => {
    const archive = Buffer.from(write([only]));
    Buffer.from(bytes).copy(archive, place);
    return seal(archive);
  });
  const noise = uint8Array({ maxLength: 3000 }).map((bytes) => Buffer.from(bytes));
  check(
    property(oneof(damaged, resealed, noise), (bytes) => {
      try {
        read(bytes);
      } catch (error) {
        assert.ok(error instanceof DabbaError, String(error));
        assert.ok(['InvalidArgument', 'ResourceExhausted'].includes(error.kind), error.kind);
      }
    }),
    { numRuns: 300 },
  );
});

test('the checksum of a writer that took bytes as signed is right too, and no other', () => {
  const name = byteName('grün-ñ');
  const header = block({ 0: Buffer.from(`${name}\0`, 'latin1') });
  const signed = seal(Buffer.from(header), true);
  assert.notDeepEqual(signed, header);
  assert.equal(read(Buffer.concat([signed, endOfArchive]))[0]!.header.name, name);
  signed[0]! ^= 1;
  assert.throws(() => read(Buffer.concat([signed, endOfArchive])), /fails its checksum/);
});

/** Makes the checksum of the first header right again, so that its other fields are looked at. */
function seal(archive: Buffer, isSigned = false): Buffer {
  archive.fill(32, 148, 156);
  let sum = 0;
  for (let at = 0; at < 512; at++) sum += isSigned ? archive.readInt8(at) : archive.readUInt8(at);
  archive.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return archive;
}

/** A header block with fields written over, sealed. */
function block(fields: { readonly [offset: number]: string | Buffer }): Buffer {
  const bytes = Buffer.from(encodeHeader({ ...plain, name: 'file' }));
  for (const [offset, value] of Object.entries(fields)) Buffer.from(value).copy(bytes, Number(offset));
  return seal(bytes);
}

const plain: TarHeader = {
  name: '',
  type: 'file',
  mode: 0o644,
  uid: 0,
  gid: 0,
  sizeBytes: 0,
  modifiedAtNs: 0n,
  linkName: '',
  device: noDevice,
  attributes: new Map(),
};

/** An extended header of the given kind. */
function extended(flag: string, text: string): Buffer {
  const body = Buffer.from(text);
  const bytes = Buffer.from(encodeHeader({ ...plain, name: 'extension', sizeBytes: body.length }));
  bytes.write(flag, 156, 'latin1');
  return Buffer.concat([seal(bytes), body, Buffer.alloc(paddingOf(body.length))]);
}

const file = () => Buffer.from(encodeHeader({ ...plain, name: 'file' }));
const only = (...parts: Buffer[]) => read(Buffer.concat([...parts, endOfArchive]))[0]?.header;

test('dialects: GNU long names, base-256 numbers, ustar prefix, V7 directories, global headers', () => {
  const long = 'n'.repeat(300);
  assert.equal(only(extended('L', `${long}\0`), file())?.name, long);
  assert.equal(
    only(extended('K', `${long}\0`), encodeHeader({ ...plain, name: 'link', type: 'symlink' }))?.linkName,
    long,
  );
  const binary = Buffer.from([0x80, 0, 0, 0, 0, 0x10, 0, 0]);
  assert.equal(only(block({ 108: binary }))?.uid, 0x100000);
  assert.equal(only(block({ 136: Buffer.alloc(12, 0xff) }))?.modifiedAtNs, -1_000_000_000n);
  assert.equal(only(block({ 345: 'some/prefix' }))?.name, 'some/prefix/file');
  assert.equal(only(block({ 257: 'ustar  \0', 345: 'some/prefix' }))?.name, 'file');
  assert.equal(only(block({ 0: 'dir/', 156: '\0' }))?.type, 'directory');
  const members = read(
    Buffer.concat([extended('g', '12 gid=1234\n'), file(), extended('x', '9 gid=99\n'), file(), file(), endOfArchive]),
  );
  assert.deepEqual(
    members.map(({ header }) => header.gid),
    [1234, 99, 1234],
  );
});

const refused: readonly [what: string, bytes: Buffer][] = [
  ['a sparse member', block({ 156: 'S' })],
  ['a pax sparse member', Buffer.concat([extended('x', '22 GNU.sparse.major=1\n'), file()])],
  ['an unknown type', block({ 156: 'Q' })],
  ['a number that is none', block({ 124: 'twelve bytes' })],
  ['a negative size', block({ 124: Buffer.alloc(12, 0xff) })],
  ['a negative owner', block({ 108: Buffer.alloc(8, 0xff) })],
  ['a size beyond counting', block({ 124: Buffer.from([0x80, ...Array.from({ length: 11 }, () => 0xff)]) })],
  ['a pax record of the wrong length', Buffer.concat([extended('x', '99 path=x\n'), file()])],
  ['a pax record without an end', Buffer.concat([extended('x', '9 path=x '), file()])],
  ['a pax record without a key', Buffer.concat([extended('x', '5 =x\n'), file()])],
  ['a pax size that is none', Buffer.concat([extended('x', '11 size=-1\n'), file()])],
  ['a name with NUL', Buffer.concat([extended('x', '12 path=a\0b\n'), file()])],
  ['a name beyond PATH_MAX', Buffer.concat([extended('L', 'n'.repeat(5000)), file()])],
  ['a lone zero block', Buffer.concat([Buffer.alloc(512), file()])],
  ['an extended header of nothing', extended('x', '9 gid=99\n')],
];

for (const [what, bytes] of refused)
  test(`${what} is refused`, () => {
    const archive = what.endsWith('of nothing') ? bytes : Buffer.concat([bytes, endOfArchive]);
    assert.throws(() => read(archive), { kind: 'InvalidArgument' });
  });

test('an archive may not ask for more than its limits', () => {
  const limits = { entries: 2, contentBytes: 1000, metadataBytes: 100 };
  const exhausted = { kind: 'ResourceExhausted' };
  assert.throws(() => read(Buffer.concat([file(), file(), file()]), [], limits), exhausted);
  assert.throws(() => read(encodeHeader({ ...plain, name: 'big', sizeBytes: 1001 }), [], limits), exhausted);
  assert.throws(() => read(extended('L', 'n'.repeat(101)), [], limits), exhausted);
});

test('system tar lists what we write', () => {
  const long = `directory/${'n'.repeat(150)}`;
  const archive = write([
    { header: { ...plain, name: long, sizeBytes: 3 }, body: Buffer.from('abc') },
    {
      header: { ...plain, name: byteName('ü'), type: 'symlink', linkName: byteName('ö'), uid: 3_000_000 },
      body: Buffer.alloc(0),
    },
  ]);
  const listed = execFileSync('tar', ['-tvf', '-', '--numeric-owner', '--quoting-style=literal'], {
    input: archive,
    encoding: 'utf8',
  });
  assert.match(listed, new RegExp(`3 1970-01-01 .* ${long}\n`));
  assert.match(listed, /3000000\/0 .* ü -> ö\n/);
});
