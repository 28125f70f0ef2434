/** What runs, in which order, and what is told of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../../harness/machine.ts';
import { world } from './shared.ts';

test('a pod runs, is seen, speaks and ends', async () => {
  await world.runReady('web', 'echo started; exec sleep 1000');
  assert.equal((await world.kubectl('logs', 'web')).stdout, 'started\n');
  const { stdout } = await world.kubectl('get', 'pod', 'web', '-o', 'wide', '--no-headers');
  assert.match(stdout, /web\s+1\/1\s+Running\s+0\s+\S+\s+10\.0\.0\.\d+\s+node-1/);
  const exec = await world.kubectl('exec', 'web', '--', 'sh', '-c', 'echo out; echo err >&2; exit 4');
  assert.deepEqual([exec.code, exec.stdout], [4, 'out\n']);
  assert.match(exec.stderr, /^err\n/);
  await world.remove('web');
  assert.match((await world.kubectl('get', 'pods')).stderr, /No resources found/);
});

test('a crash is told with its last words, and the log before can be read', async () => {
  await world.run('crash', 'echo run; echo bye > /dev/termination-log; exit 3');
  const get = async (path: string) =>
    (await world.kubectl('get', 'pod', 'crash', '-o', `jsonpath={.status.containerStatuses[0]${path}}`)).stdout;
  await eventually('it loops', 15_000, async () => (await get('.state.waiting.reason')) === 'CrashLoopBackOff');
  assert.equal(await get('.lastState.terminated.message'), 'bye\n');
  assert.equal(await get('.lastState.terminated.exitCode'), '3');
  assert.equal(await get('.restartCount'), '1');
  assert.equal((await world.kubectl('logs', 'crash', '--previous')).stdout, 'run\n');
  assert.match((await world.kubectl('get', 'pod', 'crash', '--no-headers')).stdout, /CrashLoopBackOff/);
  await world.remove('crash');
});

test('what cannot run says why', async () => {
  await world.run('bad-image', 'true', { container: { image: 'registry.test/none:1' } });
  await world.run('bad-command', 'true', { container: { command: ['/nosuch'] } });
  await world.run('bad-config', 'true', {
    container: { env: [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'gone', key: 'a' } } }] },
  });
  await world.run('never', 'true', { container: { image: 'registry.test/none:1', imagePullPolicy: 'Never' } });
  await world.run('hog', 'tail /dev/zero', {
    container: { resources: { limits: { memory: '16Mi' } } },
    spec: { restartPolicy: 'Never' },
  });
  await world.run('late', 'sleep 1000', { spec: { activeDeadlineSeconds: 1 } });
  const reason = async (name: string) =>
    (await world.kubectl('get', 'pod', name, '--no-headers')).stdout.split(/\s+/)[2];
  const expected = {
    'bad-image': /ErrImagePull|ImagePullBackOff/,
    'bad-command': /RunContainerError|CrashLoopBackOff|StartError/,
    'bad-config': /CreateContainerConfigError/,
    never: /ErrImageNeverPull/,
    hog: /OOMKilled/,
  };
  for (const [name, pattern] of Object.entries(expected))
    await eventually(`${name}: ${pattern}`, 15_000, async () => pattern.test((await reason(name)) ?? ''));
  assert.match(
    (await world.kubectl('logs', 'bad-image')).stderr,
    /is waiting to start: trying and failing to pull image/,
  );
  await world.remove(...Object.keys(expected), 'late');
});

test('init containers, sidecars and hooks come in their order', async () => {
  const image = { image: 'busybox', imagePullPolicy: 'IfNotPresent' };
  const volumeMounts = [{ name: 'v', mountPath: '/v' }];
  const container = (name: string, line: string, more = {}) => ({
    ...image,
    name,
    command: ['sh', '-c', line],
    volumeMounts,
    ...more,
  });
  await world.run('order', 'x', {
    spec: {
      restartPolicy: 'Never',
      volumes: [{ name: 'v', emptyDir: {} }],
      initContainers: [
        container('one', 'echo one >> /v/log'),
        container('side', 'echo side >> /v/log; trap "exit 0" TERM; sleep 1000 & wait', { restartPolicy: 'Always' }),
        container('two', 'sleep 0.2; echo two >> /v/log'),
      ],
      containers: [
        container('main', 'until grep -q hook /v/log; do sleep 0.1; done; cat /v/log', {
          lifecycle: { postStart: { exec: { command: ['sh', '-c', 'echo hook >> /v/log'] } } },
        }),
      ],
    },
  });
  await world.kubectl('wait', '--for=jsonpath={.status.phase}=Succeeded', 'pod/order', '--timeout=80s');
  assert.equal((await world.kubectl('logs', 'order', '-c', 'main')).stdout, 'one\nside\ntwo\nhook\n');
  await world.remove('order');
});

test('a job is done when its pod is', async () => {
  await world.apply({
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'j' },
    spec: {
      template: {
        spec: {
          restartPolicy: 'Never',
          containers: [{ name: 'j', image: 'busybox', imagePullPolicy: 'IfNotPresent', command: ['echo', 'done'] }],
        },
      },
    },
  });
  const waited = await world.kubectl('wait', '--for=condition=Complete', 'job/j', '--timeout=120s');
  assert.equal(waited.code, 0, waited.stderr);
  assert.equal((await world.kubectl('logs', 'job/j')).stdout, 'done\n');
  await world.kubectl('delete', 'job', 'j');
});

test('what a pod uses is told', async () => {
  await world.runReady('busy', 'while true; do :; done', {
    container: { resources: { limits: { cpu: '200m', memory: '32Mi' } } },
  });
  const raw = await world.kubectl('get', '--raw', '/api/v1/nodes/node-1/proxy/metrics/resource');
  assert.match(raw.stdout, /pod_memory_working_set_bytes\{namespace="default",pod="busy"\} \d+/, raw.stderr);
  assert.match(raw.stdout, /container_cpu_usage_seconds_total\{container="c",namespace="default",pod="busy"\} [\d.]+/);
  await world.remove('busy');
});
