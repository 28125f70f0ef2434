/** What a kubelet does for a pod, as upstream's sig-node tests ask: environment, commands, hooks, probes, init containers, security contexts. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { WebSocket } from 'ws';
import { busybox } from '../harness/dabba.ts';
import { type Json, PATIENCE_MS, until, untilGone, Watch } from './api.ts';
import { imageWithNode, type NodeCluster, Pods, startNodeCluster } from './with-nodes.ts';

let cluster: NodeCluster;
let pods: Pods;
before(
  async () => {
    cluster = await startNodeCluster();
    pods = await Pods.in(cluster.api, 'node');
  },
  { timeout: 180_000 },
);
after(async () => await cluster?.[Symbol.asyncDispose](), { timeout: 120_000 });

const options = { timeout: 90_000 };
const remove = async (name: string): Promise<void> => {
  await pods.api.delete(pods.path('pods', name), { gracePeriodSeconds: 0 });
};
const containerStatus = (pod: Json, name = 'test'): Json =>
  [...(pod.status.containerStatuses ?? []), ...(pod.status.initContainerStatuses ?? [])].find(
    (status: Json) => status.name === name,
  );

// Environment

const encode = (text: string): string => Buffer.from(text).toString('base64');
for (const [title, kind, resource, ref] of [
  ['ConfigMap', 'configMap', 'configmaps', 'configMapKeyRef'],
  ['Secrets', 'secret', 'secrets', 'secretKeyRef'],
] as const) {
  const value = (text: string): string => (kind === 'secret' ? encode(text) : text);
  test(
    `[sig-node] ${title} should be consumable ${kind === 'secret' ? 'from pods in env vars' : 'via environment variable'}`,
    options,
    async () => {
      await pods.create(resource, { metadata: { name: `env-${resource}` }, data: { 'data-1': value('value-1') } });
      const env = [{ name: 'DATA', valueFrom: { [ref]: { name: `env-${resource}`, key: 'data-1' } } }];
      assert.equal(await pods.output('echo $DATA', { env }), 'value-1');
    },
  );
  test(`[sig-node] ${title} should be consumable via the environment`, options, async () => {
    await pods.create(resource, { metadata: { name: `env-from-${resource}` }, data: { data: value('value') } });
    const envFrom = [
      { [`${kind}Ref`]: { name: `env-from-${resource}` } },
      { prefix: 'p_', [`${kind}Ref`]: { name: `env-from-${resource}` } },
    ];
    assert.equal(await pods.output('echo $data $p_data', { envFrom }), 'value value');
  });
  test(
    `[sig-node] ${title} should be consumable as environment variable names ${kind === 'secret' ? 'variable names ' : ''}with various prefixes`,
    options,
    async () => {
      await pods.create(resource, {
        metadata: { name: `env-prefix-${resource}` },
        data: { 'data-1': value('a'), 'data.2': value('b') },
      });
      const envFrom = [
        { prefix: 'P-', [`${kind}Ref`]: { name: `env-prefix-${resource}` } },
        { prefix: '.x', [`${kind}Ref`]: { name: `env-prefix-${resource}` } },
      ];
      // By itself: a shell drops names that are none of its own.
      const lines = (await pods.output('', { envFrom, command: ['env'] })).split('\n');
      for (const line of ['P-data-1=a', 'P-data.2=b', '.xdata-1=a']) assert.ok(lines.includes(line), line);
    },
  );
}

const fromField = (name: string, fieldPath: string): Json => ({ name, valueFrom: { fieldRef: { fieldPath } } });
const fromResource = (name: string, resource: string): Json => ({
  name,
  valueFrom: { resourceFieldRef: { resource } },
});

test('[sig-node] Downward API should provide pod name, namespace and IP address as env vars', options, async () => {
  const env = [fromField('N', 'metadata.name'), fromField('S', 'metadata.namespace'), fromField('I', 'status.podIP')];
  const { pod, log } = await pods.run(pods.pod('echo $N $S $I', { env }));
  assert.equal(log.trim(), `${pod.metadata.name} ${pods.namespace} ${pod.status.podIP}`);
});
test('[sig-node] Downward API should provide pod UID as env vars', options, async () => {
  const { pod, log } = await pods.run(pods.pod('echo $U', { env: [fromField('U', 'metadata.uid')] }));
  assert.equal(log.trim(), pod.metadata.uid);
});
for (const [title, fieldPath] of [
  ['host IP as an env var', 'status.hostIP'],
  ['hostIPs as an env var', 'status.hostIPs'],
])
  test(`[sig-node] Downward API should provide ${title}`, options, async () => {
    const { pod, log } = await pods.run(pods.pod('echo $H', { env: [fromField('H', fieldPath!)] }));
    assert.equal(log.trim(), pod.status.hostIP);
    assert.match(log, /^\d+\.\d+\.\d+\.\d+/);
  });
test(
  "[sig-node] Downward API should provide container's limits.cpu/memory and requests.cpu/memory as env vars",
  options,
  async () => {
    const env = [
      fromResource('CL', 'limits.cpu'),
      fromResource('ML', 'limits.memory'),
      fromResource('CR', 'requests.cpu'),
      fromResource('MR', 'requests.memory'),
    ];
    const resources = { requests: { cpu: '250m', memory: '32Mi' }, limits: { cpu: '1250m', memory: '64Mi' } };
    assert.equal(await pods.output('echo $CL $ML $CR $MR', { env, resources }), `2 ${64 << 20} 1 ${32 << 20}`);
  },
);
test('[sig-node] Downward API should provide default limits.cpu/memory from node allocatable', options, async () => {
  const { pod, log } = await pods.run(pods.pod('echo $CL', { env: [fromResource('CL', 'limits.cpu')] }));
  const { allocatable } = (await pods.api.get(`/api/v1/nodes/${pod.spec.nodeName}`)).status;
  const cpu: string = allocatable.cpu;
  assert.equal(Number(log.trim()), cpu.endsWith('m') ? Math.ceil(Number.parseInt(cpu, 10) / 1000) : Number(cpu));
});

// Commands and variables

const bare = (container: Json): Json => ({
  metadata: { name: `command-${++commands}` },
  spec: { restartPolicy: 'Never', containers: [{ name: 'test', image: busybox, ...container }] },
});
let commands = 0;
test("[sig-node] Containers should be able to override the image's default arguments", options, async () => {
  assert.equal((await pods.run(bare({ args: ['echo', 'overridden arguments'] }))).log.trim(), 'overridden arguments');
});
test("[sig-node] Containers should be able to override the image's default command", options, async () => {
  assert.ok((await pods.run(bare({ command: ['hostname'] }))).log.length > 1);
});
test(
  "[sig-node] Containers should be able to override the image's default command and arguments",
  options,
  async () => {
    assert.equal((await pods.run(bare({ command: ['echo'], args: ['override', 'both'] }))).log.trim(), 'override both');
  },
);
test('[sig-node] Containers should use the image defaults if command and args are blank', options, async () => {
  // The image's own command is a shell, which ends at once without a terminal.
  assert.equal((await pods.run(bare({}))).log, '');
});
test('[sig-node] Variable Expansion should allow composing env vars into new env vars', options, async () => {
  const env = [
    { name: 'FOO', value: 'foo-value' },
    { name: 'BAR', value: 'bar-value' },
    { name: 'FOOBAR', value: '$(FOO);;$(BAR)$$(FOO)' },
  ];
  assert.equal(await pods.output('echo "$FOOBAR"', { env }), 'foo-value;;bar-value$(FOO)');
});
for (const what of ['command', 'args'])
  test(`[sig-node] Variable Expansion should allow substituting values in a container's ${what}`, options, async () => {
    const env = [{ name: 'TEST_VAR', value: 'test-value' }];
    const script = 'TEST_VAR=wrong echo "$(TEST_VAR)"';
    assert.equal(
      (
        await pods.run(
          bare(
            what === 'command'
              ? { command: ['sh', '-c', script], env }
              : { command: ['sh', '-c'], args: [script], env },
          ),
        )
      ).log.trim(),
      'test-value',
    );
  });
const expanded = (expression: string, extra: Json = {}): Json => ({
  env: [fromField('POD_NAME', 'metadata.name'), fromField('ANNOTATION', "metadata.annotations['mysubpath']")],
  volumeMounts: [
    { name: 'work', mountPath: '/sub', subPathExpr: expression },
    { name: 'work', mountPath: '/whole' },
  ],
  ...extra,
});
const work = { volumes: [{ name: 'work', emptyDir: {} }] };
test('[sig-node] Variable Expansion should allow substituting values in a volume subpath', options, async () => {
  const pod = pods.pod('echo content > /sub/test.log; cat /whole/$POD_NAME/test.log', expanded('$(POD_NAME)'), work);
  assert.equal((await pods.run(pod)).log.trim(), 'content');
});
test('[sig-node] Variable Expansion should succeed in writing subpaths in container', options, async () => {
  const pod = pods.pod('touch /sub/made; ls /whole/mypath', expanded('$(ANNOTATION)'), work);
  pod.metadata.annotations = { mysubpath: 'mypath' };
  assert.equal((await pods.run(pod)).log.trim(), 'made');
});
for (const [title, value] of [
  ['backticks', '..'],
  ['absolute path', '/tmp'],
] as const)
  test(
    `[sig-node] Variable Expansion should fail substituting values in a volume subpath with ${title}`,
    options,
    async () => {
      const pod = pods.pod('true', expanded('$(ANNOTATION)'), work);
      pod.metadata.annotations = { mysubpath: value };
      await pods.create('pods', pod);
      const refused = await until(
        pods.api,
        pods.path('pods', pod.metadata.name),
        (now) => containerStatus(now)?.state.waiting?.reason === 'CreateContainerConfigError',
      );
      assert.equal(refused.status.phase, 'Pending');
      await remove(pod.metadata.name);
    },
  );
test(
  '[sig-node] Variable Expansion should verify that a failing subpath expansion can be modified during the lifecycle of a container [Slow]',
  options,
  async () => {
    const pod = pods.pod('echo ran; sleep 600', expanded('$(ANNOTATION)'), work);
    pod.metadata.annotations = { mysubpath: '..' };
    await pods.create('pods', pod);
    const path = pods.path('pods', pod.metadata.name);
    await until(pods.api, path, (now) => containerStatus(now)?.state.waiting?.reason === 'CreateContainerConfigError');
    await pods.api.patch(path, { metadata: { annotations: { mysubpath: 'mypath' } } });
    await until(pods.api, path, ({ status }) => status.phase === 'Running');
    await remove(pod.metadata.name);
  },
);

// Lifecycle hooks

for (const [hook, title] of [
  ['postStart', 'poststart'],
  ['preStop', 'prestop'],
] as const)
  for (const kind of ['exec', 'http'] as const)
    test(`[sig-node] Container Lifecycle Hook should execute ${title} ${kind} hook properly`, options, async () => {
      const target = await pods.ready(pods.pod('mkdir /w; cd /w; echo ok > hook; exec httpd -f -vv -p 8080'));
      const host: string = target.status.podIP;
      const handler =
        kind === 'http'
          ? { httpGet: { path: '/hook', host, port: 8080 } }
          : { exec: { command: ['wget', '-q', '-O-', `http://${host}:8080/hook`] } };
      const { metadata } = await pods.ready(
        pods.pod('sleep 600', { lifecycle: { [hook]: handler } }, { terminationGracePeriodSeconds: 10 }),
      );
      if (hook === 'preStop') {
        assert.ok(!(await pods.log(target.metadata.name)).includes('/hook'), 'not yet called');
        await pods.api.delete(pods.path('pods', metadata.name));
        await untilGone(pods.api, pods.path('pods', metadata.name));
      } else await remove(metadata.name);
      await pods.says(target.metadata.name, '/hook');
      await remove(target.metadata.name);
    });
test('[sig-node] PreStop should call prestop when killing a pod', options, async () => {
  const server = await pods.ready(pods.pod('mkdir /w; cd /w; echo ok > prestop; exec httpd -f -vv -p 8080'));
  const command = ['wget', '-q', '-O-', `http://${server.status.podIP}:8080/prestop`];
  const tester = await pods.ready(
    pods.pod('sleep 600', { lifecycle: { preStop: { exec: { command } } } }, { terminationGracePeriodSeconds: 10 }),
  );
  await pods.api.delete(pods.path('pods', tester.metadata.name));
  await pods.says(server.metadata.name, '/prestop');
  await remove(server.metadata.name);
});

// Ends of containers

const message = async (script: string, container: Json, phase: string, spec: Json = {}): Promise<string | undefined> =>
  containerStatus((await pods.run(pods.pod(script, container, spec), phase)).pod).state.terminated.message;
const fallback = { terminationMessagePolicy: 'FallbackToLogsOnError' };
test(
  '[sig-node] Container Runtime should report termination message as empty when pod succeeds and FallbackToLogsOnError',
  options,
  async () => {
    assert.equal(await message('echo DONE', fallback, 'Succeeded'), undefined);
  },
);
test(
  '[sig-node] Container Runtime should report termination message from log output if FallbackToLogsOnError',
  options,
  async () => {
    assert.equal((await message('echo -n DONE; exit 1', fallback, 'Failed'))?.trim(), 'DONE');
  },
);
test(
  '[sig-node] Container Runtime should report termination message from file when pod succeeds and FallbackToLogsOnError',
  options,
  async () => {
    assert.equal(await message('echo -n OK > /dev/termination-log; echo DONE', fallback, 'Succeeded'), 'OK');
  },
);
test(
  '[sig-node] Container Runtime should report termination message if TerminationMessagePath is set as non-root user and at a non-default path',
  options,
  async () => {
    const container = { terminationMessagePath: '/dev/termination-custom-log', securityContext: { runAsUser: 1000 } };
    assert.equal(await message('echo -n DONE > /dev/termination-custom-log', container, 'Succeeded'), 'DONE');
  },
);
test(
  '[sig-node] Container Runtime when starting a container that exits should run with the expected status',
  options,
  async () => {
    const never = await pods.run(pods.pod('exit 3'), 'Failed');
    assert.equal(containerStatus(never.pod).state.terminated.exitCode, 3);
    assert.equal(
      containerStatus((await pods.run(pods.pod('true', {}, { restartPolicy: 'OnFailure' }))).pod).restartCount,
      0,
    );
    const again = pods.pod(
      'test -e /w/once || { touch /w/once; exit 1; }; sleep 600',
      { volumeMounts: [{ name: 'work', mountPath: '/w' }] },
      { ...work, restartPolicy: 'Always' },
    );
    await pods.create('pods', again);
    const running = await until(
      pods.api,
      pods.path('pods', again.metadata.name),
      (now) => containerStatus(now)?.restartCount === 1 && containerStatus(now).state.running,
    );
    assert.equal(containerStatus(running).lastState.terminated.exitCode, 1);
    await remove(again.metadata.name);
  },
);
test('[sig-node] Kubelet busybox command in a pod should print the output to logs', options, async () => {
  assert.equal(await pods.output("echo 'Hello World'"), 'Hello World');
});
test('[sig-node] Kubelet busybox command that always fails should have an terminated reason', options, async () => {
  const { pod } = await pods.run(pods.pod('/bin/false'), 'Failed');
  assert.equal(containerStatus(pod).state.terminated.reason, 'Error');
});
test('[sig-node] Kubelet busybox command that always fails should be possible to delete', options, async () => {
  const { metadata } = await pods.create('pods', pods.pod('/bin/false', {}, { restartPolicy: 'Always' }));
  await until(pods.api, pods.path('pods', metadata.name), (now) => containerStatus(now)?.restartCount >= 1);
  await pods.api.delete(pods.path('pods', metadata.name));
  await untilGone(pods.api, pods.path('pods', metadata.name));
});
test('[sig-node] Kubelet read only busybox container should not write to root filesystem', options, async () => {
  assert.match(
    await pods.output('echo test > /file || echo refused', { securityContext: { readOnlyRootFilesystem: true } }),
    /refused/,
  );
});
test('[sig-node] Kubelet agnhost Pod with hostAliases should write entries to /etc/hosts', options, async () => {
  const hosts = await pods.output(
    'cat /etc/hosts',
    {},
    { hostAliases: [{ ip: '123.45.67.89', hostnames: ['foo', 'bar'] }] },
  );
  assert.match(hosts, /^123\.45\.67\.89\s+foo\s+bar$/m);
});
test('[sig-node] KubeletManagedEtcHosts should test kubelet managed /etc/hosts file', options, async () => {
  const header = '# Kubernetes-managed hosts file.';
  const { pod, log } = await pods.run(pods.pod('cat /etc/hosts'));
  assert.ok(log.startsWith(header));
  assert.match(log, new RegExp(`^${pod.status.podIP.replaceAll('.', String.raw`\.`)}\\s+${pod.metadata.name}$`, 'm'));
  await pods.create('configmaps', { metadata: { name: 'hosts' }, data: { hosts: 'mine\n' } });
  const own = await pods.output(
    'cat /etc/hosts',
    { volumeMounts: [{ name: 'hosts', mountPath: '/etc/hosts', subPath: 'hosts' }] },
    { volumes: [{ name: 'hosts', configMap: { name: 'hosts' } }] },
  );
  assert.equal(own, 'mine');
  assert.ok(
    !(await pods.output('cat /etc/hosts', {}, { hostNetwork: true })).startsWith(header),
    'the node has its own',
  );
});

// Init containers

const init = (name: string, script: string): Json => ({ name, image: busybox, command: ['sh', '-c', script] });
const initialized = (pod: Json): string =>
  pod.status.conditions.find(({ type }: Json) => type === 'Initialized').status;
test('[sig-node] InitContainer should invoke init containers on a RestartNever pod', options, async () => {
  const { pod } = await pods.run(
    pods.pod('true', {}, { initContainers: [init('init1', 'true'), init('init2', 'true')] }),
  );
  assert.equal(initialized(pod), 'True');
  for (const name of ['init1', 'init2']) assert.equal(containerStatus(pod, name).state.terminated.exitCode, 0);
});
test('[sig-node] InitContainer should invoke init containers on a RestartAlways pod', options, async () => {
  const pod = await pods.ready(
    pods.pod(
      'sleep 600',
      {},
      { restartPolicy: 'Always', initContainers: [init('init1', 'true'), init('init2', 'true')] },
    ),
  );
  assert.equal(initialized(pod), 'True');
  await remove(pod.metadata.name);
});
test(
  '[sig-node] InitContainer should not start app containers if init containers fail on a RestartAlways pod',
  options,
  async () => {
    const { metadata } = await pods.create(
      'pods',
      pods.pod(
        'sleep 600',
        {},
        { restartPolicy: 'Always', initContainers: [init('init1', 'false'), init('init2', 'true')] },
      ),
    );
    const failing = await until(
      pods.api,
      pods.path('pods', metadata.name),
      (now) => containerStatus(now, 'init1')?.restartCount >= 2,
    );
    assert.equal(failing.status.phase, 'Pending');
    assert.equal(initialized(failing), 'False');
    assert.ok(containerStatus(failing).state.waiting && containerStatus(failing, 'init2').state.waiting);
    await remove(metadata.name);
  },
);
test(
  '[sig-node] InitContainer should not start app containers and fail the pod if init containers fail on a RestartNever pod',
  options,
  async () => {
    const { metadata } = await pods.create(
      'pods',
      pods.pod('true', {}, { initContainers: [init('init1', 'true'), init('init2', 'false')] }),
    );
    const failed = await until(pods.api, pods.path('pods', metadata.name), ({ status }) => status.phase === 'Failed');
    assert.equal(containerStatus(failed, 'init2').state.terminated.exitCode, 1);
    assert.ok(containerStatus(failed).state.waiting);
  },
);

// Probes

const probed = async (script: string, probes: Json, extra: Json = {}): Promise<string> =>
  (await pods.create('pods', pods.pod(script, { ...probes, ...extra }, { restartPolicy: 'Always' }))).metadata.name;
const restarts = async (name: string, count: number): Promise<Json> =>
  await until(pods.api, pods.path('pods', name), (now) => containerStatus(now)?.restartCount >= count);
const execHealth = { exec: { command: ['cat', '/tmp/health'] } };
const httpd = 'mkdir -p /w && cd /w && echo ok > healthz';
const liveness = (handler: Json): Json => ({
  livenessProbe: { ...handler, initialDelaySeconds: 1, periodSeconds: 1, failureThreshold: 1 },
});
test(
  '[sig-node] Probing container should be restarted with a exec "cat /tmp/health" liveness probe',
  options,
  async () => {
    const name = await probed('echo ok > /tmp/health; sleep 3; rm /tmp/health; sleep 600', liveness(execHealth));
    await restarts(name, 1);
    await remove(name);
  },
);
test('[sig-node] Probing container should be restarted with a /healthz http liveness probe', options, async () => {
  const name = await probed(
    `${httpd}; (sleep 3; rm healthz) & exec httpd -f -p 8080`,
    liveness({ httpGet: { path: '/healthz', port: 8080 } }),
  );
  await restarts(name, 1);
  await remove(name);
});
for (const [title, handler] of [
  ['exec "cat /tmp/health"', execHealth],
  ['/healthz http', { httpGet: { path: '/healthz', port: 8080 } }],
  ['tcp:8080', { tcpSocket: { port: 8080 } }],
] as const)
  test(`[sig-node] Probing container should *not* be restarted with a ${title} liveness probe`, options, async () => {
    const name = await probed(`echo ok > /tmp/health; ${httpd}; exec httpd -f -v -p 8080`, liveness(handler));
    await until(pods.api, pods.path('pods', name), ({ status }) => status.phase === 'Running');
    // Several periods of the probe, counted by the container's own clock.
    await pods.output('sleep 5');
    assert.equal(containerStatus(await pods.api.get(pods.path('pods', name))).restartCount, 0);
    await remove(name);
  });
/** A gRPC server of health alone, which counts how often it was asked. */
const grpcServer = `
  let asked = 0;
  require('node:http2').createServer().on('stream', (stream) => {
    console.log('asked ' + ++asked);
    stream.resume().respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.end(Buffer.from([0, 0, 0, 0, 2, 8, 1]));
  }).listen(2379)`;
for (const [title, port] of [
  ['should *not* be restarted', 2379],
  ['should be restarted', 2333],
] as const)
  test(`[sig-node] Probing container ${title} with a GRPC liveness probe`, options, async () => {
    const image = await imageWithNode(cluster.dabba);
    const probe = { grpc: { port }, periodSeconds: 1, failureThreshold: 1, initialDelaySeconds: 2 };
    const container = { image, command: ['node', '-e', grpcServer], livenessProbe: probe };
    const { metadata } = await pods.create('pods', pods.pod('', container, { restartPolicy: 'Always' }));
    if (port === 2333) await restarts(metadata.name, 1);
    else {
      await until(pods.api, pods.path('pods', metadata.name), ({ status }) => status.phase === 'Running');
      await pods.says(metadata.name, 'asked 4');
      assert.equal(containerStatus(await pods.api.get(pods.path('pods', metadata.name))).restartCount, 0);
    }
    await remove(metadata.name);
  });
test('[sig-node] Probing container should have monotonically increasing restart count', options, async () => {
  const name = await probed('sleep 600', liveness({ exec: { command: ['false'] } }));
  let seen = 0;
  for (const count of [1, 2]) {
    const { restartCount } = containerStatus(await restarts(name, count));
    assert.ok(restartCount > seen);
    seen = restartCount;
  }
  await remove(name);
});
test(
  '[sig-node] Probing container with readiness probe should not be ready before initial delay and never restart',
  options,
  async () => {
    const name = await probed('sleep 600', {
      readinessProbe: { exec: { command: ['true'] }, initialDelaySeconds: 4, periodSeconds: 1 },
    });
    const ready = await until(pods.api, pods.path('pods', name), (now) => containerStatus(now)?.ready);
    const condition = ready.status.conditions.find(({ type }: Json) => type === 'Ready');
    const started = Date.parse(containerStatus(ready).state.running.startedAt);
    assert.ok(Date.parse(condition.lastTransitionTime) - started >= 3000, 'instants have whole seconds');
    assert.equal(containerStatus(ready).restartCount, 0);
    await remove(name);
  },
);
test(
  '[sig-node] Probing container with readiness probe that fails should never be ready and never restart',
  options,
  async () => {
    const name = await probed('sleep 600', { readinessProbe: { exec: { command: ['false'] }, periodSeconds: 1 } });
    await until(pods.api, pods.path('pods', name), ({ status }) => status.phase === 'Running');
    await pods.output('sleep 4');
    const status = containerStatus(await pods.api.get(pods.path('pods', name)));
    assert.deepEqual([status.ready, status.restartCount], [false, 0]);
    await remove(name);
  },
);

// Security

const security = (securityContext: Json): Json => ({ securityContext });
test('[sig-node] Security Context runAsUser should run the container with uid 65534', options, async () => {
  assert.equal(await pods.output('id -u', security({ runAsUser: 65534 })), '65534');
});
test('[sig-node] Security Context container.SecurityContext.RunAsUser And RunAsGroup', options, async () => {
  assert.equal(await pods.output('id -u; id -g', security({ runAsUser: 1001, runAsGroup: 2002 })), '1001\n2002');
});
test('[sig-node] Security Context pod.Spec.SecurityContext.RunAsUser And RunAsGroup', options, async () => {
  assert.equal(await pods.output('id -u; id -g', {}, security({ runAsUser: 1001, runAsGroup: 2002 })), '1001\n2002');
});
test('[sig-node] Security Context run the container as unprivileged when false', options, async () => {
  assert.match(
    await pods.output('ip link add dummy0 type dummy || echo refused', security({ privileged: false })),
    /refused/,
  );
});
test('[sig-node] Security Context writable rootfs when readOnlyRootFilesystem=false', options, async () => {
  assert.equal(await pods.output('echo ok > /file; cat /file', security({ readOnlyRootFilesystem: false })), 'ok');
});
test('[sig-node] Security Context should not allow privilege escalation when false', options, async () => {
  assert.match(
    await pods.output(
      'grep NoNewPrivs /proc/self/status',
      security({ allowPrivilegeEscalation: false, runAsUser: 1000 }),
    ),
    /NoNewPrivs:\s+1/,
  );
});
test('[sig-node] Sysctls should support sysctls', options, async () => {
  const sysctls = [{ name: 'kernel.shm_rmid_forced', value: '1' }];
  assert.equal(await pods.output('cat /proc/sys/kernel/shm_rmid_forced', {}, security({ sysctls })), '1');
});
test('[sig-node] Sysctls should reject invalid sysctls', options, async () => {
  const sysctls = ['foo-', 'kernel.shmmax', 'safe-and-unsafe', 'bar..'].map((name) => ({ name, value: '1' }));
  const status = await pods.api.refused(422, 'POST', pods.path('pods'), pods.pod('true', {}, security({ sysctls })));
  for (const name of ['foo-', 'bar..']) assert.ok(status.message.includes(name), name);
  assert.ok(!status.message.includes('kernel.shmmax'));
});

// Pods

test('[sig-node] Pods should get a host IP', options, async () => {
  const pod = await pods.ready(pods.pod('sleep 600'));
  assert.match(pod.status.hostIP, /^\d+\.\d+\.\d+\.\d+$/);
  await remove(pod.metadata.name);
});
test('[sig-node] Pods should be updated', options, async () => {
  const { metadata } = await pods.ready(pods.pod('sleep 600'));
  const path = pods.path('pods', metadata.name);
  const updated = await pods.api.patch(path, { metadata: { labels: { time: 'updated' } } });
  assert.equal(updated.metadata.labels.time, 'updated');
  assert.equal((await pods.api.get(`${pods.path('pods')}?labelSelector=time%3Dupdated`)).items.length, 1);
  await remove(metadata.name);
});
test('[sig-node] Pods should be submitted and removed', options, async () => {
  await using watch = await Watch.on(pods.api, `${pods.path('pods')}?labelSelector=submit%3Dyes`);
  const pod = pods.pod('sleep 600', {}, { terminationGracePeriodSeconds: 5 });
  await pods.create('pods', { ...pod, metadata: { ...pod.metadata, labels: { submit: 'yes' } } });
  await watch.next('ADDED');
  await watch.next('MODIFIED', ({ status }) => status.phase === 'Running');
  await pods.api.delete(pods.path('pods', pod.metadata.name), { gracePeriodSeconds: 1 });
  const deleted = await watch.next('DELETED');
  assert.ok(deleted.metadata.deletionTimestamp);
  assert.equal((await pods.api.get(`${pods.path('pods')}?labelSelector=submit%3Dyes`)).items.length, 0);
});
test('[sig-node] Pods should allow activeDeadlineSeconds to be updated', options, async () => {
  const { metadata } = await pods.ready(pods.pod('sleep 600'));
  const path = pods.path('pods', metadata.name);
  await pods.api.patch(path, { spec: { activeDeadlineSeconds: 2 } });
  const failed = await until(pods.api, path, ({ status }) => status.phase === 'Failed');
  assert.equal(failed.status.reason, 'DeadlineExceeded');
});
test('[sig-node] Pods should contain environment variables for services', options, async () => {
  await pods.create('services', {
    metadata: { name: 'fooservice' },
    spec: { ports: [{ port: 8765, targetPort: 8080 }], selector: { name: 'none' } },
  });
  const lines = await pods.output('env');
  for (const name of [
    'FOOSERVICE_SERVICE_HOST=',
    'FOOSERVICE_SERVICE_PORT=8765',
    'FOOSERVICE_PORT_8765_TCP_PORT=8765',
    'FOOSERVICE_PORT_8765_TCP_PROTO=tcp',
  ])
    assert.ok(lines.includes(name), name);
});
test('[sig-node] Pods should run through the lifecycle of Pods and PodStatus', options, async () => {
  const pod = await pods.ready(pods.pod('sleep 600', {}, { terminationGracePeriodSeconds: 1 }));
  const path = pods.path('pods', pod.metadata.name);
  await pods.api.patch(path, { metadata: { labels: { lifecycle: 'patched' } } }, 'strategic');
  assert.equal((await pods.api.get('/api/v1/pods?labelSelector=lifecycle%3Dpatched')).items.length, 1);
  const read = await pods.api.get(`${path}/status`);
  const conditions = read.status.conditions.map((condition: Json) =>
    condition.type === 'Ready' ? { ...condition, status: 'False' } : condition,
  );
  await pods.api.put(`${path}/status`, { ...read, status: { ...read.status, conditions } });
  await pods.api.delete(`${pods.path('pods')}?labelSelector=lifecycle%3Dpatched`, { gracePeriodSeconds: 1 });
  await untilGone(pods.api, path);
});
test(
  '[sig-node] Pods Extended (pod generation) pod generation should start at 1 and increment per update',
  options,
  async () => {
    const { metadata } = await pods.ready(pods.pod('sleep 600'));
    assert.equal(metadata.generation, 1);
    const path = pods.path('pods', metadata.name);
    assert.equal((await pods.api.patch(path, { spec: { activeDeadlineSeconds: 5000 } })).metadata.generation, 2);
    assert.equal(
      (await pods.api.patch(path, { metadata: { labels: { a: 'b' } } })).metadata.generation,
      2,
      'metadata is not the spec',
    );
    await until(pods.api, path, ({ status }) => status.observedGeneration === 2);
    await remove(metadata.name);
  },
);
test(
  '[sig-node] Pods Extended (pod generation) custom-set generation on new pods and graceful delete',
  options,
  async () => {
    const { metadata } = await pods.ready(pods.pod('sleep 600', {}, {}, { generation: 100, name: 'own-generation' }));
    assert.equal(metadata.generation, 1, 'what the client says of it is nothing');
    const path = pods.path('pods', metadata.name);
    await pods.api.patch(path, { metadata: { finalizers: ['e2e.example.com/held'] } });
    const deleted = await pods.api.delete(path);
    assert.equal(deleted.metadata.generation, 2);
    await until(pods.api, path, ({ status }) => status.observedGeneration === 2);
    await pods.api.patch(path, { metadata: { finalizers: null } });
    await untilGone(pods.api, path);
  },
);
test(
  '[sig-node] Pods Extended (pod generation) issue 500 podspec updates and verify generation and observedGeneration eventually converge',
  options,
  async () => {
    const { metadata } = await pods.ready(pods.pod('sleep 600'));
    const path = pods.path('pods', metadata.name);
    for (let update = 0; update < 500; update++)
      await pods.api.patch(path, { spec: { activeDeadlineSeconds: 10_000 - update } });
    const { metadata: now } = await until(pods.api, path, ({ status }) => status.observedGeneration === 501);
    assert.equal(now.generation, 501);
    await remove(metadata.name);
  },
);
const isScheduled = ({ status }: Json): boolean =>
  status.conditions?.some(({ type, status: is }: Json) => type === 'PodScheduled' && is === 'True');
test(
  '[sig-node] RuntimeClass should schedule a Pod requesting a RuntimeClass without PodOverhead',
  options,
  async () => {
    const name = 'preconfigured-handler';
    await pods.api.post('/apis/node.k8s.io/v1/runtimeclasses', { metadata: { name }, handler: 'test-handler' });
    const { metadata } = await pods.create('pods', pods.pod('true', {}, { runtimeClassName: name }));
    const pod = await until(pods.api, pods.path('pods', metadata.name), isScheduled);
    assert.equal(pod.spec.overhead, undefined);
    await remove(metadata.name);
  },
);
test(
  '[sig-node] RuntimeClass should schedule a Pod requesting a RuntimeClass and initialize its Overhead',
  options,
  async () => {
    const podFixed = { cpu: '10m', memory: '1Mi' };
    const name = 'with-overhead';
    await pods.api.post('/apis/node.k8s.io/v1/runtimeclasses', {
      metadata: { name },
      handler: 'test-handler',
      overhead: { podFixed },
    });
    const { metadata } = await pods.create('pods', pods.pod('true', {}, { runtimeClassName: name }));
    const pod = await until(pods.api, pods.path('pods', metadata.name), isScheduled);
    assert.deepEqual(pod.spec.overhead, podFixed);
    await remove(metadata.name);
  },
);
for (const title of [
  'should update the ephemeral containers in an existing pod',
  'will start an ephemeral container in an existing pod',
])
  test(`[sig-node] Ephemeral Containers ${title}`, options, async () => {
    const { metadata } = await pods.ready(pods.pod('sleep 600'));
    const path = pods.path('pods', metadata.name);
    const debug = (name: string): Json => ({
      name,
      image: busybox,
      command: ['sh', '-c', `echo ${name} is here; sleep 600`],
    });
    await pods.api.patch(
      `${path}/ephemeralcontainers`,
      { spec: { ephemeralContainers: [debug('debugger')] } },
      'strategic',
    );
    await until(pods.api, path, ({ status }) => status.ephemeralContainerStatuses?.[0]?.state.running);
    await pods.says(metadata.name, 'debugger is here', 'debugger');
    if (title.startsWith('should')) {
      const read = await pods.api.get(`${path}/ephemeralcontainers`);
      await pods.api.put(`${path}/ephemeralcontainers`, {
        ...read,
        spec: { ...read.spec, ephemeralContainers: [...read.spec.ephemeralContainers, debug('second')] },
      });
      await until(pods.api, path, ({ status }) => status.ephemeralContainerStatuses?.length === 2);
      await pods.api.refused(422, 'PUT', `${path}/ephemeralcontainers`, {
        ...read,
        metadata: { ...read.metadata, resourceVersion: undefined },
        spec: { ...read.spec, ephemeralContainers: [] },
      });
    }
    await remove(metadata.name);
  });
/** What a WebSocket of the API says, as messages, until it is closed. */
async function overWebSocket(path: string, protocol: string): Promise<Buffer[]> {
  const { server: at, ca, token } = pods.api.access;
  const headers = { authorization: `Bearer ${token}` };
  const socket = new WebSocket(at.replace('https', 'wss') + path, [protocol], { ca, headers });
  const messages: Buffer[] = [];
  socket.on('message', (message: Buffer) => void messages.push(message));
  await once(socket, 'close');
  return messages;
}
test('[sig-node] Pods should support remote command execution over websockets', options, async () => {
  const { metadata } = await pods.ready(pods.pod('sleep 600'));
  const words = ['echo', 'remote execution test'].map((word) => `command=${encodeURIComponent(word)}`).join('&');
  const path = `${pods.path('pods', metadata.name)}/exec?stderr=1&stdout=1&container=test&${words}`;
  const messages = await overWebSocket(path, 'channel.k8s.io');
  const output = messages.filter(([channel]) => channel === 1).map((message) => message.subarray(1));
  assert.equal(Buffer.concat(output).toString(), 'remote execution test\n');
  assert.deepEqual(
    messages.filter((message) => message[0] === 3 && message.length > 1),
    [],
    'nothing is said of success',
  );
  await remove(metadata.name);
});
test('[sig-node] Pods should support retrieving logs from the container over websockets', options, async () => {
  const { metadata } = await pods.ready(pods.pod('echo container is alive; sleep 600'));
  await pods.says(metadata.name, 'container is alive');
  const messages = await overWebSocket(`${pods.path('pods', metadata.name)}/log?container=test`, 'binary.k8s.io');
  assert.equal(Buffer.concat(messages).toString(), 'container is alive\n');
  await remove(metadata.name);
});
test('logs of a follower end with the container', { timeout: PATIENCE_MS }, async () => {
  const { metadata } = await pods.create('pods', pods.pod('for n in 1 2 3; do echo line $n; sleep 0.3; done'));
  await until(
    pods.api,
    pods.path('pods', metadata.name),
    (now) => containerStatus(now) && !containerStatus(now).state.waiting,
  );
  await pods.says(metadata.name, 'line 3');
  await until(pods.api, pods.path('pods', metadata.name), ({ status }) => status.phase === 'Succeeded');
  assert.equal(await pods.log(metadata.name, 'test', '&tailLines=1'), 'line 3\n');
  await remove(metadata.name);
});
