import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  statfsSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Dabba } from '../harness/dabba.ts';
import { eventually } from '../harness/machine.ts';

/** The unmodified docker client against a daemon whose disk fills up: a file system in memory, of the size of a small image. */

const image = 'public.ecr.aws/docker/library/busybox:latest';
const MIB = 1 << 20;
const diskMiB = 96;
const noSpace = /no space left on (the disk|device)/i;

let home: string;
let data: string;
let dabba: Dabba;
/** What the disk holds when nothing is going on. */
let restingBytes: number;

/** What is in use, but for the trash: that is emptied in time, or at once when the disk is nearly full. */
function usedBytes(): number {
  const { blocks, bfree, bsize } = statfsSync(data);
  const trash = execFileSync('du', ['-s', '-B1', join(data, 'engine/trash')], { encoding: 'utf8' });
  return (blocks - bfree) * bsize - Number.parseInt(trash, 10);
}
const docker = async (...args: string[]) => await dabba.docker(...args);

/** The space is given back, to within what records and caches take. */
async function assertGivenBack(what: string): Promise<void> {
  await eventually(`the space of ${what}`, 10_000, async () => usedBytes() < restingBytes + 2 * MIB).catch(() => {
    const du = execFileSync('du', ['-a', '-m', '-d', '4', data], { encoding: 'utf8' });
    assert.fail(`${what} left ${usedBytes() - restingBytes} bytes more:\n${du}`);
  });
}

async function assertWorks(): Promise<void> {
  assert.equal(await docker('run', '--rm', '--network', 'none', image, 'echo', 'alive'), 'alive');
}

/** Takes all that is left of the disk until disposed. */
function fill(): Disposable {
  const path = join(data, 'ballast');
  const file = openSync(path, 'w');
  const chunk = Buffer.alloc(MIB);
  for (let size = chunk.length; size > 0;)
    try {
      writeSync(file, chunk, 0, size);
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC');
      size = Math.floor(size / 2);
    }
  closeSync(file);
  return { [Symbol.dispose]: () => rmSync(path, { force: true }) };
}

before(async () => {
  home = mkdtempSync(join(tmpdir(), 'dabba-full-'));
  data = join(home, 'data');
  mkdirSync(data);
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${diskMiB}m`, 'tmpfs', data]);
  const big = join(home, 'context');
  mkdirSync(big);
  // Twice what fits, of bytes that do not shrink.
  execFileSync('sh', ['-c', `head -c ${2 * diskMiB * MIB} /dev/urandom > ${join(big, 'big')}`]);
  dabba = await Dabba.start([], { data });
  const seeded = await dabba.command('images', ['seed', 'busybox']);
  assert.equal(seeded.status, 0, seeded.stderr);
  await assertWorks();
  restingBytes = usedBytes();
});
after(async () => {
  await dabba[Symbol.asyncDispose]();
  execFileSync('umount', [data]);
  rmSync(home, { recursive: true });
});

test('a build whose context, COPY or RUN does not fit', async () => {
  writeFileSync(join(home, 'context/Dockerfile'), `FROM ${image}\nCOPY big /big\n`);
  await dabba.refused(noSpace, 'docker', ['build', join(home, 'context')]);
  await assertGivenBack('a context');
  const small = join(home, 'small');
  mkdirSync(small);
  const half = Math.floor((diskMiB * 0.6 * MIB) / MIB);
  execFileSync('sh', ['-c', `head -c ${half * MIB} ${join(home, 'context/big')} > ${join(small, 'half')}`]);
  writeFileSync(join(small, 'Dockerfile'), `FROM ${image}\nCOPY half /half\n`);
  await dabba.refused(noSpace, 'docker', ['build', small]);
  await assertGivenBack('COPY');
  rmSync(join(small, 'half'));
  writeFileSync(join(small, 'Dockerfile'), `FROM ${image}\nRUN dd if=/dev/zero of=/big bs=1M count=${2 * diskMiB}\n`);
  await dabba.refused(noSpace, 'docker', ['build', '--network', 'none', small]);
  await assertGivenBack('RUN');
  writeFileSync(join(small, 'Dockerfile'), `FROM ${image}\nRUN echo fits > /small\n`);
  await docker('build', '--network', 'none', '-t', 'fits', small);
  assert.equal(await docker('run', '--rm', '--network', 'none', 'fits', 'cat', '/small'), 'fits');
  await docker('rmi', 'fits');
  await docker('builder', 'prune', '-af');
  await assertGivenBack('the build that fitted');
});

test('an image that does not fit, by load and by import', async () => {
  const archive = join(home, 'image.tar');
  execFileSync('tar', ['-C', join(home, 'context'), '-cf', archive, 'big']);
  await dabba.refused(noSpace, 'docker', ['import', archive, 'large']);
  await assertGivenBack('an import');
  const layout = join(home, 'layout');
  mkdirSync(layout);
  execFileSync('mv', [archive, join(layout, 'layer.tar')]);
  writeFileSync(
    join(layout, 'config.json'),
    '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}',
  );
  writeFileSync(
    join(layout, 'manifest.json'),
    '[{"Config":"config.json","RepoTags":["large:1"],"Layers":["layer.tar"]}]',
  );
  execFileSync('tar', ['-C', layout, '-cf', join(home, 'saved.tar'), 'manifest.json', 'config.json', 'layer.tar']);
  await dabba.refused(noSpace, 'docker', ['load', '-i', join(home, 'saved.tar')]);
  rmSync(layout, { recursive: true });
  rmSync(join(home, 'saved.tar'));
  await assertGivenBack('a load');
  assert.equal(await docker('images', '-q', 'large'), '');
  await assertWorks();
});

test('a file that does not fit into a container, copied and written', async () => {
  await docker('run', '-d', '--name', 'holder', '--network', 'none', image, 'sleep', '1000');
  await dabba.refused(noSpace, 'docker', ['cp', join(home, 'context/big'), 'holder:/big']);
  await dabba.refused(noSpace, 'docker', ['exec', 'holder', 'dd', 'if=/dev/zero', 'of=/more', 'bs=1M']);
  assert.equal(await docker('inspect', 'holder', '-f', '{{.State.Status}}'), 'running');
  await docker('rm', '-f', 'holder');
  await assertGivenBack('the container');
  await assertWorks();
});

test('on a full disk nothing starts, and all that is there can be stopped and removed', async () => {
  for (const name of ['runs', 'ended'])
    await docker('run', '-d', '--name', name, '--network', 'none', image, 'sleep', name === 'runs' ? '1000' : '0');
  await docker('wait', 'ended');
  await docker('tag', image, 'second:1');
  {
    using _full = fill();
    await dabba.refused(noSpace, 'docker', ['run', '--name', 'late', '--network', 'none', image, 'true']);
    assert.match(await docker('ps', '-a', '--format', '{{.Names}}'), /runs/);
    assert.equal(await docker('exec', 'runs', 'echo', 'alive'), 'alive');
    await docker('stop', '-t', '0', 'runs');
    assert.equal(await docker('wait', 'runs'), '137');
    await docker('rm', 'runs', 'ended');
    await docker('rmi', 'second:1');
  }
  assert.equal(await docker('ps', '-aq'), '');
  assert.deepEqual(readdirSync(join(data, 'engine/containers')), [], 'nothing half made is left');
  await assertWorks();
  await assertGivenBack('both containers');
});

test('a registry without room refuses a push, and takes it when there is room', async () => {
  const small = join(home, 'pushed');
  mkdirSync(small);
  writeFileSync(join(small, 'Dockerfile'), `FROM ${image}\nRUN dd if=/dev/urandom of=/blob bs=1M count=8\n`);
  const host = `127.0.0.1:${dabba.port}`;
  await dabba.aws('ecr', 'create-repository', '--repository-name', 'app');
  const password = await dabba.aws('ecr', 'get-login-password');
  await dabba.client('docker', ['login', '-u', 'AWS', '--password-stdin', host], { input: password });
  const name = `${host}/000000000000/us-east-1/app:1`;
  await docker('build', '--network', 'none', '-t', name, small);
  {
    using _full = fill();
    await dabba.refused(/no space|full/i, 'docker', ['push', name]);
    assert.equal(await dabba.aws('ecr', 'list-images', '--repository-name', 'app', '--query', 'imageIds'), '');
  }
  await docker('push', name);
  await docker('rmi', name);
  await docker('builder', 'prune', '-af');
  {
    using _full = fill();
    await dabba.refused(noSpace, 'docker', ['pull', name]);
  }
  await docker('pull', name);
  await docker('rmi', name);
  await dabba.aws('ecr', 'delete-repository', '--repository-name', 'app', '--force');
  await assertGivenBack('a pushed image');
});

test('after all this the daemon starts again and finds what it had', async () => {
  await dabba.killBoth();
  await dabba.up();
  await assertWorks();
  await assertGivenBack('all of it');
});
