import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { LogFiles } from './log-files.ts';
import { readLogs } from './logs.ts';

const lines = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => `2026-01-01T00:00:00.000000000Z stdout F ${from + index}\n`).join('');

test('a log in several files is one log: positions, tails, what is gone', async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'log-files-'));
  context.after(() => rm(folder, { recursive: true }));
  const path = join(folder, 'container.log');
  const files = new LogFiles(path);
  for (const [from, to] of [
    [0, 3],
    [3, 5],
    [5, 9],
  ] as const) {
    if (from > 0) await files.putAside();
    await writeFile(path, lines(from, to));
    if (from > 0) await files.keep(2);
  }
  assert.equal((await readdir(folder)).filter((name) => /^container\.log(\.\d+)?$/.test(name)).length, 2);
  const source = { path, isRotated: true, isComplete: () => true, onChange: () => () => undefined };
  const read = async (options: { readonly tail?: number; readonly fromPosition?: number }) => {
    const entries: { readonly text: string; readonly nextPosition: number }[] = [];
    const { signal } = new AbortController();
    for await (const { data, nextPosition } of readLogs(source, {
      stdout: true,
      stderr: true,
      follow: false,
      signal,
      ...options,
    }))
      entries.push({ text: data.toString(), nextPosition });
    return entries;
  };
  const texts = async (options: Parameters<typeof read>[0]) => (await read(options)).map(({ text }) => text);
  assert.deepEqual(await texts({}), ['3', '4', '5', '6', '7', '8']);
  assert.deepEqual(await texts({ tail: 5 }), ['4', '5', '6', '7', '8']);
  assert.deepEqual(await texts({ tail: 0 }), []);
  const { nextPosition } = (await read({}))[1]!;
  assert.equal(nextPosition, Buffer.byteLength(lines(0, 5)), 'positions count what is gone');
  assert.deepEqual(await texts({ fromPosition: nextPosition }), ['5', '6', '7', '8']);
});
