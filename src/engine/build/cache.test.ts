import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { digestOf, ManualClock } from '#base';
import { BuildCache, stepKey } from './cache.ts';

test('records survive the process; broken and old ones are as if they had never been', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'dabba-cache-'));
  try {
    const clock = new ManualClock();
    const layer = { chainId: digestOf('chain'), diffId: digestOf('diff') };
    const first = new BuildCache(directory, clock);
    const key = stepKey('parent', ['RUN', 'true']);
    assert.equal(await first.read(key), undefined);
    await first.write(key, { createdAt: 5, layer });
    await first.write(stepKey(key, ['ENV']), { createdAt: 6 });

    const second = new BuildCache(directory, clock);
    assert.deepEqual(await second.read(key), { createdAt: 5, layer });
    assert.deepEqual(await second.chains(), [layer.chainId]);

    writeFileSync(join(directory, stepKey('x', [])), '{"createdAt":');
    utimesSync(join(directory, stepKey('x', [])), clock.now() / 1000, clock.now() / 1000);
    writeFileSync(join(directory, 'left.draft'), '');
    assert.equal(await second.read(stepKey('x', [])), undefined);
    clock.advance(10 * 24 * 3600_000);
    await second.read(key);
    const lastUsed = (await new BuildCache(directory, clock).list()).find((step) => step.key === key)?.lastUsedAt;
    assert.equal(lastUsed, clock.now(), 'a use is remembered');
    await second.remove(key);
    await second.sweep();
    assert.equal(await second.read(key), undefined);
    assert.deepEqual(readdirSync(directory).sort(), [stepKey('x', []), stepKey(key, ['ENV'])].sort());
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('the key of a step depends on all it stands on', () => {
  const keys = [
    stepKey('a', ['b', 'c']),
    stepKey('a', ['bc']),
    stepKey('a', ['b', 'c', undefined]),
    stepKey('ab', ['c']),
  ];
  assert.equal(new Set(keys).size, keys.length);
});
