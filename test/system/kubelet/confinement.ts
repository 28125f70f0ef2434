/** What a pod may reach, and who reaches it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
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
  await world.kubectl('wait', '--for=jsonpath={.status.phase}=Succeeded', 'pod/sec', '--timeout=20s');
  assert.equal(
    (await world.kubectl('logs', 'sec')).stdout,
    '1000\n3000\nro\nCapEff:\t0000000000000000\nNoNewPrivs:\t1\n',
  );
  await world.remove('sec');
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
