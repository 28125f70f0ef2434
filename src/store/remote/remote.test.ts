import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type ErrorKind, isDabbaError, systemClock } from '#base';
import { memoryStore } from '../memory/store.ts';
import { storeContract } from '../store.contract.ts';
import type { Operation, Store } from '../store.ts';
import { connectRemoteStore } from './client.ts';
import type { Authorize } from './rights.ts';
import { serveRemoteStore } from './server.ts';

const root = mkdtempSync(join(tmpdir(), 'dabba-remote-'));
after(() => rmSync(root, { recursive: true }));
let made = 0;
const freshSocket = () => join(root, `${made++}.sock`);

const put = (key: string, leaseId?: string): Operation => ({
  kind: 'put',
  key,
  value: Buffer.from('1'),
  ...(leaseId !== undefined && { leaseId }),
});
const serve = (store: Store, socketPath: string, authorize: Authorize = () => true) =>
  serveRemoteStore({ store, socketPath, authorize });
const dial = (socketPath: string, name = 'test', patienceMs = 10_000) =>
  connectRemoteStore({ socketPath, client: name, clock: systemClock, patienceMs });
const refuses = (promise: Promise<unknown>, kind: ErrorKind) =>
  assert.rejects(promise, (error) => isDabbaError(error, kind));

storeContract('the remote store', async ({ clock }) => {
  const store = memoryStore({ clock });
  const socketPath = freshSocket();
  const server = await serve(store, socketPath);
  const client = dial(socketPath);
  const close = client.close.bind(client);
  client.close = async () => {
    await close();
    await server[Symbol.asyncDispose]();
    await store.close();
  };
  return client;
});

test('calls and watches live through a restart of the server', async () => {
  const store = memoryStore();
  const socketPath = freshSocket();
  const client = dial(socketPath);
  const early = client.txn({ success: [put('k/1')] });
  let server = await serve(store, socketPath);
  await early;
  const watch = client.watch('k/', { signal: new AbortController().signal })[Symbol.asyncIterator]();
  await client.txn({ success: [put('k/2')] });
  assert.equal((await watch.next()).value?.revision, 3);

  await server[Symbol.asyncDispose]();
  await store.txn({ success: [put('k/3')] });
  await store.txn({ success: [put('k/4')] });
  const waiting = client.list('k/');
  server = await serve(store, socketPath);
  assert.equal((await waiting).entries.length, 4);
  assert.equal((await watch.next()).value?.revision, 4);
  assert.equal((await watch.next()).value?.revision, 5);

  await client.close();
  assert.equal((await watch.next()).done, true);
  await server[Symbol.asyncDispose]();
  await store.close();
});

test('a store that stays away is Unavailable, until it is back', async () => {
  const socketPath = freshSocket();
  // Waiting for a store does not keep a process alive; this does.
  const other = await serve(memoryStore(), freshSocket());
  const client = dial(socketPath, 'test', 50);
  await refuses(client.get('a'), 'Unavailable');
  await refuses(client.txn({ success: [put('a')] }), 'Unavailable');
  const store = memoryStore();
  const server = await serve(store, socketPath);
  // A watch waits however long it takes; once it is answered, calls are too.
  const watch = client.watch('', { fromRevision: 2, signal: new AbortController().signal })[Symbol.asyncIterator]();
  await store.txn({ success: [put('a')] });
  await watch.next();
  assert.equal((await client.get('a'))?.version, 1);
  await client.close();
  for (const one of [server, other]) await one[Symbol.asyncDispose]();
});

test('a client reads and writes what it may, and nothing else', async () => {
  const store = memoryStore();
  const socketPath = freshSocket();
  const server = await serve(store, socketPath, ({ kind, key }) =>
    key.startsWith(kind === 'read' ? 'specs/n1/' : 'statuses/n1/'),
  );
  const client = dial(socketPath);
  const signal = AbortSignal.timeout(10_000);
  await client.get('specs/n1/a');
  await client.txn({ success: [put('statuses/n1/a')] });
  await client.txn({ compare: [{ key: 'statuses/n1/a', field: 'version', is: '=', value: 1 }], success: [] });
  for (const refused of [
    client.get('specs/n2/a'),
    client.get('specs/n1'),
    client.list('specs/'),
    client.list(''),
    client.watch('', { signal })[Symbol.asyncIterator]().next(),
    client.txn({ success: [put('statuses/n2/a')] }),
    client.txn({ success: [], failure: [put('specs/n1/a')] }),
    client.txn({ success: [{ kind: 'deletePrefix', prefix: 'statuses/' }] }),
    client.txn({ compare: [{ key: 'other', field: 'version', is: '=', value: 0 }], success: [] }),
    client.compact(1),
  ])
    await refuses(refused, 'PermissionDenied');

  const lease = await client.grantLease(60_000);
  const other = dial(socketPath, 'other');
  await refuses(other.keepAlive(lease.id), 'PermissionDenied');
  await refuses(other.txn({ success: [put('statuses/n1/b', lease.id)] }), 'PermissionDenied');
  await refuses(other.revokeLease(lease.id), 'PermissionDenied');
  await client.revokeLease(lease.id);
  for (const one of [client, other]) await one.close();
  await server[Symbol.asyncDispose]();
  await store.close();
});

test('a peer that does not speak the protocol is sent away and harms nobody', async () => {
  const socketPath = freshSocket();
  const server = await serve(memoryStore(), socketPath);
  for (const bytes of ['GET / HTTP/1.1\r\n\r\n', '\0\0\0\x0a\0\0\0\x06{}1234', '\0\0\0\x06\0\0\0\x7f{}']) {
    const socket = connect(socketPath);
    socket.on('error', () => undefined).resume();
    socket.write(bytes);
    await once(socket, 'close');
  }
  const client = dial(socketPath);
  assert.equal(await client.revision(), 1);
  await client.close();
  await server[Symbol.asyncDispose]();
});

test('a socket that somebody serves is not taken over, one left behind is', async () => {
  const socketPath = freshSocket();
  const first = await serve(memoryStore(), socketPath);
  await refuses(serve(memoryStore(), socketPath), 'FailedPrecondition');
  await first[Symbol.asyncDispose]();
  const second = await serve(memoryStore(), socketPath);
  await second[Symbol.asyncDispose]();
});
