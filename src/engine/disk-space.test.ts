import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { DiskReserve } from './disk-space.ts';

const directory = mkdtempSync(join(tmpdir(), 'dabba-reserve-'));
after(() => rmSync(directory, { recursive: true }));
const full = () => Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });

test('the reserve is given up for work that a full disk stops, and for no other', async () => {
  const path = join(directory, 'reserve');
  const reserve = new DiskReserve(path);
  await reserve.take();
  assert.equal(await reserve.spend(async () => 'done'), 'done');
  await assert.rejects(
    reserve.spend(() => Promise.reject(new Error('other'))),
    /other/,
  );
  assert.ok(existsSync(path));
  const work = async () => {
    if (existsSync(path)) throw full();
    return 'done with its room';
  };
  assert.equal(await reserve.spend(work), 'done with its room');
  await reserve.take();
  assert.ok(existsSync(path));
  await assert.rejects(
    reserve.spend(() => Promise.reject(full())),
    /no space left/,
  );
});
