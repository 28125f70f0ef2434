import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import type { Engine } from '#engine';
import { endCleanly, engineAt, forever, image, importBusybox, makeHome, runToEnd, start } from './engine.ts';

/** Files in and out of containers, and images in and out of archives, against a real engine. */

const home = makeHome();
const engine: Engine = engineAt(home);
const work = mkdtempSync(join(tmpdir(), 'transfer-'));

before(async () => {
  await engine.start();
  await importBusybox(engine);
});
after(async () => {
  const left = await endCleanly(engine, home);
  rmSync(work, { recursive: true });
  assert.deepEqual(left, []);
});

test('changes tell what was added, modified and deleted, and nothing of mount points', async () => {
  const script =
    'echo one > /new; rm /bin/wc; echo more >> /etc/passwd; mkdir -p /a/b; echo x > /a/b/c; rm -r /data; mkdir /data; echo y > /data/z';
  const { id } = await runToEnd(engine, script);
  const changes = await engine.files.changes(id);
  assert.deepEqual(
    changes.map(({ path, kind }) => `${kind[0]} ${path}`),
    [
      'a /a',
      'a /a/b',
      'a /a/b/c',
      'm /bin',
      'd /bin/wc',
      'm /data',
      'd /data/seed',
      'a /data/z',
      'm /etc',
      'm /etc/passwd',
      'a /new',
    ],
  );
  const untouched = await engine.containers.create({ image, network: { mode: 'none' } });
  assert.deepEqual(await engine.files.changes(untouched.id), []);
});

test('a commit is the image and one layer more', async () => {
  const { id } = await runToEnd(engine, 'echo one > /made; rm /bin/wc; rm -r /data; mkdir /data', { user: '0' });
  const made = await engine.files.commit(id, {
    reference: 'derived:1',
    author: 'somebody',
    comment: 'why not',
    changes: ['ENV A=b', 'CMD ["cat", "/made"]', 'EXPOSE 80', 'WORKDIR /tmp', 'LABEL k=v'],
    isPaused: true,
    signal: forever,
  });
  assert.deepEqual(made.config.Cmd, ['cat', '/made']);
  assert.deepEqual(made.config.Env, ['FROM_IMAGE=1', 'A=b']);
  assert.deepEqual([made.author, made.config.WorkingDir, made.config.Labels], ['somebody', '/tmp', { k: 'v' }]);
  assert.equal(made.diffIds.length, 2);
  assert.equal(made.history.at(-1)?.comment, 'why not');
  assert.deepEqual((await engine.images.layerSizes(made))[1], 4);
  const run = await runToEnd(engine, 'cat /made; test -e /bin/wc || echo gone; ls /data', { image: 'derived:1' });
  assert.equal(run.stdout, 'one\ngone\n');
  assert.ok((await engine.images.layerSizes(made)).every((size) => size >= 0));
  await assert.rejects(engine.files.commit(id, { changes: ['RUN true'], isPaused: true, signal: forever }), {
    kind: 'InvalidArgument',
  });
});

test('a commit of what changed nothing adds no layer', async () => {
  const { id } = await runToEnd(engine, 'true');
  const made = await engine.files.commit(id, { changes: [], isPaused: true, signal: forever });
  assert.equal(made.diffIds.length, 1);
  assert.equal(made.history.at(-1)?.empty_layer, true);
  assert.deepEqual(made.config.Cmd, ['sh', '-c', 'true']);
});

test('a running container is frozen while it is committed, and runs on', async () => {
  const { id } = await start(engine, ['sh', '-c', 'i=0; while true; do i=$((i+1)); echo $i > /count; done']);
  const actions: string[] = [];
  const watching = new AbortController();
  const watched = (async () => {
    for await (const event of engine.events(watching.signal)) if (event.id === id) actions.push(event.action);
  })();
  await engine.files.commit(id, { changes: [], isPaused: true, signal: forever });
  assert.equal((await engine.containers.find(id))?.state.status, 'running');
  await engine.containers.remove(id, { force: true });
  watching.abort();
  await watched;
  assert.deepEqual(actions.slice(0, 3), ['pause', 'commit', 'unpause']);
});

for (const [form, pack] of [
  ['plain', (bytes: Buffer) => bytes],
  ['gzip', (bytes: Buffer) => gzipSync(bytes)],
  ['zstd', (bytes: Buffer) => zstdCompressSync(bytes)],
] as const)
  test(`what is saved is loaded again, ${form}`, async () => {
    const { id } = await runToEnd(engine, `echo ${form} > /form`);
    const made = await engine.files.commit(id, {
      reference: `saved-${form}:1`,
      changes: [],
      isPaused: true,
      signal: forever,
    });
    await engine.images.tag(made.id, `saved-${form}:2`);
    await engine.containers.remove(id);
    const archive = await collect(await engine.images.save([`saved-${form}`], forever));
    const listed = namesIn(archive);
    for (const name of ['index.json', 'oci-layout', 'manifest.json', 'repositories']) assert.ok(listed.includes(name));
    await engine.images.remove(made.id, { force: true });
    assert.equal(await engine.images.find(made.id), undefined);
    const loaded = await engine.images.load(once(pack(archive)), { signal: forever });
    assert.deepEqual(loaded, [
      { id: made.id, references: [`docker.io/library/saved-${form}:1`, `docker.io/library/saved-${form}:2`] },
    ]);
    assert.equal((await runToEnd(engine, 'cat /form', { image: `saved-${form}:2` })).stdout, `${form}\n`);
    assert.deepEqual(await collect(await engine.images.save([`saved-${form}`], forever)), archive);
  });

test('several images share one archive, and an ID saves no names', async () => {
  const { id } = await runToEnd(engine, 'echo several > /form');
  const made = await engine.files.commit(id, { reference: 'several:1', changes: [], isPaused: true, signal: forever });
  const archive = await collect(await engine.images.save([image, made.id], forever));
  const loaded = await engine.images.load(once(archive), { signal: forever });
  assert.deepEqual(
    loaded.map(({ references }) => references),
    [['docker.io/library/busybox:latest'], []],
  );
  const blobs = namesIn(archive).filter((name) => /^blobs\/sha256\/./.test(name));
  assert.equal(blobs.length, 6, 'two layers, two configs, two manifests');
  await assert.rejects(engine.images.save(['no/such:image'], forever), { kind: 'NotFound' });
});

test('archives of other tools are loaded', async () => {
  const saved = join(work, 'saved.tar');
  writeFileSync(saved, await collect(await engine.images.save([image], forever)));
  const { id } = (await engine.images.find(image))!;
  for (const form of ['docker-archive', 'oci-archive']) {
    const path = join(work, `${form}.tar`);
    execFileSync('skopeo', [
      'copy',
      '-q',
      '--insecure-policy',
      `docker-archive:${saved}`,
      `${form}:${path}:other/${form}:3`,
    ]);
    const [loaded] = await engine.images.load(once(readFileSync(path)), { signal: forever });
    assert.deepEqual(loaded?.references, [`docker.io/other/${form}:3`]);
    assert.equal((await runToEnd(engine, 'echo $FROM_IMAGE', { image: `other/${form}:3` })).stdout, '1\n');
    if (form === 'docker-archive') assert.equal(loaded.id, id);
  }
});

test('what is no archive of images, or lies about its content, is refused', async () => {
  const archive = await collect(await engine.images.save([image], forever));
  const directory = join(work, 'lying');
  mkdirSync(directory);
  execFileSync('tar', ['-xf', '-', '-C', directory], { input: archive });
  const { layers } = JSON.parse(readFileSync(join(directory, firstManifest(directory)), 'utf8')) as {
    layers: { digest: string }[];
  };
  const layer = join(directory, `blobs/${layers[0]!.digest.replace(':', '/')}`);
  const evil = join(work, 'evil.tar');
  execFileSync('tar', ['-C', '/etc', '-cf', layer, 'hostname']);
  execFileSync('tar', ['-C', directory, '-cf', evil, '.']);
  await engine.images.tag(image, 'kept');
  const base = (await engine.images.find(image))!;
  await assert.rejects(engine.images.load(once(Buffer.from('not a tar at all')), { signal: forever }), {
    kind: 'InvalidArgument',
  });
  await assert.rejects(engine.images.load(once(Buffer.alloc(1024)), { signal: forever }), /holds no images/);
  // The layer is here already, so its bytes are not looked at; the image stays what it was.
  await engine.images.load(once(readFileSync(evil)), { signal: forever });
  assert.equal((await engine.images.find(image))?.id, base.id);
  rmSync(layer);
  symlinkSync('/etc/hostname', layer);
  for (const name of ['index.json', 'repositories']) rmSync(join(directory, name));
  symlinkSync('/etc/passwd', join(directory, 'manifest.json.new'));
  rmSync(join(directory, 'manifest.json'));
  execFileSync('mv', [join(directory, 'manifest.json.new'), join(directory, 'manifest.json')]);
  execFileSync('tar', ['-C', directory, '-cf', evil, '.']);
  await assert.rejects(engine.images.load(once(readFileSync(evil)), { signal: forever }), /holds no images/);
});

for (const state of ['running', 'stopped', 'created'] as const)
  test(`files are copied in and out of a ${state} container, volumes and binds included`, async () => {
    const bound = join(work, `bound-${state}`);
    mkdirSync(bound);
    const mounts = [
      { kind: 'volume', name: `v-${state}`, target: '/vol' },
      { kind: 'bind', source: bound, target: '/vol/bound' },
      { kind: 'bind', source: bound, target: '/ro', isReadOnly: true },
    ] as const;
    const container = await engine.containers.create({
      image,
      command: ['sleep', '100'],
      network: { mode: 'none' },
      mounts,
    });
    const { id } = container;
    if (state !== 'created') await engine.containers.start(id);
    if (state === 'stopped') await engine.containers.stop(id, { timeoutMs: 0 });
    const tar = packed(`in-${state}`, { hello: 'hello\n' });
    for (const path of ['/tmp', '/vol', '/vol/bound']) {
      await engine.files.write(id, path, once(tar), { isKindKept: true, isOwnedByUser: false, signal: forever });
      const { stat, tar: out } = await engine.files.read(id, `${path}/hello`, forever);
      assert.equal(stat.sizeBytes, 6);
      assert.equal(execFileSync('tar', ['-xOf', '-', 'hello'], { input: await collect(out) }).toString(), 'hello\n');
    }
    assert.equal(readFileSync(join(bound, 'hello'), 'utf8'), 'hello\n');
    await assert.rejects(
      engine.files.write(id, '/ro', once(tar), { isKindKept: true, isOwnedByUser: false, signal: forever }),
      { kind: 'PermissionDenied' },
    );
    if (state !== 'running') await engine.containers.start(id);
    const exec = await engine.containers.exec(id, { args: ['cat', '/tmp/hello', '/vol/bound/hello'], stdin: false });
    let output = '';
    for await (const { data } of exec.attachment.output) output += data.toString();
    assert.equal(output, 'hello\nhello\n');
    await engine.containers.remove(id, { force: true });
  });

test('copying obeys kinds, owners and names', async () => {
  const { id } = await start(engine, ['sleep', '100'], { user: 'web' });
  const write = (path: string, tar: Buffer, options = {}) =>
    engine.files.write(id, path, once(tar), { isKindKept: false, isOwnedByUser: false, signal: forever, ...options });
  await assert.rejects(write('/nowhere', packed('k1', { f: '' })), { kind: 'NotFound' });
  await assert.rejects(write('/etc/passwd', packed('k2', { f: '' })), { kind: 'InvalidArgument' });
  await assert.rejects(
    write('/', packed('k3', { data: 'a file now' }), { isKindKept: true }),
    /cannot overwrite directory/,
  );
  await write('/tmp', packed('k4', { mine: 'x' }), { isOwnedByUser: true });
  const listing = await collect((await engine.files.read(id, '/tmp/mine', forever)).tar);
  assert.match(execFileSync('tar', ['--numeric-owner', '-tvf', '-'], { input: listing }).toString(), / 1000\/1000 /);
  assert.deepEqual(namesIn(await collect((await engine.files.read(id, '/data', forever)).tar)), ['data/', 'data/seed']);
  assert.deepEqual(namesIn(await collect((await engine.files.read(id, '/data/.', forever)).tar)), ['./', './seed']);
  const link = await engine.files.stat(id, '/bin/cat');
  assert.equal(link.linkTarget, '/bin/busybox');
  assert.equal((await engine.files.stat(id, '/')).mode & 0o170000, 0o040000);
  await engine.containers.remove(id, { force: true });
});

test('nothing reaches outside the container, whatever its links say', async () => {
  const outside = join(work, 'outside');
  mkdirSync(outside);
  const line = `ln -s ${outside} /escape; ln -s / /vol/up; ln -s ../../../../../..${outside} /climb; sleep 100`;
  const { id } = await start(engine, ['sh', '-c', line], {
    mounts: [{ kind: 'volume', name: 'escape', target: '/vol' }],
  });
  const isLinked = async () => (await engine.files.stat(id, '/climb')).linkTarget !== '';
  while (!(await isLinked().catch(() => false)));
  const tar = packed('escape', { planted: 'evil' });
  for (const stop of [false, true]) {
    if (stop) await engine.containers.stop(id, { timeoutMs: 0 });
    for (const path of ['/escape', '/climb', `/vol/up${outside}`, `/../../../..${outside}`])
      await assert.rejects(
        engine.files.write(id, path, once(tar), { isKindKept: false, isOwnedByUser: false, signal: forever }),
        { kind: 'NotFound' },
      );
    await assert.rejects(engine.files.stat(id, `${work}/outside`), { kind: 'NotFound' });
    assert.ok(!existsSync(join(outside, 'planted')));
  }
});

test('an export holds the root file system and no volume', async () => {
  const mounts = [{ kind: 'volume', name: 'exported', target: '/vol' }] as const;
  const { id } = await runToEnd(engine, 'echo x > /own; echo y > /vol/other', { mounts });
  const names = namesIn(await collect(await engine.files.export(id, forever)));
  assert.ok(names.includes('own') && names.includes('bin/busybox'));
  assert.ok(!names.includes('vol/other'));
  await assert.rejects(engine.files.export('nobody', forever), { kind: 'NotFound' });
});

test('a stream given up halfway leaves nothing mounted', async () => {
  const { id } = await runToEnd(engine, 'true');
  for await (const chunk of await engine.files.export(id, forever)) {
    assert.ok(chunk.length > 0);
    break;
  }
  await engine.containers.start(id);
  await engine.containers.wait(id, 'not-running', forever);
});

function packed(name: string, files: { readonly [name: string]: string }): Buffer {
  const directory = join(work, name);
  mkdirSync(directory);
  for (const [file, text] of Object.entries(files)) writeFileSync(join(directory, file), text);
  return execFileSync('tar', ['-C', directory, '-cf', '-', ...Object.keys(files)]);
}

function firstManifest(directory: string): string {
  const index = JSON.parse(readFileSync(join(directory, 'index.json'), 'utf8')) as { manifests: { digest: string }[] };
  return `blobs/${index.manifests[0]!.digest.replace(':', '/')}`;
}

function namesIn(archive: Buffer): readonly string[] {
  return execFileSync('tar', ['-tf', '-'], { input: archive, maxBuffer: 1 << 26 })
    .toString()
    .split('\n')
    .filter(Boolean);
}

async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of source) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}
