import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { lstatSync, mkdtempSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, test } from 'node:test';
import { isDabbaError } from '#base';
import type { ContainerCreate, Mount } from '#engine';
import { endCleanly, engineAt, forever, importBusybox, makeHome, runToEnd, start } from './engine.ts';

/** Containers whose ids mean others on the machine: what they are to the kernel, and that what lies on disk is as ever. */

const base = 300_000;
const range = { inside: 0, outside: base, count: 65_536 };
const ids = { users: [range], groups: [range] };
const mapped: Partial<ContainerCreate> = { namespaces: { user: ids } };

const home = makeHome();
const engine = engineAt(home);
const upperOf = (id: string) => join(home.directory, 'containers', id, 'upper');
const ownerOf = (path: string) => {
  const { uid, gid } = lstatSync(path);
  return [uid, gid];
};

before(async () => {
  await engine.start();
  await importBusybox(engine);
});
after(async () => assert.deepEqual(await endCleanly(engine, home), [], 'nothing is left behind'));

/** What an added process says. */
async function said(id: string, args: readonly string[], user = ''): Promise<string> {
  const exec = await engine.containers.exec(id, { args, user, stdin: false });
  const pieces: Buffer[] = [];
  for await (const { data } of exec.attachment.output) pieces.push(data);
  await exec.wait(forever);
  return Buffer.concat(pieces).toString();
}

async function remove(...containers: readonly string[]): Promise<void> {
  for (const id of containers) await engine.containers.remove(id, { force: true, removeVolumes: true });
}

test('its root is nobody of the machine, and what it writes is root’s on disk', async () => {
  const line = 'touch /made; mkdir /data/more; chown 7:8 /made; echo more >>/etc/passwd; sleep 1000';
  const { id } = await start(engine, ['sh', '-c', line], mapped);
  const { pid } = (await engine.containers.find(id))!.state;
  assert.equal(statSync(`/proc/${pid}`).uid, base);
  assert.notEqual(readlinkSync(`/proc/${pid}/ns/user`), readlinkSync('/proc/self/ns/user'));
  const place = statSync(join(home.runtimeDirectory, 'm', id.slice(0, 16)));
  assert.deepEqual([place.uid, place.gid, place.mode & 0o777], [0, base, 0o710], 'its root goes there, nobody else');
  const streams = await said(id, ['sh', '-c', 'id -u >/dev/stdout; id -u >/dev/stderr'], 'web');
  assert.equal(streams.split('\n').filter((text) => text === '1000').length, 2, streams);
  assert.deepEqual(ownerOf(join(upperOf(id), 'made')), [7, 8]);
  assert.deepEqual(ownerOf(join(upperOf(id), 'data/more')), [0, 0]);
  assert.deepEqual(ownerOf(join(upperOf(id), 'etc/passwd')), [0, 0]);
  const changes = (await engine.files.changes(id)).map(({ path }) => path);
  assert.deepEqual(changes.toSorted(), ['/data', '/data/more', '/etc', '/etc/passwd', '/made']);
  assert.deepEqual((await engine.containers.stats(id))?.pids !== undefined, true);
  await remove(id);
});

test('inside, everything is as in any other container', async () => {
  const line = `id -u; stat -c %u / /etc/passwd /etc/hosts /dev/pts; ls /sys/class/net; echo said >/dev/stdout
    cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/net/ipv4/ping_group_range /proc/sys/kernel/domainname /proc/sys/net/ipv4/ip_forward
    ping -c1 127.0.0.1 | grep -c 'from 127'; nc -l -p 80 & for i in $(seq 100); do netstat -ltn | grep -q :80 && break; sleep 0.1; done; netstat -ltn | grep -c :80; kill $!; echo there >>/etc/hosts; tail -1 /etc/hosts`;
  const { stdout, stderr } = await runToEnd(engine, line, {
    ...mapped,
    domainname: 'example.org',
    sysctls: { 'net.ipv4.ip_forward': '1' },
  });
  const expected = '0 0 0 0 0 lo said 0 0\t65535 example.org 1 1 1 there';
  assert.deepEqual(stdout.trim().split('\n'), expected.split(' '), stderr);
});

test('the machine’s own NIS domain is not set by who sees it', async () => {
  const named = () => readFileSync('/proc/sys/kernel/domainname', 'utf8');
  const before = named();
  const more = { domainname: 'example.org', namespaces: { user: ids, uts: 'host' } } as const;
  await assert.rejects(start(engine, ['true'], more), /domainname/);
  assert.equal(named(), before);
  await remove(...(await engine.containers.list()).map(({ id }) => id));
});

test('another user of it, and its groups, are mapped too', async () => {
  const { id } = await start(engine, ['sleep', '1000'], { ...mapped, user: 'web' });
  const { pid } = (await engine.containers.find(id))!.state;
  assert.match(
    readFileSync(`/proc/${pid}/status`, 'utf8'),
    new RegExp(`^Uid:\t${base + 1000}\t[^]*^Groups:\t${base + 50} `, 'm'),
  );
  await remove(id);
});

test('a user that is not mapped is refused before anything runs', async () => {
  await assert.rejects(start(engine, ['true'], { ...mapped, user: '70000' }), /70000:0 are not among the ids/);
  await remove(...(await engine.containers.list()).map(({ id }) => id));
});

test('volumes are shared with containers that map nothing, or something else', async () => {
  const mounts: readonly Mount[] = [{ kind: 'volume', name: 'shared', target: '/v' }];
  const line = 'stat -c %u:%g /v /v/* 2>/dev/null; touch /v/$0; chown 3:4 /v/$0';
  const other = { ...range, outside: 500_000 };
  await runToEnd(engine, line.replaceAll('$0', 'one'), { ...mapped, mounts });
  await runToEnd(engine, line.replaceAll('$0', 'two'), { mounts });
  const last = await runToEnd(engine, line.replaceAll('$0', 'three'), {
    mounts,
    namespaces: { user: { users: [other], groups: [other] } },
  });
  assert.deepEqual(last.stdout.trim().split('\n'), ['0:0', '3:4', '3:4']);
  const volume = (await engine.volumes.find('shared'))!;
  for (const name of ['one', 'two', 'three']) assert.deepEqual(ownerOf(join(volume.path, name)), [3, 4]);
});

test('a directory of the machine is not its root’s, unless its ids are to be mapped', async () => {
  const source = mkdtempSync(join(tmpdir(), 'bound-'));
  writeFileSync(join(source, 'secret'), 'x', { mode: 0o600 });
  const bind = { kind: 'bind', source, target: '/b' } as const;
  const line = 'cat /b/secret; touch /b/made';
  assert.notEqual((await runToEnd(engine, line, { ...mapped, mounts: [bind] })).exitCode, 0);
  const { exitCode, stdout } = await runToEnd(engine, line, { ...mapped, mounts: [{ ...bind, isMapped: true }] });
  assert.deepEqual([exitCode, stdout.trim()], [0, 'x']);
  assert.deepEqual(ownerOf(join(source, 'made')), [0, 0]);
  rmSync(source, { recursive: true });
});

test('a file system that maps no ids is refused by name', async () => {
  const mounts: readonly Mount[] = [{ kind: 'bind', source: '/proc', target: '/p', isMapped: true }];
  const { id } = await engine.containers.create({ image: 'busybox', network: { mode: 'none' }, ...mapped, mounts });
  await assert.rejects(
    engine.containers.start(id),
    (error) => isDabbaError(error) && /map the ids of \/proc/.test(error.message),
  );
  await remove(id);
});

test('files are copied in and out under the ids they have inside', async () => {
  const { id } = await start(engine, ['sh', '-c', 'echo x >/out; chown 5:6 /out; mkdir /t; sleep 1000'], {
    ...mapped,
    mounts: [{ kind: 'tmpfs', target: '/m' }],
  });
  await said(id, ['sh', '-c', 'until [ -d /t ]; do :; done']);
  const { tar } = await engine.files.read(id, '/out', forever);
  const pieces: Uint8Array[] = [];
  for await (const piece of tar) pieces.push(piece);
  const archive = Buffer.concat(pieces);
  assert.equal(
    archive
      .subarray(108, 124)
      .toString()
      .replaceAll(/[^0-7]+/g, ' ')
      .trim(),
    '0000005 0000006',
  );
  for (const place of ['/t', '/m'])
    await engine.files.write(id, place, Readable.from([archive]), {
      isKindKept: false,
      isOwnedByUser: false,
      signal: forever,
    });
  assert.equal(await said(id, ['stat', '-c', '%u:%g', '/t/out', '/m/out']), '5:6\n5:6\n');
  assert.deepEqual(ownerOf(join(upperOf(id), 't/out')), [5, 6]);
  await engine.containers.kill(id, 'KILL');
  await engine.containers.wait(id, 'not-running', forever);
  const write = { isKindKept: false, isOwnedByUser: false, signal: forever };
  await engine.files.write(id, '/data', Readable.from([archive]), write);
  assert.deepEqual(ownerOf(join(upperOf(id), 'data/out')), [5, 6]);
  await remove(id);
});

test('an image is mounted with the ids of its files', async () => {
  const image = { kind: 'image', image: 'busybox', target: '/i' } as const;
  const { stdout } = await runToEnd(engine, 'stat -c %u:%g /i /i/etc/passwd', { ...mapped, mounts: [image] });
  assert.deepEqual(stdout.trim().split('\n'), ['0:0', '0:0']);
});

test('an image of it is anybody’s', async () => {
  const { id } = await start(engine, ['sh', '-c', 'touch /mine; chown 9:9 /mine; sleep 1000'], mapped);
  await said(id, ['sh', '-c', 'until [ $(stat -c %u /mine) = 9 ]; do :; done']);
  await engine.files.commit(id, { reference: 'mine', changes: [], isPaused: true, signal: forever });
  await remove(id);
  assert.equal((await runToEnd(engine, 'stat -c %u:%g /mine', { image: 'mine' })).stdout.trim(), '9:9');
  const other = { inside: 0, outside: 700_000, count: 20 };
  const elsewhere = { namespaces: { user: { users: [other], groups: [other] } } };
  assert.equal((await runToEnd(engine, 'stat -c %u:%g /mine', { image: 'mine', ...elsewhere })).stdout.trim(), '9:9');
});

test('who shares namespaces of another shares its user namespace, or is refused', async () => {
  const donor = await start(engine, ['sleep', '1000'], { namespaces: { user: ids, ipc: 'shareable' } });
  const container = donor.id;
  const sharing = { pid: { container }, ipc: { container }, user: ids };
  const one = await start(engine, ['sleep', '1000'], {
    namespaces: sharing,
    network: { mode: 'container', container },
  });
  const pid = async (id: string) => (await engine.containers.find(id))!.state.pid;
  const namespaces = async (id: string) => [
    readlinkSync(`/proc/${await pid(id)}/ns/user`),
    readlinkSync(`/proc/${await pid(id)}/ns/net`),
  ];
  assert.deepEqual(await namespaces(one.id), await namespaces(container));
  assert.match(await said(one.id, ['ls', '/sys/class/net', '/proc/1/ns']), /^lo$/m);
  const unmapped = await start(engine, ['sleep', '1000']);
  const network = { mode: 'container', container: unmapped.id } as const;
  await assert.rejects(start(engine, ['true'], { ...mapped, network }), /it has another user namespace/);
  const stranger = await start(engine, ['sleep', '1000'], mapped);
  const both = { pid: { container: stranger.id }, ipc: { container }, user: ids };
  await assert.rejects(start(engine, ['true'], { namespaces: both }), /different user namespaces/);
  await remove(...(await engine.containers.list()).map(({ id }) => id));
});

test('a device is the machine’s node', async () => {
  const devices = [{ hostPath: '/dev/full', containerPath: '/dev/brimming', permissions: 'rw' }];
  const { stderr } = await runToEnd(engine, 'echo x >/dev/brimming', { ...mapped, devices });
  assert.match(stderr, /No space left/);
});

test('a build step runs mapped, with mounts of all kinds, and leaves layers for all', async () => {
  const dockerfile = `FROM busybox AS first
RUN mkdir /from && echo hello >/from/file && chmod 600 /from/file
FROM busybox
RUN --mount=type=bind,from=first,source=/from,target=/f --mount=type=cache,target=/c --mount=type=bind,target=/ctx \\
  cat /proc/self/uid_map >/map && cat /f/file /ctx/Dockerfile >/seen && touch /c/kept && chown 11:12 /seen
RUN --mount=type=bind,from=first,source=/from,target=/f,rw echo more >>/f/file && stat -c %u:%g /seen >/owner
`;
  const context = mkdtempSync(join(tmpdir(), 'context-'));
  writeFileSync(join(context, 'Dockerfile'), dockerfile);
  const tar = execFileSync('tar', ['-C', context, '-c', '.']);
  rmSync(context, { recursive: true });
  const request = {
    context: Readable.from([tar]),
    references: ['built'],
    buildArgs: {},
    labels: {},
    runOptions: { namespaces: { user: ids } },
    networkMode: 'none',
    credentials: {},
    signal: forever,
  };
  for await (const _ of engine.builder.build(request));
  const { stdout } = await runToEnd(engine, 'tr -s " " </map; stat -c %u:%g /seen; cat /owner; head -1 /seen', {
    image: 'built',
  });
  assert.deepEqual(stdout.trim().split('\n'), [`0 ${base} 65536`, '11:12', '11:12', 'hello']);
});
