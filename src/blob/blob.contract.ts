import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { buffer } from 'node:stream/consumers';
import { digestOf, isDabbaError, type Digest, type ErrorKind } from '#base';
import type { BlobInfo, BlobStore } from './blob.ts';

/** A store under test, and, where the adapter outlives its process, the same bytes opened again. */
export interface BlobSubject extends AsyncDisposable {
  readonly store: BlobStore;
  readonly reopen?: () => Promise<BlobStore>;
}

const hello = Buffer.from('hello, blob');
const helloDigest = digestOf(hello);
const absent = digestOf('never written');

async function* chunks(...parts: (string | Uint8Array)[]): AsyncIterable<Uint8Array> {
  for (const part of parts) yield Buffer.from(part);
}

async function* failingAfter(part: string): AsyncIterable<Uint8Array> {
  yield Buffer.from(part);
  throw new Error('the sender went away');
}

const kind = (expected: ErrorKind) => (error: unknown) => isDabbaError(error, expected);
const listed = async (store: BlobStore): Promise<BlobInfo[]> => await Array.fromAsync(store.list());

/** The executable contract of `BlobStore`: every adapter runs it whole. */
export function blobContract(adapter: string, open: () => Promise<BlobSubject>): void {
  const contract = (name: string, body: (subject: BlobSubject) => Promise<void>): void =>
    void test(`${adapter}: ${name}`, async () => {
      await using subject = await open();
      await body(subject);
    });

  contract('what is written reads back, whole and in ranges', async ({ store }) => {
    assert.deepEqual(await store.write(chunks('hello, ', 'blob')), { digest: helloDigest, sizeBytes: hello.length });
    assert.deepEqual(await store.stat(helloDigest), { sizeBytes: hello.length });
    assert.deepEqual(await store.readBytes(helloDigest), hello);
    const range = async (start: number, length?: number) =>
      String(await buffer(await store.read(helloDigest, { start, ...(length === undefined ? {} : { length }) })));
    assert.equal(await range(0), 'hello, blob');
    assert.equal(await range(7), 'blob');
    assert.equal(await range(7, 2), 'bl');
    assert.equal(await range(0, 0), '');
    assert.equal(await range(7, 1000), 'blob');
  });

  contract('a blob that is kept as a file can be opened as one', async ({ store }) => {
    await store.write(chunks(hello));
    await using file = await store.openFile(helloDigest);
    if (file) assert.deepEqual(readFileSync(file.fd), hello);
    assert.equal(await store.openFile(absent), undefined);
  });

  contract('an absent blob is NotFound, and has no size', async ({ store }) => {
    assert.equal(await store.stat(absent), undefined);
    await assert.rejects(store.read(absent), kind('NotFound'));
    await assert.rejects(store.readBytes(absent), kind('NotFound'));
    await store.remove(absent);
  });

  contract('readBytes refuses more than its limit', async ({ store }) => {
    await store.write(chunks(hello));
    await assert.rejects(store.readBytes(helloDigest, 4), kind('ResourceExhausted'));
  });

  contract('the empty blob is a blob', async ({ store }) => {
    const { digest } = await store.write(chunks());
    assert.equal(digest, digestOf(''));
    assert.equal((await store.readBytes(digest)).length, 0);
    assert.equal((await buffer(await store.read(digest))).length, 0);
  });

  contract('writing what exists succeeds and changes nothing', async ({ store }) => {
    await store.write(chunks(hello));
    await store.write(chunks(hello), { expected: helloDigest });
    assert.deepEqual(await listed(store), [{ digest: helloDigest, sizeBytes: hello.length }]);
  });

  contract('bytes that are not what was expected leave nothing', async ({ store }) => {
    await assert.rejects(store.write(chunks('else'), { expected: helloDigest }), kind('InvalidArgument'));
    await assert.rejects(store.write(chunks(hello), { expectedSizeBytes: 3 }), kind('InvalidArgument'));
    assert.deepEqual(await listed(store), []);
  });

  contract('a source that fails leaves nothing, and its error comes back', async ({ store }) => {
    await assert.rejects(store.write(failingAfter('hel')), /the sender went away/);
    assert.deepEqual(await listed(store), []);
  });

  contract('an abort ends a write that waits for its source', async ({ store }) => {
    const stop = new AbortController();
    const waiting = Promise.withResolvers<void>();
    async function* stuck(): AsyncIterable<Uint8Array> {
      yield hello;
      waiting.resolve();
      await new Promise<never>(() => undefined);
    }
    const written = store.write(stuck(), { signal: stop.signal });
    await waiting.promise;
    stop.abort(new Error('enough'));
    await assert.rejects(written, /enough/);
    assert.deepEqual(await listed(store), []);
  });

  contract('sha512 is verified as well as sha256', async ({ store }) => {
    const expected = digestOf(hello, 'sha512');
    assert.deepEqual(await store.write(chunks(hello), { expected }), { digest: expected, sizeBytes: hello.length });
    assert.deepEqual(await store.readBytes(expected), hello);
    const wrong = digestOf('else', 'sha512');
    await assert.rejects(store.write(chunks(hello), { expected: wrong }), kind('InvalidArgument'));
  });

  contract('an upload grows by appends and becomes visible at its commit', async ({ store }) => {
    const upload = await store.startUpload();
    assert.equal(upload.sizeBytes, 0);
    await upload.append(chunks('hello, '));
    assert.equal(upload.sizeBytes, 7);
    assert.equal(await store.stat(helloDigest), undefined);
    const again = await store.resumeUpload(upload.id);
    assert.equal(again.sizeBytes, 7);
    await again.append(chunks('blob'));
    assert.deepEqual(await again.commit(helloDigest), { digest: helloDigest, sizeBytes: hello.length });
    assert.deepEqual(await store.readBytes(helloDigest), hello);
    await assert.rejects(store.resumeUpload(upload.id), kind('NotFound'));
  });

  contract('a mismatch at the commit leaves the upload as it was', async ({ store }) => {
    const upload = await store.startUpload();
    await upload.append(chunks('hello, '));
    await assert.rejects(upload.commit(helloDigest), kind('InvalidArgument'));
    await upload.append(chunks('blob'));
    assert.equal((await upload.commit(helloDigest)).sizeBytes, hello.length);
  });

  contract('an append whose source fails keeps what came, and can go on', async ({ store }) => {
    const upload = await store.startUpload();
    await assert.rejects(upload.append(failingAfter('hello, ')), /the sender went away/);
    assert.equal(upload.sizeBytes, 7);
    await upload.append(chunks('blob'));
    await upload.commit(helloDigest);
  });

  contract('one writer at a time', async ({ store }) => {
    const upload = await store.startUpload();
    const gate = Promise.withResolvers<void>();
    async function* slow(): AsyncIterable<Uint8Array> {
      await gate.promise;
      yield hello;
    }
    const first = upload.append(slow());
    await assert.rejects(upload.append(chunks('x')), kind('Conflict'));
    await assert.rejects(upload.commit(helloDigest), kind('Conflict'));
    gate.resolve();
    await first;
    await upload.commit(helloDigest);
  });

  contract('a cancelled upload is gone, twice', async ({ store }) => {
    const upload = await store.startUpload();
    await upload.append(chunks('hel'));
    await upload.cancel();
    await upload.cancel();
    await assert.rejects(store.resumeUpload(upload.id), kind('NotFound'));
    await assert.rejects(store.resumeUpload('../../blobs/sha256'), kind('NotFound'));
  });

  contract('many writers of one blob agree', async ({ store }) => {
    const all = await Promise.all(Array.from({ length: 8 }, () => store.write(chunks('hello, ', 'blob'))));
    assert.deepEqual(new Set(all.map(({ digest }) => digest)), new Set<Digest>([helloDigest]));
    assert.equal((await listed(store)).length, 1);
  });

  contract('a removed blob is gone', async ({ store }) => {
    await store.write(chunks(hello));
    await store.remove(helloDigest);
    assert.equal(await store.stat(helloDigest), undefined);
    assert.deepEqual(await listed(store), []);
  });

  contract('a large body arrives whole', async ({ store }) => {
    const block = Buffer.alloc(700_001, 'dabba');
    const { digest } = await store.write(chunks(...Array.from({ length: 7 }, () => block)));
    assert.equal(digest, digestOf(Buffer.concat(Array.from({ length: 7 }, () => block))));
    assert.equal((await store.readBytes(digest, 8 << 20)).length, 7 * block.length);
  });

  contract('blobs and uploads survive a restart, where the adapter promises it', async ({ store, reopen }) => {
    if (!reopen) return;
    await store.write(chunks('other'));
    const upload = await store.startUpload();
    await upload.append(chunks('hello, '));
    const reopened = await reopen();
    assert.equal(String(await reopened.readBytes(digestOf('other'))), 'other');
    const resumed = await reopened.resumeUpload(upload.id);
    assert.equal(resumed.sizeBytes, 7);
    await resumed.append(chunks('blob'));
    await resumed.commit(helloDigest);
    assert.deepEqual(await reopened.readBytes(helloDigest), hello);
  });
}
