/** Pods in user namespaces of their own (`hostUsers: false`). */
import assert from 'node:assert/strict';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually } from '../../harness/machine.ts';
import { world } from './shared.ts';

const inside = async (pod: string, line: string, ...more: string[]) => {
  const { code, stdout, stderr } = await world.kubectl('exec', pod, ...more, '--', 'sh', '-c', line);
  assert.equal(code, 0, stderr);
  return stdout.trim();
};
/** The first id of a pod on the machine, as the kernel tells it. */
const firstId = async (pod: string, ...more: string[]) =>
  Number(/^\s*0\s+(\d+)\s+65536$/.exec(await inside(pod, 'cat /proc/self/uid_map', ...more))?.[1]);

const spec = {
  hostUsers: false,
  securityContext: { fsGroup: 2000, sysctls: [{ name: 'net.ipv4.ip_unprivileged_port_start', value: '0' }] },
};

test('a pod’s users are nobody on the machine, and nobody of another pod', async () => {
  const { stdout } = await world.kubectl(
    'get',
    'node',
    '-o',
    'jsonpath={.items[0].status.runtimeHandlers[*].features}',
  );
  assert.match(stdout, /"userNamespaces":true/);
  await world.runReady('first', 'sleep 1000', { spec });
  await world.runReady('second', 'sleep 1000', { spec });
  const [first, second] = [await firstId('first'), await firstId('second')];
  assert.ok(first > 65_535 && second > 65_535 && Math.abs(first - second) >= 65_536, `${first} ${second}`);
  const containers = await world.engine.containers.list();
  const running = containers.filter(({ name, state }) => /first|second/.test(name) || state.pid !== undefined);
  const uids = running.map(({ state }) => lstatSync(`/proc/${state.pid}`).uid);
  assert.ok(uids.includes(first) && uids.includes(second), `${uids}`);
  assert.match(
    await inside('first', 'ip -4 -o addr show eth0; ls /sys/class/net; ping -c1 10.0.0.10'),
    /eth0[^]* 0% packet loss/,
  );
  const listening =
    'nc -l -p 80 & for i in $(seq 100); do netstat -ltn | grep -q :80 && break; sleep 0.1; done; netstat -ltn | grep -c :80; kill $!';
  assert.equal(await inside('first', listening), '1');
  await world.remove('second');
  await world.runReady('third', 'sleep 1000', { spec });
  assert.notEqual(await firstId('third'), first);
  await world.remove('first', 'third');
});

test('its volumes hold the ids that it sees, also for pods without a user namespace', async () => {
  await world.apply({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'told' }, data: { file: 'one' } });
  const volumeMounts = [
    { name: 'disk', mountPath: '/disk' },
    { name: 'memory', mountPath: '/memory' },
    { name: 'host', mountPath: '/host' },
    { name: 'told', mountPath: '/told' },
    { name: 'told', mountPath: '/alone', subPath: 'file' },
  ];
  const volumes = [
    { name: 'disk', emptyDir: {} },
    { name: 'memory', emptyDir: { medium: 'Memory' } },
    { name: 'host', hostPath: { path: '/var/lib/mapped', type: 'DirectoryOrCreate' } },
    { name: 'told', configMap: { name: 'told', defaultMode: 0o440 } },
  ];
  await world.runReady('mapped', 'sleep 1000', { container: { volumeMounts }, spec: { ...spec, volumes } });
  await inside('mapped', 'for each in disk memory host; do echo x >/$each/f && chown 5:6 /$each/f || exit 1; done');
  assert.equal(
    await inside('mapped', 'stat -Lc %u:%g /disk/f /memory/f /host/f /told/file /host'),
    '5:6\n5:6\n5:6\n0:2000\n0:0',
  );
  assert.equal(
    await inside('mapped', 'cat /told/file /alone; cat /var/run/secrets/kubernetes.io/serviceaccount/namespace'),
    'oneonedefault',
  );
  await world.runReady('plain', 'sleep 1000', {
    container: { volumeMounts: volumeMounts.slice(2, 3) },
    spec: { volumes: volumes.slice(2, 3) },
  });
  assert.equal(await inside('plain', 'stat -c %u:%g /host/f'), '5:6');
  await world.kubectlWith('in', 'exec', '-i', 'mapped', '--', 'sh', '-c', 'cat >/disk/typed');
  assert.equal(
    await inside('mapped', 'cat /disk/typed; echo last >/dev/termination-log; cat /etc/hosts | grep -c mapped'),
    'in1',
  );
  await world.apply({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'told' }, data: { file: 'two' } });
  await eventually(
    'the volume follows its source',
    60_000,
    async () => (await inside('mapped', 'cat /told/file')) === 'two',
  );
  await world.remove('mapped', 'plain');
});

test('its containers share the user namespace, whenever they begin', async () => {
  const container = (name: string, line: string) => ({
    name,
    image: 'busybox',
    imagePullPolicy: 'IfNotPresent',
    command: ['sh', '-c', line],
  });
  const containers = [container('c', 'sleep 1000'), container('d', 'until [ -e /tmp/end ]; do sleep 0.1; done')];
  await world.runReady('pair', '', { spec: { ...spec, shareProcessNamespace: true, containers } });
  const namespaceOf = async (name: string) =>
    await inside('pair', 'readlink /proc/self/ns/user /proc/self/ns/ipc; touch /dev/shm/met', '-c', name);
  const own = await namespaceOf('c');
  assert.equal(await inside('pair', 'ls /dev/shm', '-c', 'd'), 'met');
  assert.equal(await namespaceOf('d'), own);
  assert.doesNotMatch(own, new RegExp(readlinkSync('/proc/self/ns/user').replaceAll(/\D/g, '')));
  await world.restartHost();
  await eventually(
    'it can be asked',
    10_000,
    async () => (await world.kubectl('exec', 'pair', '--', 'true')).code === 0,
  );
  await inside('pair', 'touch /tmp/end', '-c', 'd');
  await eventually('it was begun again', 20_000, async () => {
    const { stdout } = await world.kubectl(
      'get',
      'pod',
      'pair',
      '-o',
      'jsonpath={.status.containerStatuses[?(@.name=="d")]}',
    );
    return /"restartCount":1\b/.test(stdout) && /"running"/.test(stdout.split('"state"')[1] ?? '');
  });
  assert.equal(await namespaceOf('d'), own);
  await world.remove('pair');
});

test('a volume that maps no ids is refused by name, and a privileged container is root of its pod alone', async () => {
  await world.run('unmapped', 'sleep 1000', {
    container: { volumeMounts: [{ name: 'proc', mountPath: '/p' }] },
    spec: { ...spec, volumes: [{ name: 'proc', hostPath: { path: '/proc' } }] },
  });
  await eventually('it is told', 20_000, async () =>
    /failed to map the ids of \/proc/.test((await world.kubectl('get', 'pod', 'unmapped', '-o', 'yaml')).stdout),
  );
  await world.runReady('strong', 'sleep 1000', { container: { securityContext: { privileged: true } }, spec });
  assert.equal(
    await inside(
      'strong',
      'mount -t tmpfs x /mnt 2>/dev/null || mkdir -p /mnt && mount -t tmpfs x /mnt && echo mounted',
    ),
    'mounted',
  );
  assert.notEqual((await world.kubectl('exec', 'strong', '--', 'sh', '-c', 'echo 1 >/proc/sys/kernel/panic')).code, 0);
  await world.remove('unmapped', 'strong');
  const claims = '/run/dabba/id-ranges';
  const own = readdirSync(claims).filter((name) => readlinkSync(join(claims, name)).startsWith(world.directory));
  assert.deepEqual(own, [], 'their ranges are free again');
  assert.doesNotMatch(readFileSync('/proc/self/mountinfo', 'utf8'), new RegExp(`${world.home.runtimeDirectory}/m/`));
});
