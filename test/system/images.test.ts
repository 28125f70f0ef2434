import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { DabbaError, type Digest, digestOf, isDabbaError, silentLogger, systemClock, systemRandom } from '#base';
import { memoryBlobStore, openDiskBlobStore } from '#blob';
import { deviceOf, FileType, getAttribute, listMounts, makeNode, mount, setAttribute, unmount } from '#kernel';
import { createRegistry, createRegistryContent, type RegistryPolicy, type RegistryServer } from '#registry';
import { memoryStore } from '#store';
import { DiskReserve } from '../../src/engine/disk-space.ts';
import type { LayerProgress, RegistryCredentials } from '../../src/engine/engine.ts';
import { openImages } from '../../src/engine/image/images.ts';
import { encodeHeader, endOfArchive } from '../../src/engine/layer/tar-writer.ts';
import { paddingOf, type TarHeader } from '../../src/engine/layer/tar-header.ts';
import { openArchives } from '../../src/engine/layer/worker-archives.ts';
import { openSnapshots } from '../../src/engine/snapshot/snapshots.ts';

const work = mkdtempSync(join(tmpdir(), 'dabba-images-'));
const archives = openArchives();
const signal = AbortSignal.timeout(480_000);
const host = 'registry.test';
const good: RegistryCredentials = { username: 'AWS', password: 'open sesame' };
let registry: RegistryServer;
let server: ReturnType<typeof createServer>;
let url = '';
/** Lets anonymous callers in. */
let isOpen = false;

const policy: RegistryPolicy = {
  resolve: (name, repository) => (name === host ? { registry: 'public', name: repository } : undefined),
  async authenticate(authorization) {
    if (authorization === undefined) return undefined;
    const wanted = `Basic ${Buffer.from(`${good.username}:${good.password}`).toString('base64')}`;
    if (authorization !== wanted) throw new DabbaError('Unauthenticated', 'authentication required');
    return { principal: 'test' };
  },
  challenge: () => 'Basic realm="test",service="test"',
  async authorize(caller, { name }) {
    if (!caller && !isOpen) throw new DabbaError('Unauthenticated', 'authentication required');
    if (name === 'forbidden') throw new DabbaError('PermissionDenied', 'not for you');
  },
  async requireRepository(repository) {
    if (repository.name === 'absent') throw new DabbaError('NotFound', 'no such repository');
    await registry.content.createRepository(repository);
  },
  checkTagChange: async () => undefined,
  observed: () => undefined,
};

before(async () => {
  registry = createRegistry({
    content: createRegistryContent({ store: memoryStore(), blobs: memoryBlobStore(), clock: systemClock }),
    policy,
    logger: silentLogger,
  });
  server = createServer((request, response) => void registry.handle(request, response));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`; // a TCP server has one
});

after(async () => {
  await archives[Symbol.asyncDispose]();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  assert.deepEqual(
    listMounts().filter(({ target }) => target.startsWith(work)),
    [],
    'mounts are left',
  );
  rmSync(work, { recursive: true });
});

let engines = 0;

/** An engine's images in a directory of their own, with containers made up. */
async function openEngine(directory = join(work, `engine-${engines++}`)) {
  const clock = systemClock;
  const snapshots = await openSnapshots({ directory, clock, random: systemRandom, logger: silentLogger });
  const blobs = await openDiskBlobStore({ directory: join(directory, 'blobs'), clock });
  const containers: { id: string; imageId: Digest; isRunning: boolean }[] = [];
  const images = await openImages({
    reserve: new DiskReserve(join(directory, 'reserve')),
    directory,
    blobs,
    snapshots,
    archives,
    clock,
    logger: silentLogger,
    users: {
      containersOf: async (imageId) => containers.filter((container) => container.imageId === imageId),
      chainsInUse: async () => [],
    },
    resolver: {
      endpoints: (name) => (name === host ? [{ url: 'http://127.0.0.1:1' }, { url, hostHeader: host }] : []),
      defaultCredentials: () => undefined,
      fallback: (name, repository) => (name === 'docker.io' ? { host, repository: `mirror/${repository}` } : undefined),
    },
  });
  return {
    images,
    snapshots,
    blobs,
    containers,
    directory,
    async [Symbol.asyncDispose]() {
      await images[Symbol.asyncDispose]();
      await snapshots[Symbol.asyncDispose]();
    },
  };
}

interface Member extends Partial<TarHeader> {
  readonly name: string;
  readonly body?: string;
}

/** A tar of whatever members are wanted, however wicked. */
function tarOf(members: readonly Member[]): Buffer {
  return Buffer.concat([
    ...members.flatMap(({ body = '', ...member }) => {
      const header: TarHeader = {
        type: 'file',
        mode: 0o644,
        uid: 0,
        gid: 0,
        modifiedAtNs: 1_700_000_000_000_000_000n,
        linkName: '',
        device: { major: 0, minor: 0 },
        attributes: new Map(),
        sizeBytes: body.length,
        ...member,
      };
      return [encodeHeader(header), Buffer.from(body), Buffer.alloc(paddingOf(body.length))];
    }),
    endOfArchive,
  ]);
}

async function* chunksOf(bytes: Buffer, size = 1000): AsyncGenerator<Buffer, void> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

function unpackInto(root: string, bytes: Buffer, form: 'layer' | 'archive' = 'layer') {
  mkdirSync(root, { recursive: true });
  return archives.unpack({ source: chunksOf(bytes), root, form, signal });
}

/** Every file of a tree as text, for comparison. */
function listing(root: string): string {
  return execFileSync('find', ['.', '-mindepth', '1', '-printf', '%P %y %m %U:%G %s %T@ %l %n\n'], {
    cwd: root,
    encoding: 'utf8',
  })
    .split('\n')
    .sort()
    .join('\n');
}

/** The same files as GNU tar makes of them. */
test('unpacking gives what system tar gives', async () => {
  const source = join(work, 'like-tar');
  mkdirSync(join(source, 'a/b'), { recursive: true });
  writeFileSync(join(source, 'a/b/file'), 'x'.repeat(3000));
  writeFileSync(join(source, 'a', 'long-'.padEnd(80, 'n')), 'long');
  mkdirSync(join(source, 'deep-'.padEnd(90, 'd')));
  writeFileSync(join(source, 'deep-'.padEnd(90, 'd'), 'name-'.padEnd(90, 'n')), 'prefix');
  writeFileSync(join(source, 'a/ünïcode'), 'u');
  linkSync(join(source, 'a/b/file'), join(source, 'a/hard'));
  symlinkSync('../b/file', join(source, 'a/soft'));
  makeNode(join(source, 'a/fifo'), FileType.fifo | 0o640);
  chmodSync(join(source, 'a/b/file'), 0o4755);
  for (const format of ['gnu', 'pax', 'ustar']) {
    const bytes = execFileSync('tar', ['-c', `--format=${format}`, '-C', source, '.'], { maxBuffer: 1e8 });
    for (const body of [bytes, gzipSync(bytes), zstdCompressSync(bytes)]) {
      const ours = mkdtempSync(join(work, 'ours-'));
      const theirs = mkdtempSync(join(work, 'theirs-'));
      const expected = { expectedDigest: digestOf(body), expectedDiffId: digestOf(bytes) };
      await archives.unpack({ source: chunksOf(body), root: ours, form: 'layer', ...expected, signal });
      execFileSync('tar', ['-x', '-p', '-C', theirs], { input: bytes });
      assert.equal(listing(ours), listing(theirs));
    }
  }
});

test('a member that climbs out of its root changes nothing outside', async () => {
  const outside = join(work, 'outside');
  mkdirSync(outside);
  writeFileSync(join(outside, 'secret'), 'untouched');
  chmodSync(outside, 0o755);
  const state = listing(outside);
  const climbs: readonly (readonly Member[])[] = [
    [{ name: '../outside/evil', body: 'evil' }],
    [{ name: 'a/../../outside/evil', body: 'evil' }],
    [{ name: `${outside}/evil`, body: 'evil' }],
    [{ name: `/../../../../..${outside}/evil`, body: 'evil' }],
    [
      { name: 'door', type: 'symlink', linkName: outside },
      { name: 'door/evil', body: 'evil' },
    ],
    [
      { name: 'door', type: 'symlink', linkName: '../outside' },
      { name: 'door/secret', body: 'evil' },
    ],
    [
      { name: 'door', type: 'symlink', linkName: '../outside' },
      { name: 'door', type: 'directory', mode: 0o777 },
      { name: 'door/evil', body: 'evil' },
    ],
    [{ name: 'stolen', type: 'hardlink', linkName: '../outside/secret' }],
    [{ name: 'stolen', type: 'hardlink', linkName: `${outside}/secret` }],
    [
      { name: 'door', type: 'symlink', linkName: '../outside' },
      { name: 'stolen', type: 'hardlink', linkName: 'door/secret' },
      { name: 'stolen', body: 'evil' },
    ],
    [
      { name: 'secret', type: 'symlink', linkName: '../outside/secret' },
      { name: 'secret', body: 'evil' },
    ],
    [{ name: '..', type: 'directory', mode: 0o777 }],
    [{ name: '../outside/.wh.secret' }],
    [
      { name: 'door', type: 'symlink', linkName: '../outside' },
      { name: 'door/.wh.secret' },
      { name: 'door/.wh..wh..opq' },
    ],
    [{ name: '.wh...' }],
  ];
  for (const [index, members] of climbs.entries()) {
    for (const form of ['layer', 'archive'] as const) {
      const root = join(work, `climb-${index}-${form}`);
      await unpackInto(root, tarOf(members), form).catch((error: unknown) => {
        assert.ok(isDabbaError(error, 'InvalidArgument'), String(error));
      });
      assert.equal(listing(outside), state, `case ${index} as ${form}`);
      assert.ok(!existsSync(join(work, 'evil')));
    }
  }
  assert.equal(getAttribute(outside, 'trusted.overlay.opaque'), undefined);
  await assert.rejects(unpackInto(join(work, 'climb-name'), tarOf([{ name: '../evil' }])), {
    kind: 'InvalidArgument',
    message: 'archive member "../evil" climbs out of its root',
  });
});

test('devices are made, never written through', async () => {
  const root = join(work, 'devices');
  const device = { major: 1, minor: 3 };
  await unpackInto(
    root,
    tarOf([
      { name: 'null', type: 'character', device, mode: 0o666 },
      { name: 'null', body: 'a file now' },
      { name: 'other', type: 'character', device: { major: 4000, minor: 300_000 }, mode: 0o600 },
    ]),
  );
  assert.equal(readFileSync(join(root, 'null'), 'utf8'), 'a file now');
  const other = lstatSync(join(root, 'other'), { bigint: true });
  assert.ok(other.isCharacterDevice());
  assert.deepEqual(deviceOf(other.rdev), { major: 4000, minor: 300_000 });
  assert.ok(lstatSync('/dev/null').isCharacterDevice());
});

test('whiteouts hide what is beneath and keep what is beside', async () => {
  await using engine = await openEngine();
  const { images, snapshots } = engine;
  const below = await images.importRootfs(
    chunksOf(
      tarOf([
        { name: 'kept' },
        { name: 'gone' },
        { name: 'dir/old' },
        { name: 'replaced/old' },
        { name: 'emptied/old' },
      ]),
    ),
    { signal },
  );
  const upper = await snapshots.makeTemporary();
  await unpackInto(
    upper,
    tarOf([
      { name: '.wh.gone' },
      { name: 'dir', type: 'directory', mode: 0o755 },
      { name: 'dir/.wh.old' },
      { name: 'dir/new', attributes: new Map([['trusted.overlay.redirect', Buffer.from('/kept')]]) },
      { name: '.wh.replaced' },
      { name: 'replaced', type: 'directory', mode: 0o755 },
      { name: 'replaced/new' },
      { name: 'emptied', type: 'directory', mode: 0o755 },
      { name: 'emptied/.wh..wh..opq' },
    ]),
  );
  assert.equal(getAttribute(join(upper, 'dir/new'), 'trusted.overlay.redirect'), undefined);
  const layer = await images.commitUpper({ parent: images.chainIdsOf(below)[0], upper, signal });
  await using view = await snapshots.openView(layer.chainId);
  assert.deepEqual(readdirSync(view.path).sort(), ['dir', 'emptied', 'kept', 'replaced']);
  assert.deepEqual(readdirSync(join(view.path, 'dir')), ['new']);
  assert.deepEqual(readdirSync(join(view.path, 'replaced')), ['new']);
  assert.deepEqual(readdirSync(join(view.path, 'emptied')), []);
  assert.throws(() => writeFileSync(join(view.path, 'kept'), ''), { code: 'EROFS' });
});

test('what was written over a mounted chain becomes the same layer wherever it is unpacked', async () => {
  await using engine = await openEngine();
  const { images, snapshots, directory } = engine;
  const base = await images.importRootfs(
    chunksOf(
      tarOf([
        { name: 'etc/passwd', body: 'root' },
        { name: 'old/file', body: 'o' },
      ]),
    ),
    { reference: 'base', signal },
  );
  const chainId = images.chainIdsOf(base).at(-1);
  const [target, upper, other] = ['merged', 'upper', 'work'].map((name) => join(directory, 'container', name));
  await snapshots.mount({ chainId, target: target!, writable: { upper: upper!, work: other! } });
  await snapshots.mount({ chainId, target: target!, writable: { upper: upper!, work: other! } });
  writeFileSync(join(target!, 'etc/passwd'), 'root, changed');
  setAttribute(join(target!, 'etc/passwd'), 'user.binary', Buffer.from([0, 255, 10, 61]));
  rmSync(join(target!, 'old'), { recursive: true });
  mkdirSync(join(target!, 'old'));
  writeFileSync(join(target!, 'name-'.padEnd(120, 'é')), 'é');
  linkSync(join(target!, 'etc/passwd'), join(target!, 'etc/again'));
  const copy = await images.commitUpper({ parent: chainId, upper: upper!, isCopied: true, signal });
  assert.equal(readFileSync(join(target!, 'etc/again'), 'utf8'), 'root, changed');
  await snapshots.unmount(target!);
  await snapshots.unmount(target!);
  const moved = await images.commitUpper({ parent: chainId, upper: upper!, signal });
  assert.equal(moved.diffId, copy.diffId);
  assert.equal(moved.chainId, copy.chainId);
  {
    await using view = await snapshots.openView(moved.chainId);
    assert.equal(readFileSync(join(view.path, 'etc/again'), 'utf8'), 'root, changed');
    assert.deepEqual([...(getAttribute(join(view.path, 'etc/passwd'), 'user.binary') ?? [])], [0, 255, 10, 61]);
    assert.deepEqual(readdirSync(join(view.path, 'old')), []);
  }
  let tar: Buffer = Buffer.alloc(0);
  const packed = await archives.pack({
    root: snapshots.layers.diffOf(moved.chainId),
    content: 'upper',
    write: async (archive) => {
      tar = Buffer.concat(await Array.fromAsync(archive));
    },
    signal,
  });
  assert.equal(packed.diffId, moved.diffId);
  assert.equal(digestOf(tar), moved.diffId);
  const again = join(work, 'again');
  await unpackInto(again, tar);
  assert.equal((await archives.pack({ root: again, content: 'upper', signal })).diffId, moved.diffId);
});

test('a fixed timestamp makes the layer independent of the day', async () => {
  const diffIds = new Set<string>();
  for (const name of ['one', 'two']) {
    const root = join(work, `dated-${name}`);
    await unpackInto(
      root,
      tarOf([{ name: 'file', body: 'same', modifiedAtNs: BigInt(name.length + diffIds.size) * 10n ** 18n }]),
    );
    const { diffId } = await archives.pack({ root, content: 'upper', timestamp: 1000, signal });
    diffIds.add(diffId);
  }
  assert.equal(diffIds.size, 1);
});

test('listed entries make an archive of just those', async () => {
  const root = join(work, 'listed');
  await unpackInto(
    root,
    tarOf([
      { name: 'src/a', body: 'A' },
      { name: 'src/b', body: 'B' },
      { name: 'link', type: 'symlink', linkName: '/etc/passwd' },
    ]),
  );
  const into = mkdtempSync(join(work, 'listed-into-'));
  await archives.pack({
    root,
    content: [
      { name: 'app', isDirectory: true, mode: 0o750, uid: 7, gid: 8 },
      { name: 'app/a', source: 'src/a', uid: 7, mode: 0o600 },
      { name: 'app/link', source: 'link' },
    ],
    write: async (source) => void (await archives.unpack({ source, root: into, form: 'archive', signal })),
    signal,
  });
  assert.deepEqual(readdirSync(join(into, 'app')).sort(), ['a', 'link']);
  const { uid, gid, mode } = lstatSync(join(into, 'app'));
  assert.deepEqual({ uid, gid, mode: mode & 0o7777 }, { uid: 7, gid: 8, mode: 0o750 });
  assert.equal(readlinkSync(join(into, 'app/link')), '/etc/passwd');
  await assert.rejects(archives.pack({ root, content: [{ name: 'x', source: '../outside/secret' }], signal }), {
    kind: 'NotFound',
  });
});

test('damaged input is refused by name', async () => {
  const bytes = tarOf([{ name: 'file', body: 'x'.repeat(2000) }]);
  const refusals: readonly (readonly [Buffer, RegExp])[] = [
    [bytes.subarray(0, 1200), /ends in the middle of a member/],
    [Buffer.concat([bytes.subarray(0, 100), Buffer.from('!'), bytes.subarray(101)]), /fails its checksum/],
    [gzipSync(bytes).subarray(0, 60), /compressed data is damaged/],
    [Buffer.from('not a tar at all'.repeat(100)), /invalid tar archive/],
  ];
  for (const [input, message] of refusals)
    await assert.rejects(unpackInto(mkdtempSync(join(work, 'damaged-')), input), { kind: 'InvalidArgument', message });
  const wrong = digestOf('other');
  const root = mkdtempSync(join(work, 'wrong-'));
  const source = () => chunksOf(bytes);
  await assert.rejects(archives.unpack({ source: source(), root, form: 'layer', expectedDigest: wrong, signal }), {
    kind: 'InvalidArgument',
  });
  await assert.rejects(archives.unpack({ source: source(), root, form: 'layer', expectedDiffId: wrong, signal }), {
    kind: 'InvalidArgument',
  });
});

test('aborting an unpack ends its thread and its source', async () => {
  const abort = new AbortController();
  let isClosed = false;
  async function* endless() {
    try {
      yield tarOf([{ name: 'file', sizeBytes: 10 ** 9 }]).subarray(0, 512);
      for (;;) {
        yield Buffer.alloc(64 * 1024);
        abort.abort();
      }
    } finally {
      isClosed = true;
    }
  }
  const root = mkdtempSync(join(work, 'aborted-'));
  await assert.rejects(archives.unpack({ source: endless(), root, form: 'layer', signal: abort.signal }), {
    kind: 'Cancelled',
  });
  assert.ok(isClosed);
});

test('an image goes to a registry and comes back the same', async () => {
  await using first = await openEngine();
  const { images } = first;
  const base = await images.importRootfs(chunksOf(tarOf([{ name: 'bin/true', mode: 0o755, body: 'true' }])), {
    signal,
  });
  const upper = await first.snapshots.makeTemporary();
  writeFileSync(join(upper, 'app'), 'app');
  const layer = await images.commitUpper({ parent: images.chainIdsOf(base)[0], upper, signal });
  const request = {
    config: { Cmd: ['/app'], Env: ['A=b'], User: 'web' },
    diffIds: [...base.diffIds, layer.diffId],
    history: [{ created_by: 'test' }],
    references: [`${host}/team/app:1`],
    createdAt: 1_700_000_000_000,
  };
  const built = await images.createImage(request);
  assert.equal((await images.createImage(request)).id, built.id);
  await assert.rejects(images.push(`${host}/team/app:1`, { signal }), {
    kind: 'Unauthenticated',
    message: 'no basic auth credentials',
  });
  await assert.rejects(images.push(`${host}/team/app:1`, { signal, credentials: { username: 'x', password: 'y' } }), {
    kind: 'Unauthenticated',
    message: /^unauthorized: /,
  });
  const pushed = await images.push(`${host}/team/app:1`, { credentials: good, signal });
  assert.deepEqual((await images.push(`${host}/team/app:1`, { credentials: good, signal })).digest, pushed.digest);
  const record = await registry.content.findManifest({ registry: 'public', name: 'team/app' }, '1');
  assert.equal(record?.digest, pushed.digest);

  await using second = await openEngine();
  const seen: LayerProgress[] = [];
  const onProgress = (progress: LayerProgress) => seen.push(progress);
  const pulled = await second.images.pull(`${host}/team/app:1`, { credentials: good, signal, onProgress });
  assert.equal(pulled.id, built.id);
  assert.deepEqual(pulled.config, request.config);
  assert.deepEqual(pulled.references, [`${host}/team/app:1`]);
  assert.deepEqual(pulled.repoDigests, [`${host}/team/app@${pushed.digest}`]);
  assert.equal(pulled.sizeBytes, 7);
  assert.deepEqual(
    new Set(seen.map(({ state }) => state)),
    new Set(['waiting', 'transferred', 'unpacking', 'done', 'transferring']),
  );
  {
    await using view = await second.snapshots.openView(second.images.chainIdsOf(pulled).at(-1));
    assert.equal(readFileSync(join(view.path, 'app'), 'utf8'), 'app');
  }
  seen.length = 0;
  const byDigest = `${host}/team/app@${pushed.digest}`;
  await second.images.pull(byDigest, { credentials: good, signal, onProgress });
  assert.deepEqual([...new Set(seen.map(({ state }) => state))], ['exists']);
  assert.equal((await second.images.find(byDigest))?.id, built.id);
  assert.equal((await second.images.find(built.id.slice(7, 19)))?.id, built.id);

  await second.images.tag(built.id, `${host}/other/app:2`);
  assert.equal((await second.images.push(`${host}/other/app:2`, { credentials: good, signal })).digest, pushed.digest);

  // What is on disk is all there is.
  await using reopened = await openEngine(second.directory);
  assert.deepEqual((await reopened.images.find(byDigest))?.references, [`${host}/other/app:2`, `${host}/team/app:1`]);
});

test('what a registry refuses is told in its words', async () => {
  await using engine = await openEngine();
  const pull = (name: string) => engine.images.pull(name, { credentials: good, signal });
  await assert.rejects(pull(`${host}/team/nothing:7`), {
    kind: 'NotFound',
    message: new RegExp(`^manifest for ${host}/team/nothing:7 not found: manifest unknown: `),
  });
  await assert.rejects(pull(`${host}/absent`), {
    kind: 'NotFound',
    message: new RegExp(`^repository ${host}/absent not found: name unknown: `),
  });
  await assert.rejects(pull(`${host}/forbidden`), { kind: 'PermissionDenied', message: /denied: not for you/ });
  await assert.rejects(pull('nowhere.test/app'), { kind: 'Unavailable' });
  await assert.rejects(pull('UPPER'), { kind: 'InvalidArgument' });
  await assert.rejects(engine.images.push('team/app', { signal }), {
    kind: 'NotFound',
    message: 'An image does not exist locally with the tag: team/app',
  });
  assert.equal(await engine.images.login(host, good, signal), 'Login Succeeded');
  await assert.rejects(engine.images.login(host, { username: 'x', password: 'y' }, signal), {
    kind: 'Unauthenticated',
  });
});

test('removing an image frees what nothing else reaches', async () => {
  await using engine = await openEngine();
  const { images, containers, blobs } = engine;
  const image = await images.importRootfs(chunksOf(tarOf([{ name: 'file' }])), { reference: 'one', signal });
  await images.tag('one', 'two');
  containers.push({ id: 'c'.repeat(64), imageId: image.id, isRunning: true });
  await assert.rejects(images.remove(image.id), {
    kind: 'Conflict',
    message: /cannot be forced.*running container cccccccccccc/,
  });
  assert.deepEqual(await images.remove('two'), [{ untagged: 'two:latest' }]);
  await assert.rejects(images.remove('one'), { kind: 'Conflict', message: /must force/ });
  containers.length = 0;
  const hold = images.hold();
  assert.deepEqual(await images.remove('one'), [{ untagged: 'one:latest' }, { deleted: image.id }]);
  const [chainId] = images.chainIdsOf(image);
  assert.ok(await images.findLayer(chainId!));
  hold[Symbol.dispose]();
  await images.collectGarbage();
  assert.equal(await images.findLayer(chainId!), undefined);
  assert.equal(await images.find(image.id), undefined);
  assert.deepEqual(await Array.fromAsync(blobs.list()), []);
  await assert.rejects(images.remove('one'), { kind: 'NotFound', message: 'No such image: one:latest' });
});

test('a tag put on an image at any moment of its removal stays with it, or is refused', async () => {
  await using engine = await openEngine();
  const { images } = engine;
  for (let later = 0; later < 20; later++) {
    const image = await images.importRootfs(chunksOf(tarOf([{ name: `${later}` }])), { reference: 'going', signal });
    const removed = images.remove('going');
    for (let turn = 0; turn < later; turn++) await Promise.resolve();
    const [tagged] = await Promise.allSettled([images.tag(image.id, 'staying'), removed]);
    const found = await images.find('staying');
    assert.deepEqual(found?.id, tagged.status === 'fulfilled' ? image.id : undefined, `${later} turns later`);
    if (found) await images.remove('staying');
  }
});

test('a hundred and more layers fit one mount, and a scratch image mounts empty', async () => {
  await using engine = await openEngine();
  const { images, snapshots, directory } = engine;
  let parent: Digest | undefined;
  using _ = images.hold();
  for (let index = 0; index < 130; index++) {
    const upper = await snapshots.makeTemporary();
    writeFileSync(join(upper, `file-${index}`), '');
    ({ chainId: parent } = await images.commitUpper({ parent, upper, signal }));
  }
  {
    await using view = await snapshots.openView(parent);
    assert.equal(readdirSync(view.path).length, 130);
  }
  await using nothing = await snapshots.openView(undefined);
  assert.deepEqual(readdirSync(nothing.path), []);
  const target = join(directory, 'scratch/merged');
  await snapshots.mount({
    chainId: undefined,
    target,
    writable: { upper: join(directory, 'scratch/upper'), work: join(directory, 'scratch/work') },
  });
  writeFileSync(join(target, 'file'), '');
  await snapshots.unmount(target);
  assert.ok(existsSync(join(directory, 'scratch/upper/file')));
});

test('pulls at once of one image, by way of the fallback, fetch each layer once', async () => {
  await using publisher = await openEngine();
  await publisher.images.importRootfs(chunksOf(tarOf([{ name: 'file', body: 'x'.repeat(100_000) }])), {
    reference: `${host}/mirror/library/debian`,
    signal,
  });
  await publisher.images.push(`${host}/mirror/library/debian`, { credentials: good, signal });
  await using engine = await openEngine();
  const fetched: string[] = [];
  const onProgress = ({ state, digest }: LayerProgress) => state === 'unpacking' && fetched.push(digest);
  const pull = () => engine.images.pull('debian', { signal, onProgress });
  // The other repository wants credentials too, and those of the machine are used there; this machine has none.
  await assert.rejects(pull(), { kind: 'Unauthenticated' });
  isOpen = true;
  try {
    const images = await Promise.all(Array.from({ length: 8 }, pull));
    assert.equal(new Set(images.map(({ id }) => id)).size, 1);
    assert.deepEqual(images[0]?.references, ['docker.io/library/debian:latest']);
    assert.equal(fetched.length, 1);
  } finally {
    isOpen = false;
  }
});

test('what a dead process left half made is gone at the next start', async () => {
  const engine = await openEngine();
  const { snapshots, directory } = engine;
  const staging = await snapshots.makeTemporary();
  writeFileSync(join(staging, 'half'), '');
  await snapshots.openView(undefined);
  writeFileSync(join(directory, 'l', 'dangling'), '');
  mkdirSync(join(directory, 'layers', 'f'.repeat(64), 'diff'), { recursive: true });
  await engine[Symbol.asyncDispose]();
  await using _ = await openEngine(directory);
  for (const name of ['temporary', 'views', 'l', 'layers'])
    assert.deepEqual(readdirSync(join(directory, name)), [], name);
  assert.deepEqual(
    listMounts().filter(({ target }) => target.startsWith(directory)),
    [],
  );
});

test('a full disk is said to be full', async () => {
  const directory = join(work, 'full');
  mkdirSync(directory);
  mount({ source: 'tmpfs', target: directory, type: 'tmpfs', options: 'size=1m' });
  try {
    await assert.rejects(unpackInto(join(directory, 'tree'), tarOf([{ name: 'big', body: 'x'.repeat(2_000_000) }])), {
      kind: 'ResourceExhausted',
      message: 'archive member "big": no space left on the disk',
    });
  } finally {
    unmount(directory);
  }
});
