import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, readlinkSync, statSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { busybox as image, Dabba } from '../harness/dabba.ts';

/** The unmodified docker client: images in and out of archives, files in and out of containers, what containers changed. */

let dabba: Dabba;

before(async () => {
  dabba = await Dabba.withBusybox();
  await docker('pull', '-q', image);
});
after(async () => {
  await dabba[Symbol.asyncDispose]();
});

const docker = async (...args: string[]) => await dabba.docker(...args);
const path = (name: string) => join(dabba.work, name);

test('docker diff and commit: only the read/write layer differs', async () => {
  await docker(
    'run',
    '--name',
    'w1',
    '-e',
    'A=b',
    image,
    'sh',
    '-c',
    'echo one > /data; rm /bin/wc; touch /etc/passwd',
  );
  assert.deepEqual((await docker('diff', 'w1')).split('\n').sort(), [
    'A /data',
    'C /bin',
    'C /etc',
    'C /etc/passwd',
    'D /bin/wc',
  ]);
  const id = await docker(
    'commit',
    '-a',
    'me',
    '-m',
    'why',
    '-c',
    'CMD ["cat","/data"]',
    '-c',
    'LABEL x=y z="1 2"',
    'w1',
    'derived:1',
  );
  assert.match(id, /^sha256:[0-9a-f]{64}$/);
  assert.equal(await docker('run', '--rm', 'derived:1'), 'one');
  assert.equal(await docker('run', '--rm', 'derived:1', 'sh', '-c', 'test -e /bin/wc || echo $A gone'), 'b gone');
  const shown = await docker('inspect', 'derived:1', '-f', '{{.Author}} {{.Comment}} {{index .Config.Labels "z"}}');
  assert.equal(shown, 'me why 1 2');
  const sizes = (await docker('history', '--human=false', '--format', '{{.Size}}', 'derived:1'))
    .split('\n')
    .map(Number);
  assert.equal(sizes.length >= 2, true);
  assert.ok(
    sizes.every((size) => size >= 0),
    'no size is -1',
  );
  await docker('rm', 'w1');
});

test('docker save and load: an OCI layout that old and new tools read', async () => {
  const archive = path('saved.tar');
  await docker('tag', 'derived:1', 'derived:2');
  await docker('save', 'derived', image, '-o', archive);
  const members = execFileSync('tar', ['-tf', archive]).toString();
  for (const name of ['index.json', 'oci-layout', 'manifest.json', 'repositories'])
    assert.match(members, new RegExp(`^${name}$`, 'm'));
  for (const transport of [`docker-archive:${archive}:derived:2`, `oci-archive:${archive}:2`])
    assert.match(execFileSync('skopeo', ['inspect', transport]).toString(), /"Architecture"/);
  const before = await docker('inspect', '-f', '{{.Id}}', 'derived:1');
  await docker('rmi', 'derived:1', 'derived:2');
  assert.equal(
    await docker('load', '-q', '-i', archive),
    `Loaded image: derived:1\nLoaded image: derived:2\nLoaded image: ${image}`,
  );
  assert.equal(await docker('inspect', '-f', '{{.Id}}', 'derived:2'), before);
  assert.equal(await docker('run', '--rm', 'derived:2'), 'one');
  await docker('save', before, '-o', path('nameless.tar'));
  await docker('rmi', 'derived:1', 'derived:2');
  execFileSync('gzip', [path('nameless.tar')]);
  assert.equal(await docker('load', '-q', '-i', path('nameless.tar.gz')), `Loaded image ID: ${before}`);
  await dabba.refused('No such image: nobody:latest', 'docker', ['save', 'nobody']);
  await dabba.refused(/archive|tar/, 'docker', ['load', '-i', dabba.file('no-archive', 'x'.repeat(2048))]);
  await docker('rmi', before);
});

test('docker export and import', async () => {
  await docker('run', '--name', 'ex', '-v', '/vol', image, 'sh', '-c', 'echo kept > /kept; echo lost > /vol/lost');
  await docker('export', 'ex', '-o', path('ex.tar'));
  const members = execFileSync('tar', ['-tf', path('ex.tar')]).toString();
  assert.match(members, /^kept$/m);
  assert.doesNotMatch(members, /vol\/lost/);
  const id = await docker(
    'import',
    '-m',
    'by hand',
    '-c',
    'ENTRYPOINT ["cat"]',
    '-c',
    'CMD ["/kept"]',
    path('ex.tar'),
    'imported:1',
  );
  assert.equal(await docker('run', '--rm', 'imported:1'), 'kept');
  assert.equal(await docker('inspect', '-f', '{{.Id}} {{.Comment}}', 'imported:1'), `${id} by hand`);
  await dabba.refused('not a valid change command', 'docker', ['import', '-c', 'RUN true', path('ex.tar'), 'never:1']);
  await docker('rm', '-v', 'ex');
  await docker('rmi', 'imported:1');
});

test('docker import takes an archive from a server', async () => {
  const archive = execFileSync('tar', ['-C', dabba.work, '-cf', '-', 'served'], {
    cwd: join(dabba.file('served/file', 'from afar\n'), '../..'),
  });
  const server = createServer((request, response) =>
    request.url === '/root.tar' ? response.end(archive) : response.writeHead(404).end(),
  );
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo; // a TCP server has one
  try {
    await docker('import', `http://127.0.0.1:${port}/root.tar`, 'served:1');
    await docker('create', '--name', 'served', 'served:1', 'x');
    assert.match(execFileSync('tar', ['-xO'], { input: await exported('served') }).toString(), /from afar/);
    await dabba.refused('the server answered 404', 'docker', ['import', `http://127.0.0.1:${port}/none`, 'never:1']);
  } finally {
    server.close();
  }
  await docker('rm', 'served');
  await docker('rmi', 'served:1');
});

/** The file system of a container as a tar. */
async function exported(name: string): Promise<Buffer> {
  await docker('export', name, '-o', path(`${name}.tar`));
  return readFileSync(path(`${name}.tar`));
}

for (const state of ['running', 'stopped'] as const)
  test(`docker cp, ${state}: files, trees, links, volumes and binds, both ways`, async () => {
    const bound = path(`bound-${state}`);
    mkdirSync(bound);
    await docker(
      'run',
      '-d',
      '--name',
      'cp',
      '-v',
      `cp-${state}:/vol`,
      '-v',
      `${bound}:/bound`,
      '-v',
      `${bound}:/ro:ro`,
      image,
      'sleep',
      '300',
    );
    if (state === 'stopped') await docker('stop', '-t', '0', 'cp');
    const source = dabba.file(`tree-${state}/sub/file`, 'content\n');
    const tree = path(`tree-${state}`);
    symlinkSync('sub/file', join(tree, 'link'));
    await docker('cp', source, 'cp:/tmp/renamed');
    await docker('cp', tree, 'cp:/tmp/new');
    await docker('cp', `${tree}/.`, 'cp:/vol');
    await docker('cp', source, 'cp:/bound/');
    assert.equal(readFileSync(join(bound, 'file'), 'utf8'), 'content\n');
    for (const name of ['/tmp/renamed', '/tmp/new/sub/file', '/vol/sub/file', '/bound/file']) {
      await docker('cp', `cp:${name}`, path('out'));
      assert.equal(readFileSync(path('out'), 'utf8'), 'content\n', name);
    }
    await docker('cp', 'cp:/tmp/new', path(`back-${state}`));
    assert.equal(readlinkSync(path(`back-${state}/link`)), 'sub/file');
    await docker('cp', '-L', 'cp:/tmp/new/link', path(`followed-${state}`));
    assert.ok(statSync(path(`followed-${state}`)).isFile());
    await dabba.refused('Could not find the file /nope in container cp', 'docker', ['cp', 'cp:/nope', path('nope')]);
    await dabba.refused('read-only', 'docker', ['cp', source, 'cp:/ro/']);
    await dabba.refused(/cannot overwrite|cannot copy/, 'docker', ['cp', tree, 'cp:/tmp/renamed']);
    await docker('rm', '-f', 'cp');
    await docker('volume', 'rm', `cp-${state}`);
  });

test('a container cannot lead docker cp astray', async () => {
  const outside = path('outside');
  mkdirSync(outside);
  await docker('run', '--name', 'evil', image, 'sh', '-c', `ln -s ${outside} /escape; ln -s / /root-link`);
  const file = dabba.file('plant', 'evil');
  await dabba.refused('Could not find', 'docker', ['cp', file, 'evil:/escape/plant']);
  await dabba.refused('Could not find', 'docker', ['cp', `evil:/root-link${file}`, path('read')]);
  assert.ok(!existsSync(join(outside, 'plant')));
  await docker('rm', 'evil');
});

test('docker pull --platform takes what was asked for, or says that there is none', async () => {
  await docker('pull', '-q', '--platform', `linux/${process.arch === 'x64' ? 'amd64' : process.arch}`, image);
  await dabba.refused(/does not match the specified platform|no matching manifest/, 'docker', [
    'pull',
    '--platform',
    'linux/s390x',
    image,
  ]);
});

test('docker image prune obeys its filters', async () => {
  const commit = async (label: string) => {
    await docker('run', '--name', label, image, 'sh', '-c', `echo ${label} > /label`);
    const id = await docker('commit', '-c', `LABEL keep=${label}`, label);
    await docker('rm', label);
    return id;
  };
  const [one, two] = [await commit('one'), await commit('two')];
  const ids = async () => (await docker('images', '-aq', '--no-trunc')).split('\n');
  await docker('image', 'prune', '-f', '--filter', 'until=1h');
  await docker('image', 'prune', '-f', '--filter', 'label!=keep');
  assert.deepEqual((await ids()).filter((id) => [one, two].includes(id)).length, 2);
  await docker('image', 'prune', '-f', '--filter', 'label=keep=one');
  assert.deepEqual(
    (await ids()).filter((id) => [one, two].includes(id)),
    [two],
  );
  assert.match(await docker('image', 'prune', '-f'), /Total reclaimed space: 4B/);
  await dabba.refused('invalid filter', 'docker', ['image', 'prune', '-f', '--filter', 'color=red']);
});

test('docker search finds what the local gallery has', async () => {
  const names = await docker('search', '--format', '{{.Name}} {{.IsOfficial}}', 'busy');
  assert.equal(names, 'public.ecr.aws/docker/library/busybox [OK]');
  assert.equal(await docker('search', '--format', '{{.Name}}', 'no-such-thing'), '');
});
