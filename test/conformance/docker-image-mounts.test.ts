/** The unmodified docker client mounts images: read-only, whole or a part, in use for as long as the container exists. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { listMounts } from '#kernel';
import { Dabba } from '../harness/dabba.ts';

const image = 'public.ecr.aws/docker/library/busybox';
const setUp = 'mkdir -p /data/inner; echo whole > /data/file; echo part > /data/inner/file; ln -s /etc /data/out';
let dabba: Dabba;

before(async () => {
  dabba = await Dabba.withBusybox();
  await docker('run', '--name', 'maker', image, 'sh', '-c', setUp);
  await docker('commit', 'maker', 'data:1');
  await docker('rm', 'maker');
});

after(async () => {
  const left = (await docker('ps', '-aq')).split('\n').filter(Boolean);
  if (left.length > 0) await docker('rm', '-f', ...left);
  await dabba[Symbol.asyncDispose]();
});

const docker = (...args: string[]) => dabba.docker(...args);
const mount = (options = '') => ['--mount', `type=image,source=data:1,target=/x${options}`];
const run = (line: string, options = '') => docker('run', '--rm', ...mount(options), image, 'sh', '-c', line);

test('an image is mounted whole, or a part of it, read-only, and no mount stays on the machine', async () => {
  assert.equal(
    await run('cat /x/data/file; ls /x/bin/busybox; echo w > /x/data/file || echo kept'),
    'whole\n/x/bin/busybox\nkept',
  );
  assert.equal(await run('cat /x/file', ',image-subpath=data/inner'), 'part');
  assert.equal(await run('cat /x', ',image-subpath=data/file'), 'whole');
  await docker('run', '-d', '--name', 'busy', ...mount(), image, 'sleep', '1000');
  const views = () =>
    listMounts().filter(({ target }) => target.startsWith(`${dabba.data}/`) && target.includes('views'));
  assert.deepEqual(views(), []);
  await docker('restart', '-t', '0', 'busy');
  assert.equal(await docker('exec', 'busy', 'cat', '/x/data/file'), 'whole');
  await docker('rm', '-f', 'busy');
});

test('inspect tells of it, and cp finds it in a container that does not run', async () => {
  await docker('create', '--name', 'told', ...mount(',image-subpath=data'), image, 'true');
  const id = await docker('image', 'inspect', 'data:1', '--format', '{{.Id}}');
  const shown = await docker(
    'inspect',
    'told',
    '--format',
    '{{range .Mounts}}{{.Type}} {{.Name}} {{.Source}} {{.Destination}} {{.RW}}{{end}}',
  );
  assert.equal(shown, `image data:1 ${id} /x false`);
  const asked = await docker(
    'inspect',
    'told',
    '--format',
    '{{range .HostConfig.Mounts}}{{.Type}} {{.Source}} {{.Target}} {{.ImageOptions.Subpath}}{{end}}',
  );
  assert.equal(asked, 'image data:1 /x data');
  assert.match(await docker('cp', 'told:/x/file', '-'), /whole/);
  await docker('rm', 'told');
});

test('it is in use while the container exists, whatever its name means by then', async () => {
  await docker('create', '--name', 'user', ...mount(), image, 'cat', '/x/data/file');
  await docker('tag', 'data:1', 'data:kept');
  const id = await docker('image', 'inspect', 'data:1', '--format', '{{.Id}}');
  await dabba.refused(
    /image is being used by stopped container|container \w+ is using its referenced image/,
    'docker',
    ['rmi', 'data:kept', 'data:1'],
  );
  await docker('tag', image, 'data:1');
  await docker('image', 'prune', '-af');
  assert.equal(await docker('start', '-a', 'user'), 'whole');
  await docker('tag', id, 'data:kept');
  await docker('rm', 'user');
});

test('what is not there is refused', async () => {
  const create = (option: string) => ['create', '--mount', option, image, 'true'];
  await dabba.refused('No such image: absent:1', 'docker', create('type=image,source=absent:1,target=/x'));
  await dabba.refused('subpath', 'docker', create('type=image,source=data:kept,target=/x,image-subpath=../etc'));
  const through = [
    'run',
    '--rm',
    '--mount',
    'type=image,source=data:kept,target=/x,image-subpath=data/none',
    image,
    'true',
  ];
  await dabba.refused('cannot access path data/none of image data:kept', 'docker', through);
});
