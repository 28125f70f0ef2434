import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { type Digest, digestOf, silentLogger, systemClock } from '#base';
import { memoryBlobStore } from '#blob';
import type { Engine } from '#engine';
import { createRegistry, createRegistryContent } from '#registry';
import { memoryStore } from '#store';
import { encodeHeader, endOfArchive } from '../../src/engine/layer/tar-writer.ts';
import { noAttributes, noDevice, paddingOf } from '../../src/engine/layer/tar-header.ts';
import { endCleanly, engineAt, forever, makeHome } from './engine.ts';

/** Images for several platforms, layers in every compression, and what goes over the wire, against dabba's own registry. */

const host = 'registry.test';
const here = process.arch === 'x64' ? 'amd64' : process.arch;
const other = here === 'amd64' ? 'arm64' : 'amd64';
const oci = 'application/vnd.oci.image';
const home = makeHome();
/** What was asked of the registry, `METHOD path`. */
const asked: string[] = [];
let url = '';
let engine: Engine;
const server = createServer((request, response) => {
  asked.push(`${request.method} ${request.url}`);
  void registry.handle(request, response);
});
const registry = createRegistry({
  content: createRegistryContent({ store: memoryStore(), blobs: memoryBlobStore(), clock: systemClock }),
  policy: {
    resolve: (_, name) => ({ registry: 'test', name }),
    authenticate: async () => ({ principal: 'test' }),
    challenge: () => 'Basic realm="test"',
    authorize: async () => undefined,
    requireRepository: async (repository) => await registry.content.createRepository(repository),
    checkTagChange: async () => undefined,
    observed: () => undefined,
  },
  logger: silentLogger,
});

before(async () => {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`; // a TCP server has one
  engine = engineWith(home);
  await engine.start();
});
after(async () => {
  const left = await endCleanly(engine, home);
  server.closeAllConnections();
  server.close();
  assert.deepEqual(left, []);
});

test('of an index this machine takes its own platform, or the one asked for', async () => {
  const v7 = await putImage('many', { architecture: 'arm', variant: 'v7', text: 'v7' });
  const v6 = await putImage('many', { architecture: 'arm', variant: 'v6', text: 'v6' });
  const mine = await putImage('many', { architecture: here, text: 'mine' });
  const theirs = await putImage('many', { architecture: other, text: 'theirs' });
  const attestation = {
    ...mine.descriptor,
    digest: theirs.descriptor.digest,
    platform: { os: 'unknown', architecture: 'unknown' },
  };
  const digest = await putIndex('many', 'latest', [
    attestation,
    v7.descriptor,
    v6.descriptor,
    theirs.descriptor,
    mine.descriptor,
  ]);
  const reference = `${host}/many:latest`;

  const pulled = await engine.images.pull(reference, { signal: forever });
  assert.equal(pulled.id, mine.id);
  assert.deepEqual(pulled.repoDigests, [`${host}/many@${digest}`]);
  const arm = { os: 'linux', architecture: 'arm' };
  const pull = (platform: { os: string; architecture: string; variant?: string }) =>
    engine.images.pull(reference, { platform, signal: forever });
  assert.equal((await pull({ ...arm, variant: 'v6' })).id, v6.id);
  assert.equal((await pull({ os: 'linux', architecture: other })).id, theirs.id);
  await assert.rejects(pull({ ...arm, variant: 'v8' }), { kind: 'NotFound', message: /linux\/arm\/v8/ });
  await assert.rejects(pull({ os: 'linux', architecture: 's390x' }), { kind: 'NotFound' });

  const found = await engine.images.lookUp(reference, { signal: forever });
  assert.equal(found.digest, digest);
  assert.deepEqual(
    found.platforms.map(({ architecture }) => architecture),
    ['arm', 'arm', other, here],
  );
});

test('a single image of another platform is refused when one was asked for', async () => {
  const { id } = await putImage('single', { architecture: other, text: 'single', tag: 'latest' });
  const reference = `${host}/single`;
  assert.equal((await engine.images.pull(reference, { signal: forever })).id, id);
  const wanted = { platform: { os: 'linux', architecture: here }, signal: forever };
  await assert.rejects(engine.images.pull(reference, wanted), { kind: 'NotFound', message: /does not match/ });
  const { platforms } = await engine.images.lookUp(reference, { signal: forever });
  assert.deepEqual(platforms, [{ os: 'linux', architecture: other }]);
  await assert.rejects(engine.images.lookUp(`${host}/nothing:1`, { signal: forever }), { kind: 'NotFound' });
});

for (const form of ['plain', 'gzip', 'zstd'] as const)
  test(`layers in ${form} come, and go on under the same digest, mounted rather than sent`, async () => {
    const { id, descriptor } = await putImage(`from-${form}`, { architecture: here, text: form, tag: '1', form });
    const image = await engine.images.pull(`${host}/from-${form}:1`, { signal: forever });
    assert.equal(image.id, id);
    assert.deepEqual(await engine.images.layerSizes(image), [form.length]);
    await engine.images.tag(image.id, `${host}/to-${form}:2`);
    asked.length = 0;
    const pushed = await engine.images.push(`${host}/to-${form}:2`, { signal: forever });
    assert.equal(pushed.digest, descriptor.digest);
    const mounts = asked.filter((line) => line.startsWith('POST') && line.includes('mount='));
    assert.ok(
      mounts.some((line) => line.includes(`from=from-${form}`)),
      asked.join('\n'),
    );
    const layer = image.diffIds[0]!;
    const sent = asked.filter(
      (line) => line.startsWith('PUT') && line.includes('/uploads/') && !line.includes(hexOnly(id)),
    );
    assert.deepEqual(sent, [], `the layer ${layer} was sent`);
  });

test('a saved image is pushed from another engine under its own digest', async () => {
  const { descriptor } = await putImage('saved', { architecture: here, text: 'saved', tag: '1', form: 'zstd' });
  await engine.images.pull(`${host}/saved:1`, { signal: forever });
  const archive = await engine.images.save([`${host}/saved:1`], forever);
  const secondHome = makeHome();
  const second = engineWith(secondHome);
  await second.start();
  try {
    await second.images.load(archive, { signal: forever });
    await second.images.tag(`${host}/saved:1`, `${host}/saved-again:1`);
    const { digest } = await second.images.push(`${host}/saved-again:1`, { signal: forever });
    assert.equal(digest, descriptor.digest);
  } finally {
    assert.deepEqual(await endCleanly(second, secondHome), []);
  }
});

test('a layer whose bytes are not what its diff ID says is refused', async () => {
  await putImage('lying', { architecture: here, text: 'said', tag: '1', actual: 'done' });
  await assert.rejects(engine.images.pull(`${host}/lying:1`, { signal: forever }), { kind: 'InvalidArgument' });
  assert.equal(await engine.images.find(`${host}/lying:1`), undefined);
});

function engineWith(where: ReturnType<typeof makeHome>): Engine {
  return engineAt(where, (name) => (name === host ? [{ url }] : []));
}

interface PutImage {
  readonly architecture: string;
  readonly variant?: string;
  readonly text: string;
  readonly tag?: string;
  readonly form?: 'plain' | 'gzip' | 'zstd';
  /** What the layer holds in truth. */
  readonly actual?: string;
}

/** Puts an image of one layer, which holds one file. */
async function putImage(repository: string, { architecture, variant, text, tag, form = 'gzip', actual }: PutImage) {
  const tar = tarOf('file', text);
  const forms = {
    plain: { type: 'tar', pack: (bytes: Buffer) => bytes },
    gzip: { type: 'tar+gzip', pack: (bytes: Buffer) => gzipSync(bytes) },
    zstd: { type: 'tar+zstd', pack: (bytes: Buffer) => zstdCompressSync(bytes) },
  };
  const { type, pack } = forms[form];
  const layer = await putBlob(
    repository,
    `${oci}.layer.v1.${type}`,
    pack(actual === undefined ? tar : tarOf('file', actual)),
  );
  const config = await putBlob(
    repository,
    `${oci}.config.v1+json`,
    Buffer.from(
      JSON.stringify({ architecture, os: 'linux', config: {}, rootfs: { type: 'layers', diff_ids: [digestOf(tar)] } }),
    ),
  );
  const manifest = { schemaVersion: 2, mediaType: `${oci}.manifest.v1+json`, config, layers: [layer] };
  const descriptor = await putManifest(repository, tag, manifest);
  const platform = { os: 'linux', architecture, ...(variant !== undefined && { variant }) };
  return { id: config.digest, descriptor: { ...descriptor, platform } };
}

async function putIndex(repository: string, tag: string, manifests: readonly object[]): Promise<Digest> {
  const index = { schemaVersion: 2, mediaType: `${oci}.index.v1+json`, manifests };
  return (await putManifest(repository, tag, index)).digest;
}

async function putManifest(repository: string, tag: string | undefined, document: { readonly mediaType: string }) {
  const bytes = Buffer.from(JSON.stringify(document));
  const digest = digestOf(bytes);
  const answer = await fetch(`${url}/v2/${repository}/manifests/${tag ?? digest}`, {
    method: 'PUT',
    headers: { 'content-type': document.mediaType },
    body: bytes,
  });
  assert.equal(answer.status, 201, await answer.text());
  return { mediaType: document.mediaType, digest, size: bytes.length };
}

async function putBlob(repository: string, mediaType: string, bytes: Buffer) {
  const digest = digestOf(bytes);
  const begun = await fetch(`${url}/v2/${repository}/blobs/uploads/`, { method: 'POST' });
  const location = new URL(begun.headers.get('location')!, url);
  location.searchParams.set('digest', digest);
  const answer = await fetch(location, { method: 'PUT', body: new Uint8Array(bytes) });
  assert.equal(answer.status, 201, await answer.text());
  return { mediaType, digest, size: bytes.length };
}

function tarOf(name: string, text: string): Buffer {
  const content = Buffer.from(text);
  const header = encodeHeader({
    name,
    type: 'file',
    mode: 0o644,
    uid: 0,
    gid: 0,
    sizeBytes: content.length,
    modifiedAtNs: 0n,
    linkName: '',
    device: noDevice,
    attributes: noAttributes,
  });
  return Buffer.concat([header, content, Buffer.alloc(paddingOf(content.length)), endOfArchive]);
}

const hexOnly = (digest: Digest) => digest.slice(digest.indexOf(':') + 1);
