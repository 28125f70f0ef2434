import assert from 'node:assert/strict';
import { mkdtemp, readFile, readdir, readlink, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { checkPath, writeAtomically } from './files.ts';

async function directory() {
  const path = await mkdtemp(join(tmpdir(), 'files-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}

const files = (texts: { readonly [path: string]: string }) =>
  new Map(Object.entries(texts).map(([path, text]) => [path, { data: Buffer.from(text), mode: 0o640 }]));
const write = (path: string, texts: { readonly [path: string]: string }, stamp: string) =>
  writeAtomically(path, files(texts), { stamp, fsGroup: undefined });

test('every name leads through one link, which is replaced at once', async () => {
  await using volume = await directory();
  assert.equal(await write(volume.path, { a: '1', 'deep/er/b': '2' }, '1'), true);
  assert.equal(await readFile(join(volume.path, 'a'), 'utf8'), '1');
  assert.equal(await readFile(join(volume.path, 'deep/er/b'), 'utf8'), '2');
  assert.equal(await readlink(join(volume.path, '..data')), '..1');
  assert.equal((await stat(join(volume.path, 'a'))).mode & 0o777, 0o640);
  assert.equal(await write(volume.path, { a: '3', c: '4' }, '2'), true);
  assert.deepEqual((await readdir(volume.path)).sort(), ['..2', '..data', 'a', 'c']);
  assert.equal(await readFile(join(volume.path, 'a'), 'utf8'), '3');
});

test('what did not change is not written', async () => {
  await using volume = await directory();
  await write(volume.path, { a: '1' }, '1');
  assert.equal(await write(volume.path, { a: '1' }, '2'), false);
  assert.equal(await readlink(join(volume.path, '..data')), '..1');
});

test('a file may take the place of a directory', async () => {
  await using volume = await directory();
  await write(volume.path, { 'a/b': '1' }, '1');
  await write(volume.path, { a: '2' }, '2');
  assert.equal(await readFile(join(volume.path, 'a'), 'utf8'), '2');
});

test('no path leads out of a volume', () => {
  for (const path of ['', '/etc/x', '../x', 'a/../../x', '..data', '..2/x']) assert.throws(() => checkPath(path), path);
  for (const path of ['a', 'a/b', 'a..b', '.a']) checkPath(path);
});
