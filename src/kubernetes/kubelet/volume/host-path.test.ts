import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { beneath, hostPlace, makeDirectory } from './host-path.ts';

async function nodeRoot() {
  const path = await mkdtemp(join(tmpdir(), 'root-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}

test('a path lies beneath the node’s own root, and is made when it may be', async () => {
  await using root = await nodeRoot();
  const place = await hostPlace(root.path, '/var/lib/../lib/x', 'DirectoryOrCreate');
  assert.deepEqual(place, { path: join(root.path, 'var/lib/x'), isReadOnly: false });
  await assert.rejects(
    hostPlace(root.path, '/none', 'Directory'),
    /hostPath type check failed: \/none is not a directory/,
  );
  await writeFile(join(root.path, 'f'), '');
  await assert.rejects(hostPlace(root.path, '/f', 'Directory'), /is not a directory/);
  assert.equal((await hostPlace(root.path, '/var/new', 'FileOrCreate')).path, join(root.path, 'var/new'));
  assert.ok((await stat(join(root.path, 'var/new'))).isFile());
});

test('links lead nowhere else', async () => {
  await using root = await nodeRoot();
  await symlink('/etc', join(root.path, 'absolute'));
  await symlink('../../../../../../etc', join(root.path, 'relative'));
  assert.equal(beneath(root.path, '/absolute/passwd'), undefined);
  assert.equal(beneath(root.path, '/relative/passwd'), undefined);
  await mkdir(join(root.path, 'etc'));
  assert.equal(beneath(root.path, '/absolute'), join(root.path, 'etc'), 'a link is followed within');
  assert.equal(await makeDirectory(root.path, '/absolute/made'), join(root.path, 'etc/made'));
});

test('the kernel’s views are the machine’s, and may be read', async () => {
  await using root = await nodeRoot();
  assert.deepEqual(await hostPlace(root.path, '/proc'), { path: '/proc', isReadOnly: true });
  assert.deepEqual(await hostPlace(root.path, '/sys/fs/cgroup'), { path: '/sys/fs/cgroup', isReadOnly: true });
  assert.deepEqual((await hostPlace(root.path, '/proc/../etc')).path, join(root.path, 'etc'));
});
