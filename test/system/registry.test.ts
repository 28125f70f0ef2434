import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtempDisposable, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { digestOf, hexOf, type Digest } from '#base';

const run = promisify(execFile);
const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const authorization = `Basic ${Buffer.from('AWS:secret').toString('base64')}`;

/** A registry in a process of its own, over `directory`. */
async function startServer(directory: string) {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'registry-server.ts'), directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const host = `127.0.0.1:${Number(String(line))}`;
  return {
    host,
    async request(path: string, init: RequestInit = {}) {
      const headers = new Headers(init.headers);
      headers.set('authorization', authorization);
      return await fetch(`http://${host}${path}`, { ...init, headers });
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    },
  };
}

type Server = Awaited<ReturnType<typeof startServer>>;

/** An image of one layer as an OCI layout (OCI image specification, "Image Layout"). */
async function writeLayout(directory: string): Promise<void> {
  const blobs = join(directory, 'blobs/sha256');
  await mkdir(blobs, { recursive: true });
  const put = async (bytes: Buffer, mediaType: string) => {
    const digest = digestOf(bytes);
    await writeFile(join(blobs, hexOf(digest)), bytes);
    return { mediaType, digest, size: bytes.length };
  };
  const tar = Buffer.alloc(1024);
  const json = (value: object) => Buffer.from(JSON.stringify(value));
  const layer = await put(gzipSync(tar), 'application/vnd.oci.image.layer.v1.tar+gzip');
  const config = await put(
    json({ architecture: 'amd64', os: 'linux', config: {}, rootfs: { type: 'layers', diff_ids: [digestOf(tar)] } }),
    'application/vnd.oci.image.config.v1+json',
  );
  const manifest = await put(
    json({ schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers: [layer] }),
    OCI_MANIFEST,
  );
  const annotations = { 'org.opencontainers.image.ref.name': 'v1' };
  await writeFile(join(directory, 'index.json'), json({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] }));
  await writeFile(join(directory, 'oci-layout'), json({ imageLayoutVersion: '1.0.0' }));
}

test('registry: skopeo pushes, inspects, copies within, pulls and deletes', async () => {
  await using directory = await mkdtempDisposable(join(tmpdir(), 'dabba-registry-'));
  await using server = await startServer(join(directory.path, 'registry'));
  const layout = join(directory.path, 'layout');
  await writeLayout(layout);
  const skopeo = async (...args: string[]) => (await run('skopeo', ['--insecure-policy', ...args])).stdout;
  const remote = (name: string) => `docker://${server.host}/${name}`;
  const to = ['--dest-tls-verify=false', '--dest-creds=AWS:secret'];
  const from = ['--src-tls-verify=false', '--src-creds=AWS:secret'];

  await skopeo('copy', ...to, `oci:${layout}:v1`, remote('team/app:v1'));
  await skopeo('copy', ...to, '--format=v2s2', `oci:${layout}:v1`, remote('team/app:docker'));
  const inspected = await skopeo('inspect', '--tls-verify=false', '--creds=AWS:secret', remote('team/app:v1'));
  const { Digest: digest, RepoTags: tags } = JSON.parse(inspected) as { Digest: Digest; RepoTags: string[] };
  assert.deepEqual(tags, ['docker', 'v1']);
  await skopeo('copy', ...from, ...to, remote('team/app:v1'), remote('other:v1'));
  await skopeo('copy', ...from, remote('other:v1'), `dir:${join(directory.path, 'pulled')}`);
  assert.equal(digestOf(await readFile(join(directory.path, 'pulled/manifest.json'))), digest);
  await skopeo('delete', '--tls-verify=false', '--creds=AWS:secret', remote('other:v1'));
  assert.equal((await server.request('/v2/other/manifests/v1')).status, 404);
  await assert.rejects(skopeo('inspect', '--tls-verify=false', remote('team/app:v1')), /unauthorized|authentication/i);
});

/** Pushes images until the server dies; answers what it acknowledged. */
async function pushUntilKilled(server: Server, worker: number, acknowledged: Map<string, Digest>): Promise<void> {
  for (let count = 0; ; count++) {
    const layer = randomBytes(20_000 + worker * 7000);
    const config = Buffer.from(`{"worker":${worker},"count":${count}}`);
    const manifest = JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: digestOf(config), size: config.length },
      layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: digestOf(layer), size: layer.length }],
    });
    const send = async (
      path: string,
      method: string,
      body: string | Uint8Array<ArrayBuffer>,
      headers: Record<string, string> = {},
    ) => {
      const response = await server.request(path, { method, body, headers });
      assert.ok(response.status === 201 || response.status === 202, `${method} ${path}: ${response.status}`);
      await response.arrayBuffer();
      return response;
    };
    try {
      for (const blob of [layer, config]) {
        const { headers } = await send('/v2/app/blobs/uploads/', 'POST', '');
        await send(headers.get('location')!, 'PATCH', new Uint8Array(blob));
        await send(`${headers.get('location')}?digest=${digestOf(blob)}`, 'PUT', '');
        acknowledged.set(`blobs/${digestOf(blob)}`, digestOf(blob));
      }
      const tag = `w${worker}-${count}`;
      await send(`/v2/app/manifests/${tag}`, 'PUT', manifest, { 'content-type': OCI_MANIFEST });
      acknowledged.set(`manifests/${tag}`, digestOf(manifest));
    } catch (error) {
      // `fetch` fails so when the server is gone.
      if (error instanceof TypeError) return;
      throw error;
    }
  }
}

test('registry: killed in the midst of pushes, it has everything it acknowledged and no half blob', async () => {
  await using directory = await mkdtempDisposable(join(tmpdir(), 'dabba-registry-'));
  const acknowledged = new Map<string, Digest>();
  for (const goal of [5, 30, 60]) {
    const server = await startServer(directory.path);
    const pushing = [0, 1, 2, 3].map(async (worker) => await pushUntilKilled(server, worker, acknowledged));
    // The kill comes at whatever instruction the server has come to by then.
    while (acknowledged.size < goal) await new Promise(setImmediate);
    await server[Symbol.asyncDispose]();
    await Promise.all(pushing);
  }
  await using server = await startServer(directory.path);
  for (const [path, digest] of acknowledged) {
    const response = await server.request(`/v2/app/${path}`);
    assert.equal(response.status, 200, path);
    assert.equal(digestOf(new Uint8Array(await response.arrayBuffer())), digest);
  }
  const blobs = join(directory.path, 'blobs/blobs/sha256');
  for (const shard of await readdir(blobs))
    for (const hex of await readdir(join(blobs, shard)))
      assert.equal(hexOf(digestOf(await readFile(join(blobs, shard, hex)))), hex, 'a visible blob is whole');
});
