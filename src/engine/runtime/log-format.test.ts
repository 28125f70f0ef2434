import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { LogOptions } from '../engine.ts';
import { parseLog, parseTimestamp } from './log-format.ts';
import { readLogs } from './logs.ts';

const at = '2026-11-23T01:57:32.000000001+00:00';
const line = (text: string, stream = 'stdout', tag = 'F') => `${at} ${stream} ${tag} ${text}\n`;

test('entries carry time, stream, bytes and the position behind them', () => {
  const text = line('one two') + line('', 'stderr') + line('par', 'stdout', 'P') + `${at} stdout F unfinis`;
  const { entries, taken } = parseLog(Buffer.from(text), 100);
  assert.deepEqual(
    entries.map(({ data, stream, isPartial }) => [data.toString(), stream, isPartial]),
    [
      ['one two', 'stdout', false],
      ['', 'stderr', false],
      ['par', 'stdout', true],
    ],
  );
  assert.equal(entries[0]!.nextPosition, 100 + line('one two').length);
  assert.equal(entries[2]!.nextPosition, 100 + taken);
  assert.equal(entries[0]!.atNs, BigInt(Date.UTC(2026, 10, 23, 1, 57, 32)) * 1_000_000n + 1n);
});

test('lines that are none of ours are skipped', () => {
  const { entries } = parseLog(Buffer.from(`garbage\n${at} stdin F x\nnever stdout F x\n${line('kept')}`), 0);
  assert.deepEqual(
    entries.map(({ data }) => data.toString()),
    ['kept'],
  );
});

test('timestamps keep their nanoseconds in any zone', () => {
  assert.equal(parseTimestamp('1970-01-01T01:00:00.5+01:00'), 500_000_000n);
  assert.equal(parseTimestamp('1970-01-01T00:00:01Z'), 1_000_000_000n);
  assert.equal(parseTimestamp('yesterday'), undefined);
});

test('tail counts whole lines, also in a long file; positions resume exactly', async () => {
  await using folder = await temporaryLog(
    Array.from({ length: 3000 }, (_, index) => line(`${index} ${'x'.repeat(80)}`)).join('') +
      line('a ', 'stdout', 'P') +
      line('whole'),
  );
  const read = (more: Partial<LogOptions>) => textsOf(folder.path, more);
  assert.deepEqual(await read({ tail: 1 }), ['a ', 'whole']);
  assert.equal((await read({ tail: 2 })).length, 3);
  assert.equal((await read({ tail: 2500 })).length, 2501);
  assert.equal((await read({ tail: 9999 })).length, 3002);
  assert.deepEqual(await read({ tail: 0 }), []);
  assert.equal((await read({})).length, 3002);
  assert.deepEqual(await read({ stdout: false }), []);
  assert.deepEqual(await read({ since: Date.UTC(2027, 0, 1) }), []);
  assert.deepEqual(await read({ until: Date.UTC(2025, 0, 1) }), []);
});

async function textsOf(path: string, more: Partial<LogOptions>): Promise<string[]> {
  const source = { isRotated: false, path, isComplete: () => true, onChange: () => () => undefined };
  const options = { stdout: true, stderr: true, follow: false, signal: new AbortController().signal, ...more };
  const texts: string[] = [];
  for await (const { data } of readLogs(source, options)) texts.push(data.toString());
  return texts;
}

async function temporaryLog(text: string): Promise<AsyncDisposable & { readonly path: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'log-'));
  const path = join(folder, 'log');
  await writeFile(path, text);
  return { path, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
}
