import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { IdRanges } from './id-ranges.ts';

const work = mkdtempSync(join(tmpdir(), 'id-ranges-'));
after(() => rmSync(work, { recursive: true }));

const firstOf = (ranges: IdRanges, folder: string) => ranges.claim(folder).users[0]!.outside;

test('no two pods have ids in common, and a pod keeps its own', () => {
  const [one, other] = [new IdRanges(join(work, 'a')), new IdRanges(join(work, 'a'))];
  const all = ['p', 'q', 'r'].map((folder) => firstOf(one, folder));
  assert.equal(new Set([...all, firstOf(other, 's')]).size, 4);
  assert.equal(firstOf(other, 'q'), all[1]);
  one.release('q');
  one.release('q');
  assert.equal(firstOf(other, 't'), all[1]);
  const [range] = one.claim('p').groups;
  assert.deepEqual([range!.inside, range!.count, range!.outside % 65_536], [0, 65_536, 0]);
});

test('what pods left that are gone is free again, others’ is not', () => {
  const ranges = new IdRanges(join(work, 'b'));
  const [here, gone] = [join(work, 'nodes/here'), join(work, 'nodes/gone')];
  mkdirSync(here, { recursive: true });
  for (const folder of [here, gone, '/elsewhere/gone']) ranges.claim(folder);
  ranges.sweep(join(work, 'nodes'));
  assert.deepEqual(readdirSync(join(work, 'b')).toSorted(), ['0', '2']);
  ranges.release(join(work, 'nodes'));
  assert.deepEqual(readdirSync(join(work, 'b')), ['2']);
});
