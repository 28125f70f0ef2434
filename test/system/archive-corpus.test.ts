import assert from 'node:assert/strict';
import { lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { DabbaError, digestOf } from '#base';
import type { Engine } from '#engine';
import { endCleanly, engineAt, forever, makeHome } from './engine.ts';

/**
 * Archives that lie, the same at each run: members that climb, follow their own links, claim sizes they have not, are cut or damaged; manifests that
 * name what is not there. Each is taken in or refused as such, and nothing outside the engine's directory changes.
 */

const home = makeHome();
let engine: Engine;
let outside: string;

before(async () => {
  outside = mkdtempSync(join(tmpdir(), 'corpus-'));
  writeFileSync(join(outside, 'canary'), 'alive');
  engine = engineAt(home);
  await engine.start();
});
after(async () => {
  assert.deepEqual(await endCleanly(engine, home), []);
  rmSync(outside, { recursive: true });
});

interface Member {
  readonly name: string;
  readonly type: string;
  readonly link: string;
  readonly mode: number;
  /** In octal, or whatever stands in its place. */
  readonly size: string;
  readonly body: string;
  readonly isSumRight: boolean;
}

/** Paths that may lead out: `@` stands for the directory with the canary. */
const path = fc.constantFrom(
  'a',
  'a/b',
  'd',
  'd/f',
  './d/../e',
  '/abs',
  '../../../../../../..@/f',
  '@/f',
  'd/canary',
  '.wh.a',
  'd/.wh..wh..opq',
  '.wh..wh.x',
  '',
  '.',
  '..',
  '/',
  'x'.repeat(100),
  'n\uFFFDme',
  'proc/self/root@/f',
  'etc/passwd',
  'a\nb',
  'l/../../f',
);
const target = fc.constantFrom(
  '@',
  '@/canary',
  '/',
  '..',
  '../../../../..',
  'a',
  'd',
  '',
  '/proc/self/root',
  'd/../..@/canary',
);
const member: fc.Arbitrary<Member> = fc.record({
  name: path,
  type: fc.constantFrom(
    '0',
    '0',
    '0',
    '0',
    '5',
    '5',
    '5',
    '\0',
    '1',
    '2',
    '2',
    '3',
    '4',
    '5',
    '5',
    '6',
    '7',
    'x',
    'g',
    'L',
    'K',
    'S',
    'Z',
  ),
  link: target,
  mode: fc.constantFrom(0o644, 0o755, 0o4755, 0, 0o7777777),
  size: fc.constantFrom(
    ...Array.from({ length: 24 }, () => 'true'),
    '77777777777',
    '-1',
    '0',
    '7',
    'zzz',
    '\u0080\u00ff\u00ff',
  ),
  body: fc.constantFrom(
    '',
    'body',
    '20 path=@/canary\n',
    '9 size=-1\n',
    '999 path=a\n',
    '30 SCHILY.xattr.trusted.x=1\n',
    '@/canary\0',
  ),
  isSumRight: fc.integer({ min: 0, max: 29 }).map((number) => number > 0),
});

function encode({ name, type, link, mode, size, body, isSumRight }: Member): Buffer {
  const at = (text: string) => text.replace('@', outside);
  const content = Buffer.from(at(body));
  const header = Buffer.alloc(512);
  header.write(at(name), 0, 100);
  header.write(mode.toString(8).padStart(7, '0').slice(0, 7), 100);
  header.write('0000000', 108);
  header.write('0000000', 116);
  header.write(size === 'true' ? content.length.toString(8).padStart(11, '0') : size, 124, 12, 'latin1');
  header.write('14000000000', 136);
  header.write(type, 156);
  header.write(at(link), 157, 100);
  header.write('ustar\u000000', 257);
  header.fill(' ', 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0) + (isSumRight ? 0 : 1);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return Buffer.concat([header, content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
}

const archive = fc.record({
  members: fc.array(member, { minLength: 1, maxLength: 4 }),
  ending: fc.constantFrom('whole', 'whole', 'whole', 'none', 'cut', 'noise', 'gzip', 'gzip-cut'),
  at: fc.nat(4096),
});

function bytesOf({ members, ending, at }: typeof archive extends fc.Arbitrary<infer Made> ? Made : never): Buffer {
  const bare = Buffer.concat(members.map(encode));
  const whole = Buffer.concat([bare, Buffer.alloc(1024)]);
  if (ending === 'none') return bare;
  if (ending === 'cut') return whole.subarray(0, at % whole.length);
  if (ending === 'noise') return Buffer.concat([bare, Buffer.alloc(700, at & 255)]);
  if (ending === 'gzip') return gzipSync(whole);
  if (ending === 'gzip-cut') return gzipSync(whole).subarray(0, at % 200);
  return whole;
}

async function answered(work: () => Promise<unknown>, what: unknown): Promise<'taken' | 'refused'> {
  const told = JSON.stringify(what);
  try {
    await work();
    return 'taken';
  } catch (error) {
    assert.ok(error instanceof DabbaError, `${told}\n${String(error)}\n${(error as Error).stack}`);
    assert.notEqual(error.kind, 'Internal', `${told}\n${error.message}`);
    return 'refused';
  } finally {
    assert.deepEqual(readdirSync(outside), ['canary'], told);
    assert.equal(readFileSync(join(outside, 'canary'), 'utf8'), 'alive', told);
    assert.equal(lstatSync(join(outside, 'canary')).nlink, 1, told);
  }
}

async function* one(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

test('200 root file systems that lie', { timeout: 800_000 }, async () => {
  const outcomes = { taken: 0, refused: 0 };
  for (const made of fc.sample(archive, { numRuns: 200, seed: 20261126 })) {
    const take = () =>
      engine.images.importRootfs(one(bytesOf(made)), { reference: 'corpus', config: {}, signal: forever });
    outcomes[await answered(take, made)]++;
  }
  assert.ok(outcomes.taken > 5 && outcomes.refused > 50, JSON.stringify(outcomes));
});

/** An archive of `docker save`, with one of its parts made wrong. */
function savedImage(damage: { readonly part: string; readonly by: string }): Buffer {
  const layer = Buffer.concat([
    encode({ name: 'f', type: '0', link: '', mode: 0o644, size: 'true', body: 'body', isSumRight: true }),
    Buffer.alloc(1024),
  ]);
  const wrong = (part: string, right: unknown): unknown => {
    if (damage.part !== part) return right;
    const nonsense: { readonly [by: string]: unknown } = {
      absent: undefined,
      null: null,
      number: 7,
      list: [],
      deep: JSON.parse(`${'['.repeat(500)}${']'.repeat(500)}`) as unknown,
      path: `../../../..${outside}/canary`,
      absolute: `${outside}/canary`,
      huge: '9'.repeat(400),
      proto: JSON.parse('{"__proto__": {"x": 1}, "constructor": 1}') as unknown,
    };
    return nonsense[damage.by];
  };
  const config = {
    architecture: wrong('architecture', process.arch === 'x64' ? 'amd64' : process.arch),
    os: wrong('os', 'linux'),
    config: wrong('config', { Env: wrong('env', ['A=1']), Cmd: wrong('cmd', ['x']) }),
    rootfs: wrong('rootfs', { type: 'layers', diff_ids: wrong('diffIds', [wrong('diffId', digestOf(layer))]) }),
    history: wrong('history', [
      { created: wrong('created', '2026-01-01T00:00:00Z'), created_by: wrong('createdBy', 'x') },
    ]),
  };
  const manifest = [
    {
      Config: wrong('configPath', 'c.json'),
      RepoTags: wrong('tags', [wrong('tag', 'corpus:1')]),
      Layers: wrong('layers', [wrong('layerPath', 'layer.tar')]),
    },
  ];
  const file = (name: string, body: string) => {
    const content = Buffer.from(body);
    const head = encode({
      name,
      type: '0',
      link: '',
      mode: 0o644,
      size: content.length.toString(8).padStart(11, '0'),
      body: '',
      isSumRight: true,
    });
    return Buffer.concat([head, content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
  };
  const json = (part: string, value: unknown) => {
    const text = JSON.stringify(wrong(part, value)) ?? '';
    return damage.part === `${part}Text` ? text.slice(0, -3) : text;
  };
  return Buffer.concat([
    file('c.json', json('configWhole', config)),
    file('layer.tar', layer.toString('latin1')),
    file('manifest.json', json('manifestWhole', damage.part === 'entry' ? wrong('entry', manifest) : manifest)),
    Buffer.alloc(1024),
  ]);
}

test('saved images whose documents lie', { timeout: 800_000 }, async () => {
  const parts =
    'none architecture os config env cmd rootfs diffIds diffId history created createdBy configPath tags tag layers layerPath configWhole configWholeText manifestWhole manifestWholeText entry';
  const ways = ['absent', 'null', 'number', 'list', 'deep', 'path', 'absolute', 'huge', 'proto'];
  const outcomes = { taken: 0, refused: 0 };
  for (const part of parts.split(' '))
    for (const by of ways) {
      const take = () => engine.images.load(one(savedImage({ part, by })), { signal: forever });
      outcomes[await answered(take, { part, by })]++;
    }
  assert.ok(outcomes.taken > 5 && outcomes.refused > 80, JSON.stringify(outcomes));
});
