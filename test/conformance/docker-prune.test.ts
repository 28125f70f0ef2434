import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { busybox as image, Dabba } from '../harness/dabba.ts';

/** What `prune` takes by age and by size, of the build cache and of images. */

let dabba: Dabba;

before(async () => {
  dabba = await Dabba.withBusybox();
});
after(async () => {
  await dabba[Symbol.asyncDispose]();
});

const docker = async (...args: string[]) => await dabba.docker(...args);

async function build(name: string, ...lines: readonly string[]): Promise<void> {
  const dockerfile = dabba.file(`${name}/Dockerfile`, [`FROM ${image}`, ...lines, ''].join('\n'));
  await docker('build', '-q', '--network', 'none', '-t', name, join(dockerfile, '..'));
}

/** Bytes of the build cache that no image needs. */
async function reclaimable(): Promise<number> {
  const line = await docker('system', 'df', '--format', '{{if eq .Type "Build Cache"}}{{.Reclaimable}}{{end}}');
  const [, amount = '', unit = ''] = /([\d.]+)(B|kB|MB)/.exec(line) ?? [];
  return Number(amount) * ({ B: 1, kB: 1e3, MB: 1e6 }[unit] ?? Number.NaN);
}

const fill = (name: string, kilobytes: number) => `RUN head -c ${kilobytes}000 /dev/urandom > /${name}`;

test('docker builder prune keeps what was used lately, and as much as it is told to', async () => {
  await build('old', fill('first', 300));
  await build('new', fill('second', 500));
  // Only what no image needs frees anything.
  await docker('rmi', 'old', 'new');
  assert.equal(await reclaimable(), 800_000);
  assert.match(await docker('builder', 'prune', '-af', '--filter', 'until=1h'), /reclaimed space: 0B/);
  assert.match(await docker('builder', 'prune', '-af', '--filter', 'unused-for=1h'), /reclaimed space: 0B/);
  assert.match(await docker('builder', 'prune', '-f', '--keep-storage', '900kB'), /reclaimed space: 0B/);
  assert.match(await docker('builder', 'prune', '-f', '--keep-storage', '600kB'), /reclaimed space: 300kB/);
  assert.equal(await reclaimable(), 500_000, 'the step that was used last stays');
  assert.match(await docker('builder', 'prune', '-af', '--filter', 'until=1ms'), /reclaimed space: 500kB/);
  assert.equal(await reclaimable(), 0);
});

test('docker image prune -a takes images by age, and none that a container is made from', async () => {
  await build('aged', 'ARG SOURCE_DATE_EPOCH', 'RUN echo aged > /aged');
  const epoch = ['--build-arg', `SOURCE_DATE_EPOCH=${Math.floor(Date.now() / 1000) - 3600 * 48}`];
  const dockerfile = dabba.file('older/Dockerfile', `FROM ${image}\nRUN echo older > /older\n`);
  await docker('build', '-q', '--network', 'none', ...epoch, '-t', 'older', join(dockerfile, '..'));
  await docker('build', '-q', '--network', 'none', ...epoch, '-t', 'used', '--label', 'x=y', join(dockerfile, '..'));
  await docker('create', '--name', 'user', 'used');
  const pruned = await docker('image', 'prune', '-af', '--filter', 'until=24h');
  assert.match(pruned, /older/);
  assert.doesNotMatch(pruned, /aged|used/);
  const left = (await docker('images', '--format', '{{.Repository}}')).split('\n');
  assert.ok(
    ['aged', 'used'].every((name) => left.includes(name)),
    left.join(),
  );
  await docker('rm', 'user');
  assert.match(await docker('system', 'prune', '-af', '--filter', 'until=24h'), /used/);
  await dabba.refused('invalid filter', 'docker', ['builder', 'prune', '-f', '--filter', 'color=red']);
});
