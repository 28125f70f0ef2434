/** What a pod may reach, and who reaches it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../../harness/machine.ts';
import { world } from './shared.ts';

test('confinement is as the pod asks', async () => {
  await world.run(
    'sec',
    'id -u; id -g; touch /x 2>/dev/null || echo ro; grep CapEff /proc/self/status; grep NoNewPrivs /proc/self/status',
    {
      container: {
        securityContext: {
          readOnlyRootFilesystem: true,
          allowPrivilegeEscalation: false,
          capabilities: { drop: ['ALL'] },
        },
      },
      spec: { restartPolicy: 'Never', securityContext: { runAsUser: 1000, runAsGroup: 3000, runAsNonRoot: true } },
    },
  );
  await world.kubectl('wait', '--for=jsonpath={.status.phase}=Succeeded', 'pod/sec', '--timeout=80s');
  assert.equal(
    (await world.kubectl('logs', 'sec')).stdout,
    '1000\n3000\nro\nCapEff:\t0000000000000000\nNoNewPrivs:\t1\n',
  );
  await world.remove('sec');
});

test('a seccomp profile of the node holds, once a pod has put it there', async () => {
  const profile = {
    defaultAction: 'SCMP_ACT_ALLOW',
    syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO' }],
  };
  const folder = { name: 'profiles', hostPath: { path: '/var/lib/kubelet/seccomp', type: 'DirectoryOrCreate' } };
  await world.run('installer', `echo '${JSON.stringify(profile)}' > /profiles/no-directories.json`, {
    container: { volumeMounts: [{ name: 'profiles', mountPath: '/profiles' }] },
    spec: { restartPolicy: 'Never', volumes: [folder] },
  });
  await world.kubectl('wait', '--for=jsonpath={.status.phase}=Succeeded', 'pod/installer', '--timeout=80s');
  const seccompProfile = { type: 'Localhost', localhostProfile: 'no-directories.json' };
  await world.run('profiled', 'touch /tmp/file && mkdir /tmp/directory || echo refused', {
    spec: { restartPolicy: 'Never', securityContext: { seccompProfile } },
  });
  await world.kubectl('wait', '--for=jsonpath={.status.phase}=Succeeded', 'pod/profiled', '--timeout=80s');
  assert.match((await world.kubectl('logs', 'profiled')).stdout, /Operation not permitted/);
  await world.run('lost', 'true', {
    spec: { securityContext: { seccompProfile: { ...seccompProfile, localhostProfile: 'none.json' } } },
  });
  const message = '-ojsonpath={.status.containerStatuses[0].state.waiting.message}';
  await eventually('it is told that there is none', 10_000, async () =>
    /cannot load seccomp profile.*none.json/.test((await world.kubectl('get', 'pod', 'lost', message)).stdout),
  );
  await world.remove('installer', 'profiled', 'lost');
});

test('in the network of the node, a pod has its address', async () => {
  await world.run('net', 'ip -4 -o addr show eth0', { spec: { hostNetwork: true, restartPolicy: 'Never' } });
  await world.kubectl('wait', '--for=jsonpath={.status.phase}=Succeeded', 'pod/net', '--timeout=80s');
  assert.match((await world.kubectl('logs', 'net')).stdout, /10\.0\.0\.10\//);
  await world.remove('net');
});

test('containers may see one another’s processes', async () => {
  const other = { name: 'other', image: 'busybox', imagePullPolicy: 'IfNotPresent', command: ['sleep', '4321'] };
  const own = { name: 'c', image: 'busybox', imagePullPolicy: 'IfNotPresent', command: ['sleep', '1234'] };
  await world.runReady('shared', 'x', { spec: { shareProcessNamespace: true, containers: [own, other] } });
  const { stdout } = await world.kubectl('exec', 'shared', '-c', 'other', '--', 'ps');
  assert.match(stdout, / 1 \S+\s+\/pause[^]*sleep 1234[^]*sleep 4321/);
  // One may end without the others, and whom it leaves behind is taken in.
  await world.kubectl('exec', 'shared', '-c', 'other', '--', 'sh', '-c', '(sleep 0.1 &)');
  const kill = 'kill -9 $(ps | grep "sleep 123[4]" | sed "s/^ *//; s/ .*//")';
  assert.equal((await world.kubectl('exec', 'shared', '-c', 'other', '--', 'sh', '-c', kill)).stderr, '');
  const restarts = async (name: string) =>
    (
      await world.kubectl(
        'get',
        'pod',
        'shared',
        `-ojsonpath={.status.containerStatuses[?(@.name=="${name}")].restartCount}`,
      )
    ).stdout;
  await eventually('the one is begun again', 20_000, async () => (await restarts('c')) === '1');
  assert.equal(await restarts('other'), '0');
  await eventually('both are there, and nobody else', 20_000, async () => {
    const { stdout: now } = await world.kubectl('exec', 'shared', '-c', 'other', '--', 'ps');
    return now.includes('sleep 1234') && now.includes('sleep 4321') && !/sleep 0.1|\[sleep\]/.test(now);
  });
  await world.restartHost();
  assert.equal(await restarts('other'), '0');
  await world.remove('shared');
});

test('containers of a pod share their IPC, and no others', async () => {
  const container = (name: string, line: string) => ({
    name,
    image: 'busybox',
    imagePullPolicy: 'IfNotPresent',
    command: ['sh', '-c', line],
  });
  const containers = [container('c', 'echo hello > /dev/shm/note; sleep 1000'), container('other', 'sleep 1000')];
  await world.runReady('ipc', 'x', { spec: { containers } });
  await world.runReady('alone', 'sleep 1000');
  const inside = async (pod: string, name: string, ...words: readonly string[]) =>
    (await world.kubectl('exec', pod, '-c', name, '--', ...words)).stdout.trim();
  const space = async (pod: string, name: string) => await inside(pod, name, 'readlink', '/proc/1/ns/ipc');
  assert.match(await space('ipc', 'c'), /^ipc:/);
  assert.equal(await space('ipc', 'c'), await space('ipc', 'other'));
  assert.notEqual(await space('ipc', 'c'), await space('alone', 'c'));
  await eventually('the note', 5_000, async () => (await inside('ipc', 'other', 'cat', '/dev/shm/note')) === 'hello');
  // Nor is one that is added for debugging outside.
  await inside('alone', 'c', 'touch', '/dev/shm/seen');
  const image = ['--image=busybox', '--image-pull-policy=IfNotPresent'];
  const debug = await world.kubectl('debug', 'alone', '-c', 'debug', ...image, '--', 'sleep', '1000');
  assert.equal(debug.code, 0, debug.stderr);
  await eventually('the debugger', 20_000, async () => (await inside('alone', 'debug', 'ls', '/dev/shm')) === 'seen');
  assert.equal(await space('alone', 'debug'), await space('alone', 'c'));
  await world.remove('ipc', 'alone');
});

test('a port of the node leads to a pod', async () => {
  const ports = [{ containerPort: 8080, hostPort: 9090 }];
  await world.runReady('ported', 'echo page > /tmp/index.html; exec httpd -f -p 8080 -h /tmp', {
    container: { ports },
  });
  await world.runReady('asking', 'sleep 1000');
  const asked = await world.kubectl('exec', 'asking', '--', 'wget', '-q', '-O-', 'http://10.0.0.10:9090/index.html');
  assert.equal(asked.stdout, 'page\n', asked.stderr);
  await world.remove('ported', 'asking');
});
