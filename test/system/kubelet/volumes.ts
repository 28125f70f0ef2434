/** Volumes. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { loopDevices } from '#kernel';
import { eventually } from '../../harness/machine.ts';
import { world } from './shared.ts';

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

test('a pod that writes more than its volume may hold is evicted', async () => {
  await world.run('writer', 'dd if=/dev/zero of=/scratch/file bs=1M count=2 2> /dev/null; sleep 1000', {
    container: { volumeMounts: [{ name: 'scratch', mountPath: '/scratch' }] },
    spec: { volumes: [{ name: 'scratch', emptyDir: { sizeLimit: '1Mi' } }] },
  });
  const wait = await world.kubectl('wait', '--for=jsonpath={.status.reason}=Evicted', 'pod/writer', '--timeout=160s');
  assert.equal(wait.code, 0, wait.stderr);
  const { stdout } = await world.kubectl('get', 'pod', 'writer', '-ojsonpath={.status.phase} {.status.message}');
  assert.equal(stdout.trim(), 'Failed Usage of EmptyDir volume "scratch" exceeds the limit "1Mi".');
  await world.remove('writer');
});

test('a claim of mode Block is a device, whose blocks outlive the pods that write them', async () => {
  await world.apply({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'blocks' },
    spec: { accessModes: ['ReadWriteOnce'], volumeMode: 'Block', resources: { requests: { storage: '8Mi' } } },
  });
  const claim = { name: 'disk', persistentVolumeClaim: { claimName: 'blocks' } };
  // The claim waits for the scheduler to place its first pod.
  const spec = { nodeName: undefined, volumes: [claim], restartPolicy: 'Never' };
  const more = {
    container: { volumeDevices: [{ name: 'disk', devicePath: '/dev/xvda' }] },
    spec,
  };
  const said = async (name: string, line: string) => {
    await world.run(name, line, more);
    const ended = await world.kubectl(
      'wait',
      '--for=jsonpath={.status.phase}=Succeeded',
      `pod/${name}`,
      '--timeout=80s',
    );
    assert.equal(ended.code, 0, `${ended.stderr}${(await world.kubectl('describe', 'pod', name)).stdout}`);
    const { stdout } = await world.kubectl('logs', name);
    await world.remove(name);
    return stdout.trim();
  };
  assert.equal(
    await said('filling', 'echo kept | dd of=/dev/xvda conv=notrunc,fsync 2> /dev/null; cat /dev/xvda | wc -c'),
    String(8 << 20),
  );
  await world.restartHost();
  assert.equal(await said('reading', 'head -c 4 /dev/xvda'), 'kept');
  await world.run('mistaken', 'true', {
    container: { volumeMounts: [{ name: 'disk', mountPath: '/disk' }] },
    spec,
  });
  const message = '-ojsonpath={.status.containerStatuses[0].state.waiting.message}';
  await eventually('it is told that a device cannot be mounted', 10_000, async () =>
    (await world.kubectl('get', 'pod', 'mistaken', message)).stdout.includes('has volumeMode Block'),
  );
  await world.remove('mistaken');
  const files = () => loopDevices().filter(({ file }) => file.startsWith(world.directory));
  assert.equal(files().length, 1);
  await world.kubectl('delete', 'pvc', 'blocks', '--wait=true');
  const left = () => [...files(), ...readdirSync(join(world.directory, 'kubelets/.blocks/c1'))];
  await eventually('its file is let go and gone', 20_000, async () => left().length === 0);
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
  const rolledOut = await world.kubectl('rollout', 'status', 'statefulset/db', '--timeout=160s');
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
