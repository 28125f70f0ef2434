import assert from 'node:assert/strict';
import { openSync } from 'node:fs';
import { test } from 'node:test';
import { isDabbaError } from '#base';
import { createNetworkNamespaceIn, ensureIpcNamespaceIn, UserNamespace } from './user-namespaces.ts';

test('why no namespace can be made is told', async () => {
  using none = new UserNamespace(openSync('/dev/null', 'r'));
  await assert.rejects(
    createNetworkNamespaceIn(none),
    (error) =>
      isDabbaError(error, 'Unavailable') && /^cannot make namespaces by nsenter: .*Invalid/.test(error.message),
  );
});

test('for a namespace that is there no helper is started', async () => {
  using none = new UserNamespace(openSync('/dev/null', 'r'));
  await ensureIpcNamespaceIn(none, '/proc/self/ns/ipc');
});
