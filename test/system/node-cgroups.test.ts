import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { systemRandom } from '#base';
import { listMounts } from '#kernel';
import { linuxCgroups } from '../../src/node/cgroups.ts';

const roots = listMounts().filter(({ type }) => type === 'cgroup' || type === 'cgroup2');
const isVersion2 = roots.some(({ target, type }) => target === '/sys/fs/cgroup' && type === 'cgroup2');
const read = (controller: string, path: string, file: string) => {
  const root = isVersion2
    ? '/sys/fs/cgroup'
    : roots.find(({ options }) => options.split(',').includes(controller))!.target;
  return readFileSync(`${root}${path}/${file}`, 'utf8').trim();
};

test('a sandbox gets its limits from the kernel, and leaves no cgroup', () => {
  const parent = `/dabba-test-${systemRandom.hex(8)}`;
  const path = `${parent}/sandbox`;
  const limits = { cpuUnits: 256, memoryMiB: 512 };
  const cgroups = linuxCgroups();
  try {
    for (let time = 0; time < 2; time++) {
      cgroups.ensure(path, limits);
      cgroups.capCpu(path, limits);
    }
    if (isVersion2) {
      assert.equal(read('memory', path, 'memory.max'), String(512 * 2 ** 20));
      assert.equal(read('cpu', path, 'cpu.max'), '25000 100000');
    } else {
      assert.equal(read('memory', path, 'memory.limit_in_bytes'), String(512 * 2 ** 20));
      assert.equal(read('cpu', path, 'cpu.shares'), '256');
      assert.equal(read('cpu', path, 'cpu.cfs_quota_us'), '25000');
    }
  } finally {
    cgroups.remove(parent);
  }
  assert.deepEqual(
    roots.filter(({ target }) => existsSync(`${target}${parent}`)),
    [],
  );
});
