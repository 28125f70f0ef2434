import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerCreate } from '#engine';
import { isDabbaError } from '#base';
import { remapped } from './userns-remap.ts';

const range = { inside: 0, outside: 100_000, count: 65_536 };
const ids = { users: [range], groups: [range] };
const plain: ContainerCreate = { image: 'x', network: { mode: 'bridge', network: 'bridge' } };

test('what the daemon maps is asked of every container but those in the machine’s user namespace', () => {
  assert.deepEqual(remapped({ ...plain, namespaces: { ipc: 'shareable' } }, ids).namespaces, {
    ipc: 'shareable',
    user: ids,
  });
  const host: ContainerCreate = { ...plain, isPrivileged: true, namespaces: { user: 'host', pid: 'host' } };
  assert.equal(remapped(host, ids), host);
  assert.equal(remapped(plain, undefined), plain);
});

test('what a mapped container cannot be is refused in dockerd’s words', () => {
  const refused = (more: Partial<ContainerCreate>, words: RegExp) =>
    assert.throws(
      () => remapped({ ...plain, ...more }, ids),
      (error) => isDabbaError(error, 'InvalidArgument') && words.test(error.message),
    );
  refused({ isPrivileged: true }, /^privileged mode is incompatible with user namespaces\. {2}You must run/);
  refused({ network: { mode: 'host' } }, /^cannot share the host's network namespace when user namespaces/);
  refused({ namespaces: { pid: 'host' } }, /^cannot share the host PID namespace when user namespaces/);
});
