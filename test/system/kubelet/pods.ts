import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { jsonLogger } from '#base';
import { resources } from '#kubernetes';
import { eventually } from '../../harness/machine.ts';
import { NodeWorld, nodeName } from './world.ts';

const logger = process.env['KUBELET_LOG']
  ? jsonLogger(
      (line) => process.stderr.write(line),
      () => Date.now(),
    )
  : undefined;
const world = new NodeWorld(logger);
before(() => world.start());
after(() => world[Symbol.asyncDispose]());

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

test('variables come from literals, fields, resources, ConfigMaps, Secrets and services', async () => {
  const metadata = { namespace: 'default' };
  await world.apply({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { ...metadata, name: 'cm' },
    data: { A: 'a', B: 'b' },
  });
  await world.apply({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { ...metadata, name: 's' },
    stringData: { KEY: 'hidden' },
  });
  await world.run('env', 'env | sort', {
    container: {
      envFrom: [{ configMapRef: { name: 'cm' }, prefix: 'P_' }],
      env: [
        { name: 'ONE', value: '1' },
        { name: 'TWO', value: '$(ONE)2 $$(ONE) $(NONE)' },
        { name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
        { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
        { name: 'LIMIT', valueFrom: { resourceFieldRef: { resource: 'limits.memory', divisor: '1Mi' } } },
        { name: 'KEY', valueFrom: { secretKeyRef: { name: 's', key: 'KEY' } } },
        { name: 'NOT', valueFrom: { secretKeyRef: { name: 'none', key: 'KEY', optional: true } } },
      ],
      resources: { limits: { memory: '32Mi' } },
    },
    spec: { restartPolicy: 'Never' },
  });
  await world.kubectl('wait', '--for=jsonpath={.status.phase}=Succeeded', 'pod/env', '--timeout=20s');
  const lines = (await world.kubectl('logs', 'env')).stdout.split('\n');
  for (const line of [
    'P_A=a',
    'P_B=b',
    'ONE=1',
    'TWO=12 $(ONE) $(NONE)',
    'NODE=node-1',
    'LIMIT=32',
    'KEY=hidden',
    'HOSTNAME=env',
  ])
    assert.ok(lines.includes(line), `${line} in ${lines.join(' ')}`);
  assert.ok(lines.some((line) => /^IP=10\.0\.0\.\d+$/.test(line)));
  assert.ok(
    lines.some((line) => /^KUBERNETES_SERVICE_HOST=10\.100\.0\.1$/.test(line)),
    lines.join(' '),
  );
  assert.ok(!lines.some((line) => line.startsWith('NOT=')));
  await world.remove('env');
});

test('volumes hold what they should, and follow their sources', async () => {
  await world.apply({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'page' }, data: { 'index.html': 'one' } });
  await world.apply({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'key' },
    stringData: { 'id.key': 'secret' },
  });
  await world.runReady('vols', 'while true; do sleep 1; done', {
    container: {
      securityContext: { runAsUser: 1000 },
      volumeMounts: [
        { name: 'page', mountPath: '/page' },
        { name: 'page', mountPath: '/one/file', subPath: 'index.html' },
        { name: 'all', mountPath: '/all' },
        { name: 'disk', mountPath: '/disk' },
        { name: 'disk', mountPath: '/sub', subPath: 'inner/most' },
        { name: 'memory', mountPath: '/memory' },
        { name: 'host', mountPath: '/host' },
      ],
    },
    spec: {
      securityContext: { fsGroup: 2000 },
      volumes: [
        { name: 'page', configMap: { name: 'page' } },
        {
          name: 'all',
          projected: {
            defaultMode: 0o640,
            sources: [
              { secret: { name: 'key', items: [{ key: 'id.key', path: 'keys/id', mode: 0o600 }] } },
              { downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } },
            ],
          },
        },
        { name: 'disk', emptyDir: {} },
        { name: 'memory', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
        { name: 'host', hostPath: { path: '/var/lib/thing', type: 'DirectoryOrCreate' } },
      ],
    },
  });
  const inside = async (line: string) => (await world.kubectl('exec', 'vols', '--', 'sh', '-c', line)).stdout.trim();
  assert.equal(await inside('cat /page/index.html /one/file'), 'oneone');
  assert.equal(await inside('cat /all/keys/id'), 'secret');
  assert.equal(await inside('cat /all/labels'), 'app="vols"');
  assert.equal(
    await inside('echo x > /disk/f && echo y > /memory/f && cat /disk/f /memory/f; ls -d /disk/inner/most'),
    'x\ny\n/disk/inner/most',
  );
  assert.equal(await inside('stat -c %g /disk/f'), '2000');
  assert.match(await inside('id -G'), /2000/);
  assert.equal(await inside('df -m /memory | tail -1 | tr -s " " | cut -d" " -f2'), '1');
  assert.equal(await inside('cut -d. -f1 /var/run/secrets/kubernetes.io/serviceaccount/token | head -c 2'), 'ey');
  assert.equal(await inside('cat /var/run/secrets/kubernetes.io/serviceaccount/namespace'), 'default');
  assert.equal(await inside('touch /page/x 2>/dev/null || echo no'), 'no');
  await world.apply({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'page' },
    data: { 'index.html': 'two', more: 'm' },
  });
  await eventually(
    'the new page is there',
    5_000,
    async () => (await inside('cat /page/index.html /page/more')) === 'twom',
  );
  assert.equal(await inside('cat /one/file'), 'one', 'a subPath stays');
  await world.kubectl('label', 'pod', 'vols', 'more=yes');
  await eventually('the new label is there', 5_000, async () =>
    (await inside('cat /all/labels')).includes('more="yes"'),
  );
  await world.remove('vols');
});

test('names: hosts, resolv.conf, hostname', async () => {
  await world.runReady('names', 'sleep 1000', {
    spec: { hostname: 'h', subdomain: 's', hostAliases: [{ ip: '1.2.3.4', hostnames: ['far'] }] },
  });
  const { stdout } = await world.kubectl(
    'exec',
    'names',
    '--',
    'sh',
    '-c',
    'hostname; cat /etc/hosts /etc/resolv.conf',
  );
  assert.match(stdout, /^h\n/);
  assert.match(stdout, /10\.0\.0\.\d+\th\.s\.default\.svc\.cluster\.local\th\n/);
  assert.match(stdout, /1\.2\.3\.4\tfar\n/);
  assert.match(stdout, /search default\.svc\.cluster\.local svc\.cluster\.local cluster\.local/);
  assert.match(stdout, /nameserver 10\.100\.0\.10\noptions ndots:5/);
  await world.remove('names');
});

test('probes decide who is ready, and who is restarted', async () => {
  await world.run('probed', 'echo ok > /tmp/index.html; sleep 1; exec httpd -f -p 8080 -h /tmp', {
    container: {
      ports: [{ name: 'web', containerPort: 8080 }],
      startupProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1, failureThreshold: 20 },
      readinessProbe: { httpGet: { path: '/index.html', port: 'web' }, periodSeconds: 1, failureThreshold: 1 },
      livenessProbe: { exec: { command: ['test', '-e', '/tmp/index.html'] }, periodSeconds: 1, failureThreshold: 3 },
    },
  });
  await world.kubectl('wait', '--for=condition=Ready', 'pod/probed', '--timeout=20s');
  const restarts = async () =>
    (
      await world.kubectl(
        'get',
        'pod',
        'probed',
        '-o',
        'jsonpath={.status.containerStatuses[0].restartCount} {.status.containerStatuses[0].ready}',
      )
    ).stdout;
  assert.equal(await restarts(), '0 true');
  await world.kubectl('exec', 'probed', '--', 'rm', '/tmp/index.html');
  await eventually('it is not ready', 5_000, async () => (await restarts()).endsWith('false'));
  await eventually('it was restarted, and is ready', 15_000, async () => (await restarts()) === '1 true');
  const events = await world.kubectl(
    'get',
    'events',
    '-o',
    'jsonpath={range .items[*]}{.reason} {.message}{"\\n"}{end}',
  );
  assert.match(events.stdout, /Unhealthy Readiness probe failed: HTTP probe failed with statuscode: 404/);
  assert.match(events.stdout, /Killing Container c failed liveness probe, will be restarted/);
  await world.remove('probed');
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
        container('main', 'sleep 0.5; cat /v/log', {
          lifecycle: { postStart: { exec: { command: ['sh', '-c', 'echo hook >> /v/log'] } } },
        }),
      ],
    },
  });
  await world.kubectl('wait', '--for=jsonpath={.status.phase}=Succeeded', 'pod/order', '--timeout=20s');
  assert.equal((await world.kubectl('logs', 'order', '-c', 'main')).stdout, 'one\nside\ntwo\nhook\n');
  await world.remove('order');
});

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
  await world.kubectl('wait', '--for=jsonpath={.status.phase}=Succeeded', 'pod/sec', '--timeout=20s');
  assert.equal(
    (await world.kubectl('logs', 'sec')).stdout,
    '1000\n3000\nro\nCapEff:\t0000000000000000\nNoNewPrivs:\t1\n',
  );
  await world.remove('sec');
});

for (const version of ['kubectl.1.27', 'kubectl.1.30', 'kubectl.1.33'])
  test(`${version}: exec, copy, attach, port-forward`, async () => {
    const name = version.replaceAll('.', '-');
    await world.runReady(name, 'echo page > /tmp/index.html; httpd -p 8080 -h /tmp; cat', {
      container: { stdin: true },
    });
    const exec = await world.kubectlWith(
      'some input\n',
      version,
      'exec',
      '-i',
      name,
      '--',
      'sh',
      '-c',
      'cat; echo err >&2; exit 7',
    );
    assert.deepEqual([exec.code, exec.stdout], [7, 'some input\n'], exec.stderr);
    assert.match(exec.stderr, /^err\n/);
    const big = await world.kubectl(version, 'exec', name, '--', 'sh', '-c', 'head -c 3000000 /dev/zero | tr "\\0" x');
    assert.equal(big.stdout.length, 3_000_000);
    const none = await world.kubectl(version, 'exec', name, '--', 'nosuch');
    assert.match(none.stderr, /executable file not found/);
    const file = join(world.directory, name);
    writeFileSync(file, 'x'.repeat(500_000));
    const copied = await world.kubectl(version, 'cp', file, `${name}:/tmp/copied`);
    assert.equal(copied.code, 0, copied.stderr);
    assert.equal(
      (await world.kubectl(version, 'exec', name, '--', 'wc', '-c', '/tmp/copied')).stdout.split(' ')[0],
      '500000',
    );
    const forward = world.spawnKubectl(version, 'port-forward', name, ':8080');
    try {
      const port = /127\.0\.0\.1:(\d+)/.exec(await firstLine(forward))![1];
      for (let count = 0; count < 3; count++)
        assert.equal(await (await fetch(`http://127.0.0.1:${port}/index.html`)).text(), 'page\n');
    } finally {
      forward.kill();
    }
    const attached = world.spawnKubectl(version, 'attach', '-i', name);
    try {
      attached.stdin!.write('hello\n');
      assert.match(await firstLine(attached), /hello/);
    } finally {
      attached.kill();
    }
    await world.remove(name);
  });

test('run --rm -i carries input and output, and removes the pod', async () => {
  const ran = await world.kubectlWith(
    'typed\n',
    'run',
    'once',
    '--rm',
    '-i',
    '--restart=Never',
    '--image=busybox',
    '--image-pull-policy=IfNotPresent',
    `--overrides={"spec":{"nodeName":"node-1"}}`,
    '--',
    'sh',
    '-c',
    'read x; echo got $x',
  );
  assert.match(ran.stdout, /got typed/, ran.stderr);
  assert.equal((await world.kubectl('get', 'pod', 'once')).code, 1);
});

test('logs: tail, timestamps, limits, follow to the end', async () => {
  await world.run('log', 'for i in 1 2 3 4 5; do echo line $i; done; sleep 1; echo last', {
    spec: { restartPolicy: 'Never' },
  });
  await eventually('it has begun', 10_000, async () => (await world.kubectl('logs', 'log')).stdout.includes('line 5'));
  assert.equal((await world.kubectl('logs', '-f', '--tail=1', 'log')).stdout, 'line 5\nlast\n');
  assert.equal((await world.kubectl('logs', '--limit-bytes=4', 'log')).stdout, 'line');
  assert.match(
    (await world.kubectl('logs', '--timestamps', '--tail=1', 'log')).stdout,
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z last\n$/,
  );
  await world.remove('log');
});

test('an ephemeral container sees the processes of its target', async () => {
  await world.runReady('dbg', 'exec sleep 1234');
  const ephemeral = {
    name: 'e',
    image: 'busybox',
    imagePullPolicy: 'IfNotPresent',
    command: ['sh', '-c', 'ps; sleep 1000'],
    targetContainerName: 'c',
  };
  const patch = JSON.stringify({ spec: { ephemeralContainers: [ephemeral] } });
  const patched = await world.kubectl('patch', 'pod', 'dbg', '--subresource=ephemeralcontainers', '-p', patch);
  assert.equal(patched.code, 0, patched.stderr);
  await eventually('it speaks', 10_000, async () =>
    (await world.kubectl('logs', 'dbg', '-c', 'e')).stdout.includes('sleep 1234'),
  );
  await world.remove('dbg');
});

test('in the network of the node, a pod has its address', async () => {
  await world.run('net', 'ip -4 -o addr show eth0', { spec: { hostNetwork: true, restartPolicy: 'Never' } });
  await world.kubectl('wait', '--for=jsonpath={.status.phase}=Succeeded', 'pod/net', '--timeout=20s');
  assert.match((await world.kubectl('logs', 'net')).stdout, /10\.0\.0\.10\//);
  await world.remove('net');
});

test('containers may see one another’s processes', async () => {
  const other = { name: 'other', image: 'busybox', imagePullPolicy: 'IfNotPresent', command: ['sleep', '4321'] };
  const own = { name: 'c', image: 'busybox', imagePullPolicy: 'IfNotPresent', command: ['sleep', '1234'] };
  await world.runReady('shared', 'x', { spec: { shareProcessNamespace: true, containers: [own, other] } });
  const { stdout } = await world.kubectl('exec', 'shared', '-c', 'other', '--', 'ps');
  assert.match(stdout, /sleep 1234[^]*sleep 4321/);
  await world.remove('shared');
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

test('a stateful set keeps its volume, which goes with its claim', async () => {
  const container = {
    name: 'db',
    image: 'busybox',
    imagePullPolicy: 'IfNotPresent',
    command: ['sh', '-c', 'test -e /d/id || hostname > /d/id; sleep 1000'],
    volumeMounts: [{ name: 'd', mountPath: '/d' }],
  };
  await world.apply({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'db' },
    spec: { clusterIP: 'None', selector: { app: 'db' }, ports: [{ port: 1 }] },
  });
  await world.apply({
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'db' },
    spec: {
      serviceName: 'db',
      replicas: 1,
      selector: { matchLabels: { app: 'db' } },
      template: {
        metadata: { labels: { app: 'db' } },
        spec: { terminationGracePeriodSeconds: 1, containers: [container] },
      },
      volumeClaimTemplates: [
        {
          metadata: { name: 'd' },
          spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '8Mi' } } },
        },
      ],
    },
  });
  const rolledOut = await world.kubectl('rollout', 'status', 'statefulset/db', '--timeout=40s');
  assert.equal(rolledOut.code, 0, `${rolledOut.stderr}${(await world.kubectl('describe', 'pod', 'db-0')).stdout}`);
  await world.kubectl('exec', 'db-0', '--', 'sh', '-c', 'echo kept > /d/id');
  await world.remove('db-0');
  await eventually(
    'it is back, with its volume',
    20_000,
    async () => (await world.kubectl('exec', 'db-0', '--', 'cat', '/d/id')).stdout === 'kept\n',
  );
  const storage = join(world.directory, 'kubelets/.storage/c1');
  assert.equal(readdirSync(storage).length, 1);
  await world.kubectl('delete', 'statefulset,service', 'db', '--wait=true');
  await world.kubectl('delete', 'pvc', '--all', '--wait=true');
  await eventually('its files are gone', 20_000, async () => readdirSync(storage).length === 0);
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
  const waited = await world.kubectl('wait', '--for=condition=Complete', 'job/j', '--timeout=30s');
  assert.equal(waited.code, 0, waited.stderr);
  assert.equal((await world.kubectl('logs', 'job/j')).stdout, 'done\n');
  await world.kubectl('delete', 'job', 'j');
});

test('a pod is ready soon after it was made', async (t) => {
  const { client, informers } = world.cluster!;
  const copies = informers.of(resources.pods);
  const times: number[] = [];
  for (let count = 0; count < 7; count++) {
    const name = `fast-${count}`;
    const container = { name: 'c', image: 'busybox', imagePullPolicy: 'IfNotPresent', command: ['sleep', '1000'] };
    const { promise: ready, resolve } = Promise.withResolvers<void>();
    const end = copies.onChange(({ now }) => {
      const isReady = now?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True');
      if (now?.metadata?.name === name && isReady) resolve();
    });
    const beganAt = performance.now();
    const spec = { nodeName, terminationGracePeriodSeconds: 0, containers: [container] };
    await client.create(resources.pods, { metadata: { namespace: 'default', name }, spec });
    await ready;
    times.push(performance.now() - beganAt);
    end();
  }
  times.sort((a, b) => a - b);
  t.diagnostic(`milliseconds from made to ready: ${times.map(Math.round).join(' ')}`);
  assert.ok(times[3]! < 2_000, 'half of them within two seconds, on a busy machine too');
  await world.remove(...times.map((_, count) => `fast-${count}`));
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

test('a new host finds its pods again, and restarts nothing', async () => {
  await world.runReady('kept', 'sleep 1000', { container: { readinessProbe: { exec: { command: ['true'] } } } });
  const state = async () =>
    (await world.kubectl('get', 'pod', 'kept', '-o', 'jsonpath={.status.containerStatuses[0]}{.status.conditions}'))
      .stdout;
  const before = await state();
  await world.restartHost();
  await eventually(
    'it can be asked',
    10_000,
    async () => (await world.kubectl('exec', 'kept', '--', 'true')).code === 0,
  );
  assert.equal(await state(), before);
});

test('with its record a node loses everything', async () => {
  await world.removeNode();
  assert.deepEqual(
    (await world.engine.containers.list()).map(({ name }) => name),
    [],
  );
  assert.deepEqual(world.network.plane.attached(), []);
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  assert.deepEqual(
    mounts.filter((line) => line.includes(world.directory)),
    [],
  );
  assert.deepEqual(
    readdirSync(join(world.directory, 'kubelets')).filter((name) => !name.startsWith('.')),
    [],
  );
  assert.deepEqual(cgroupsNamed('i-1', world.home.instance), []);
});

/** The first line that a program writes. */
async function firstLine(child: ChildProcess): Promise<string> {
  const lines = createInterface(child.stdout!);
  for await (const line of lines) return line;
  throw new Error(`it wrote nothing: ${await text(child.stderr!)}`);
}

function cgroupsNamed(name: string, instance: string): readonly string[] {
  const found = execFileSync('find', ['/sys/fs/cgroup', '-path', `*/dabba-${instance}/${name}*`], { encoding: 'utf8' });
  return found.split('\n').filter(Boolean);
}
