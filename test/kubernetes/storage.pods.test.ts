/** Volumes as upstream's sig-storage tests use them: what a container finds in them, with which mode and owner, and what it sees change. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { busybox } from '../harness/dabba.ts';
import { eventually } from '../harness/machine.ts';
import { type Json, until } from './api.ts';
import { imageWith, type NodeCluster, Pods, startNodeCluster } from './with-nodes.ts';

let cluster: NodeCluster;
let pods: Pods;
let other: Pods;
before(
  async () => {
    cluster = await startNodeCluster();
    pods = await Pods.in(cluster.api, 'storage');
    other = await Pods.in(cluster.api, 'storage-other');
  },
  { timeout: 180_000 },
);
after(async () => await cluster?.[Symbol.asyncDispose](), { timeout: 120_000 });

const options = { timeout: 60_000 };
const encode = (text: string): string => Buffer.from(text).toString('base64');
const mountedAt = (path: string, extra: Json = {}): Json => ({
  volumeMounts: [{ name: 'volume', mountPath: path, readOnly: true, ...extra }],
});
const nonRoot = { runAsUser: 1000 };

let names = 0;
async function configMap(data: Json, extra: Json = {}): Promise<string> {
  const name = `map-${++names}`;
  await pods.create('configmaps', { metadata: { name }, data, ...extra });
  return name;
}
async function secret(data: Record<string, string>, into: Pods = pods, name = `secret-${++names}`): Promise<string> {
  const encoded = Object.fromEntries(Object.entries(data).map(([key, value]) => [key, encode(value)]));
  await into.create('secrets', { metadata: { name }, data: encoded });
  return name;
}

/** A source of files in its plain and its projected form, and the names upstream gives to each. */
interface Source {
  readonly title: string;
  readonly make: (data: Record<string, string>) => Promise<string>;
  readonly resource: string;
  readonly volume: (name: string, extra?: Json) => Json;
}

const sources: readonly Source[] = [
  {
    title: 'ConfigMap',
    make: configMap,
    resource: 'configmaps',
    volume: (name, extra) => ({ configMap: { name, ...extra } }),
  },
  {
    title: 'Projected configMap',
    make: configMap,
    resource: 'configmaps',
    volume: (name, { defaultMode, ...extra }: Json = {}) => ({
      projected: { ...(defaultMode && { defaultMode }), sources: [{ configMap: { name, ...extra } }] },
    }),
  },
  {
    title: 'Secrets',
    make: secret,
    resource: 'secrets',
    volume: (name, extra) => ({ secret: { secretName: name, ...extra } }),
  },
  {
    title: 'Projected secret',
    make: secret,
    resource: 'secrets',
    volume: (name, { defaultMode, ...extra }: Json = {}) => ({
      projected: { ...(defaultMode && { defaultMode }), sources: [{ secret: { name, ...extra } }] },
    }),
  },
];

const mode = '$(stat -L -c %a'; // the mode of the file, not of the link to it

for (const { title, make, resource, volume } of sources) {
  const isSecret = resource === 'secrets';
  const consumable = `[sig-storage] ${title} should be consumable from pods in volume`;
  const read = async (script: string, source: Json, security: Json = {}): Promise<string> =>
    await pods.output(script, mountedAt('/etc/volume'), {
      volumes: [{ name: 'volume', ...source }],
      securityContext: security,
    });

  test(consumable, options, async () => {
    const name = await make({ 'data-1': 'value-1' });
    assert.equal(await read('cat /etc/volume/data-1', volume(name)), 'value-1');
  });

  test(`${consumable} with defaultMode set`, options, async () => {
    const name = await make({ 'data-1': 'value-1' });
    assert.equal(
      await read(`echo ${mode} /etc/volume/data-1); cat /etc/volume/data-1`, volume(name, { defaultMode: 0o400 })),
      '400\nvalue-1',
    );
  });

  test(`${consumable} with mappings`, options, async () => {
    const name = await make({ 'data-2': 'value-2' });
    assert.equal(
      await read(
        'cat /etc/volume/path/to/data-2',
        volume(name, { items: [{ key: 'data-2', path: 'path/to/data-2' }] }),
      ),
      'value-2',
    );
  });

  test(`${consumable} with mappings and Item ${isSecret ? 'Mode' : 'mode'} set`, options, async () => {
    const name = await make({ 'data-2': 'value-2' });
    const items = [{ key: 'data-2', path: 'path/to/data-2', mode: 0o400 }];
    assert.equal(
      await read(`echo ${mode} /etc/volume/path/to/data-2); cat /etc/volume/path/to/data-2`, volume(name, { items })),
      '400\nvalue-2',
    );
  });

  if (isSecret)
    test(`${consumable} as non-root with defaultMode and fsGroup set`, options, async () => {
      const name = await make({ 'data-1': 'value-1' });
      const script = `echo $(stat -L -c '%a %g' /etc/volume/data-1); cat /etc/volume/data-1`;
      assert.equal(
        await read(script, volume(name, { defaultMode: 0o440 }), { ...nonRoot, fsGroup: 1001 }),
        '440 1001\nvalue-1',
      );
    });
  else {
    test(`${consumable} as non-root`, options, async () => {
      const name = await make({ 'data-1': 'value-1' });
      assert.equal(await read('id -u; cat /etc/volume/data-1', volume(name), nonRoot), '1000\nvalue-1');
    });
    test(`${consumable} with mappings as non-root`, options, async () => {
      const name = await make({ 'data-2': 'value-2' });
      assert.equal(
        await read(
          'cat /etc/volume/path/to/data-2',
          volume(name, { items: [{ key: 'data-2', path: 'path/to/data-2' }] }),
          nonRoot,
        ),
        'value-2',
      );
    });
  }

  test(
    `[sig-storage] ${title} should be consumable in multiple volumes in ${isSecret ? 'a pod' : 'the same pod'}`,
    options,
    async () => {
      const name = await make({ 'data-1': 'value-1' });
      const volumeMounts = [
        { name: 'one', mountPath: '/etc/one' },
        { name: 'two', mountPath: '/etc/two' },
      ];
      const volumes = [
        { name: 'one', ...volume(name) },
        { name: 'two', ...volume(name) },
      ];
      assert.equal(
        await pods.output('cat /etc/one/data-1 /etc/two/data-1', { volumeMounts }, { volumes }),
        'value-1value-1',
      );
    },
  );

  test(`[sig-storage] ${title} optional updates should be reflected in volume`, options, async () => {
    const removed = await make({ 'data-1': 'value-1' });
    const updated = await make({ 'data-1': 'value-1' });
    const created = `${removed}-created`;
    const at = (of: string): Json => ({ name: of, mountPath: `/etc/${of}` });
    const volumes = [
      { name: 'removed', ...volume(removed, { optional: true }) },
      { name: 'updated', ...volume(updated, { optional: true }) },
      { name: 'created', ...volume(created, { optional: true }) },
    ];
    const script =
      'while true; do echo "removed:$(cat /etc/removed/data-1 2>/dev/null) updated:$(cat /etc/updated/data-3 2>/dev/null) created:$(cat /etc/created/data-1 2>/dev/null)."; sleep 0.3; done';
    const pod = await pods.ready(
      pods.pod(script, { volumeMounts: ['removed', 'updated', 'created'].map(at) }, { volumes }),
    );
    await pods.says(pod.metadata.name, 'removed:value-1 updated: created:.');
    await pods.api.delete(pods.path(resource, removed));
    await pods.api.patch(pods.path(resource, updated), {
      data: { 'data-1': null, 'data-3': isSecret ? encode('value-3') : 'value-3' },
    });
    await pods.create(resource, { metadata: { name: created }, data: { 'data-1': isSecret ? encode('new') : 'new' } });
    await pods.says(pod.metadata.name, 'removed: updated:value-3 created:new.');
    await pods.api.delete(pods.path('pods', pod.metadata.name));
  });

  if (!isSecret)
    test(`[sig-storage] ${title} updates should be reflected in volume`, options, async () => {
      const name = await make({ 'data-1': 'value-1' });
      const pod = await pods.ready(
        pods.pod('while true; do cat /etc/volume/data-1; echo; sleep 0.3; done', mountedAt('/etc/volume'), {
          volumes: [{ name: 'volume', ...volume(name) }],
        }),
      );
      await pods.says(pod.metadata.name, 'value-1');
      await pods.api.patch(pods.path(resource, name), { data: { 'data-1': 'value-2' } });
      await pods.says(pod.metadata.name, 'value-2');
      await pods.api.delete(pods.path('pods', pod.metadata.name));
    });
}

test('[sig-storage] ConfigMap binary data should be reflected in volume', options, async () => {
  const name = await configMap(
    { 'data-1': 'value-1' },
    { binaryData: { dump: Buffer.from([0xde, 0xca, 0xfe, 0xba, 0xd0, 0xfe, 0xff]).toString('base64') } },
  );
  const output = await pods.output(
    'cat /etc/volume/data-1; echo; hexdump -v -e \'1/1 "%02x"\' /etc/volume/dump',
    mountedAt('/etc/volume'),
    {
      volumes: [{ name: 'volume', configMap: { name } }],
    },
  );
  assert.equal(output, 'value-1\ndecafebad0feff');
});

test(
  '[sig-storage] Secrets should be able to mount in a volume regardless of a different secret existing with same name in different namespace',
  options,
  async () => {
    const name = await secret({ 'data-1': 'value-1' });
    await secret({ 'this-should-not-match': 'wrong' }, other, name);
    const output = await pods.output('ls /etc/volume; cat /etc/volume/data-1', mountedAt('/etc/volume'), {
      volumes: [{ name: 'volume', secret: { secretName: name } }],
    });
    assert.equal(output, 'data-1\nvalue-1');
  },
);

// Downward API

const field = (path: string, fieldPath: string, extra: Json = {}): Json => ({
  path,
  fieldRef: { fieldPath },
  ...extra,
});
const resourceField = (path: string, resource: string, divisor: string): Json => ({
  path,
  resourceFieldRef: { containerName: 'test', resource, divisor },
});
const resources = { requests: { cpu: '250m', memory: '32Mi' }, limits: { cpu: '1250m', memory: '64Mi' } };

for (const [title, volume] of [
  [
    'Downward API volume',
    (items: Json, defaultMode?: number): Json => ({ downwardAPI: { items, ...(defaultMode && { defaultMode }) } }),
  ],
  [
    'Projected downwardAPI',
    (items: Json, defaultMode?: number): Json => ({
      projected: { sources: [{ downwardAPI: { items } }], ...(defaultMode && { defaultMode }) },
    }),
  ],
] as const) {
  const read = async (script: string, source: Json, container: Json = {}): Promise<string> =>
    await pods.output(
      script,
      { ...mountedAt('/etc/podinfo'), ...container },
      { volumes: [{ name: 'volume', ...source }] },
    );

  test(`[sig-storage] ${title} should provide podname only`, options, async () => {
    const pod = pods.pod('cat /etc/podinfo/podname', mountedAt('/etc/podinfo'), {
      volumes: [{ name: 'volume', ...volume([field('podname', 'metadata.name')]) }],
    });
    assert.equal((await pods.run(pod)).log.trim(), pod.metadata.name);
  });
  test(`[sig-storage] ${title} should set DefaultMode on files`, options, async () => {
    assert.equal(
      await read(`echo ${mode} /etc/podinfo/podname)`, volume([field('podname', 'metadata.name')], 0o400)),
      '400',
    );
  });
  test(`[sig-storage] ${title} should set mode on item file`, options, async () => {
    assert.equal(
      await read(`echo ${mode} /etc/podinfo/podname)`, volume([field('podname', 'metadata.name', { mode: 0o400 })])),
      '400',
    );
  });
  for (const [what, resource, divisor, value] of [
    ['cpu limit', 'limits.cpu', '1m', '1250'],
    ['cpu request', 'requests.cpu', '1m', '250'],
    ['memory limit', 'limits.memory', '1Mi', '64'],
    ['memory request', 'requests.memory', '1Mi', '32'],
  ] as const)
    test(`[sig-storage] ${title} should provide container's ${what}`, options, async () => {
      assert.equal(
        await read('cat /etc/podinfo/value', volume([resourceField('value', resource, divisor)]), { resources }),
        value,
      );
    });
  for (const [what, resource, divisor, allocatable] of [
    ['node allocatable (cpu) as default cpu limit', 'limits.cpu', '1', 'cpu'],
    ['node allocatable (memory) as default memory limit', 'limits.memory', '1Ki', 'memory'],
  ] as const)
    test(`[sig-storage] ${title} should provide ${what}`, options, async () => {
      const pod = pods.pod('cat /etc/podinfo/value', mountedAt('/etc/podinfo'), {
        volumes: [{ name: 'volume', ...volume([resourceField('value', resource, divisor)]) }],
      });
      const { pod: ran, log } = await pods.run(pod);
      const node = await pods.api.get(`/api/v1/nodes/${ran.spec.nodeName}`);
      const of: string = node.status.allocatable[allocatable];
      const kibibytes: Record<string, number> = { Ki: 1, Mi: 1024, Gi: 1024 ** 2 };
      const expected =
        allocatable === 'cpu'
          ? Math.ceil(of.endsWith('m') ? Number.parseInt(of, 10) / 1000 : Number(of))
          : Number.parseInt(of, 10) * kibibytes[of.slice(-2)]!;
      assert.equal(Number(log.trim()), expected);
    });
  for (const kind of ['labels', 'annotations'] as const)
    test(`[sig-storage] ${title} should update ${kind} on modification`, options, async () => {
      const pod = pods.pod(
        `while true; do cat /etc/podinfo/${kind}; echo; sleep 0.3; done`,
        mountedAt('/etc/podinfo'),
        { volumes: [{ name: 'volume', ...volume([field(kind, `metadata.${kind}`)]) }] },
        { [kind]: { key1: 'value1' } },
      );
      const { metadata } = await pods.ready({ ...pod, metadata: { ...pod.metadata, [kind]: { key1: 'value1' } } });
      await pods.says(metadata.name, 'key1="value1"');
      await pods.api.patch(pods.path('pods', metadata.name), { metadata: { [kind]: { key3: 'value3' } } });
      await pods.says(metadata.name, 'key3="value3"');
      await pods.api.delete(pods.path('pods', metadata.name));
    });
}

// EmptyDir

for (const user of ['root', 'non-root'])
  for (const bits of ['0644', '0666', '0777'])
    for (const medium of ['default', 'tmpfs'])
      test(`[sig-storage] EmptyDir volumes should support (${user},${bits},${medium})`, options, async () => {
        const script = `echo content > /test/f && chmod ${bits} /test/f && stat -c '%a %u' /test/f && cat /test/f && grep ' /test ' /proc/mounts | cut -d' ' -f3`;
        const [access, content, type] = (
          await pods.output(
            script,
            { volumeMounts: [{ name: 'volume', mountPath: '/test' }] },
            {
              volumes: [{ name: 'volume', emptyDir: medium === 'tmpfs' ? { medium: 'Memory' } : {} }],
              securityContext: user === 'root' ? {} : nonRoot,
            },
          )
        ).split('\n');
        assert.deepEqual([access, content], [`${bits.slice(1)} ${user === 'root' ? 0 : 1000}`, 'content']);
        assert.equal(type === 'tmpfs', medium === 'tmpfs');
      });

for (const medium of ['default medium', 'tmpfs'])
  test(`[sig-storage] EmptyDir volumes volume on ${medium} should have the correct mode`, options, async () => {
    const emptyDir = medium === 'tmpfs' ? { medium: 'Memory' } : {};
    assert.equal(
      await pods.output(
        "stat -c '%a' /test",
        { volumeMounts: [{ name: 'volume', mountPath: '/test' }] },
        { volumes: [{ name: 'volume', emptyDir }] },
      ),
      '777',
    );
  });

test('[sig-storage] EmptyDir volumes pod should support shared volumes between containers', options, async () => {
  const volumeMounts = [{ name: 'shared', mountPath: '/data' }];
  const pod = pods.pod(
    'until [ -s /data/f ]; do sleep 0.1; done; cat /data/f',
    { volumeMounts },
    { volumes: [{ name: 'shared', emptyDir: {} }] },
  );
  pod.spec.containers.push({
    name: 'writer',
    image: busybox,
    command: ['sh', '-c', 'echo from the other > /data/f'],
    volumeMounts,
  });
  assert.equal((await pods.run(pod)).log.trim(), 'from the other');
});

test('[sig-storage] EmptyDir wrapper volumes should not conflict', options, async () => {
  const map = await configMap({ a: '1' });
  const hidden = await secret({ b: '2' });
  const output = await pods.output(
    'cat /etc/map/a /etc/secret/b; ls /empty | wc -l',
    {
      volumeMounts: ['map', 'secret']
        .map((name) => ({ name, mountPath: `/etc/${name}` }))
        .concat({ name: 'empty', mountPath: '/empty' }),
    },
    {
      volumes: [
        { name: 'map', configMap: { name: map } },
        { name: 'secret', secret: { secretName: hidden } },
        { name: 'empty', emptyDir: {} },
      ],
    },
  );
  assert.equal(output, '120');
});

test(
  '[sig-storage] EmptyDir wrapper volumes should not cause race condition when used for configmaps',
  options,
  async () => {
    const maps = await Promise.all(Array.from({ length: 20 }, async (_, n) => await configMap({ data: String(n) })));
    const volumes = maps.map((name, n) => ({ name: `v${n}`, configMap: { name } }));
    const volumeMounts = volumes.map(({ name }) => ({ name, mountPath: `/etc/${name}` }));
    await Promise.all(
      Array.from({ length: 5 }, async () =>
        assert.equal(await pods.output('cat /etc/v*/data | wc -c', { volumeMounts }, { volumes }), '30'),
      ),
    );
  },
);

test(
  '[sig-storage] Projected combined should project all components that make up the projection API',
  options,
  async () => {
    const map = await configMap({ 'configmap-data': 'map-value' });
    const hidden = await secret({ 'secret-data': 'secret-value' });
    const sources = [
      { downwardAPI: { items: [field('podname', 'metadata.name')] } },
      { secret: { name: hidden, items: [{ key: 'secret-data', path: 'secret-data' }] } },
      { configMap: { name: map, items: [{ key: 'configmap-data', path: 'configmap-data' }] } },
      { serviceAccountToken: { path: 'token', expirationSeconds: 3600 } },
    ];
    const pod = pods.pod(
      'cd /all; cat podname; echo; cat secret-data configmap-data; echo; cut -d. -f2 token | wc -w',
      { volumeMounts: [{ name: 'all', mountPath: '/all' }] },
      {
        volumes: [{ name: 'all', projected: { sources } }],
      },
    );
    assert.deepEqual((await pods.run(pod)).log.trim().split('\n'), [pod.metadata.name, 'secret-valuemap-value', '1']);
  },
);

// Subpaths of volumes that are written atomically

const subpath = (path: string, mountPath = '/file', extra: Json = {}): Json => ({
  volumeMounts: [{ name: 'volume', mountPath, subPath: path, ...extra }],
});

test('[sig-storage] Subpath Atomic writer volumes should support subpaths with configmap pod', options, async () => {
  const name = await configMap({ 'configmap-key': 'configmap-value' });
  assert.equal(
    await pods.output('cat /file', subpath('configmap-key'), { volumes: [{ name: 'volume', configMap: { name } }] }),
    'configmap-value',
  );
});
test(
  '[sig-storage] Subpath Atomic writer volumes should support subpaths with configmap pod with mountPath of existing file',
  options,
  async () => {
    const name = await configMap({ 'configmap-key': 'configmap-value' });
    const output = await pods.output('cat /etc/resolv.conf', subpath('configmap-key', '/etc/resolv.conf'), {
      volumes: [{ name: 'volume', configMap: { name } }],
    });
    assert.equal(output, 'configmap-value');
  },
);
test('[sig-storage] Subpath Atomic writer volumes should support subpaths with secret pod', options, async () => {
  const name = await secret({ 'secret-key': 'secret-value' });
  assert.equal(
    await pods.output('cat /file', subpath('secret-key'), {
      volumes: [{ name: 'volume', secret: { secretName: name } }],
    }),
    'secret-value',
  );
});
test('[sig-storage] Subpath Atomic writer volumes should support subpaths with downward pod', options, async () => {
  const pod = pods.pod('cat /file', subpath('downward/podname'), {
    volumes: [{ name: 'volume', downwardAPI: { items: [field('downward/podname', 'metadata.name')] } }],
  });
  assert.equal((await pods.run(pod)).log.trim(), pod.metadata.name);
});
test('[sig-storage] Subpath Atomic writer volumes should support subpaths with projected pod', options, async () => {
  const name = await configMap({ 'projected-key': 'projected-value' });
  const sources = [{ configMap: { name, items: [{ key: 'projected-key', path: 'projected/key' }] } }];
  assert.equal(
    await pods.output('cat /file', subpath('projected/key'), { volumes: [{ name: 'volume', projected: { sources } }] }),
    'projected-value',
  );
});

// Images as volumes (beta in v1.34)

const imageVolume = (reference: string, extra: Json = {}): Json => ({
  volumes: [{ name: 'volume', image: { reference, ...extra } }],
});

test('an image is a volume: its files, read-only and not to be run, whole or by subPath', options, async () => {
  const image = await imageWith(cluster.dabba, 'data', {
    '/data/inner/file': '/etc/hostname',
    '/data/run': '/bin/true',
  });
  const expected = readFileSync('/etc/hostname', 'utf8').trim();
  const script = [
    'cat /volume/data/inner/file',
    'touch /volume/data/x 2>/dev/null || echo read-only',
    '/volume/data/run 2>/dev/null || echo no-run',
    'grep -c " /volume .*noexec" /proc/mounts',
  ].join('; ');
  const whole = await pods.output(script, mountedAt('/volume'), imageVolume(image, { pullPolicy: 'IfNotPresent' }));
  assert.deepEqual(whole.split('\n'), [expected, 'read-only', 'no-run', '1']);
  assert.equal(await pods.output('cat /file', subpath('data/inner/file'), imageVolume(image)), expected);
});

test('an image that cannot be had keeps the container waiting, and is told of as of its own', options, async () => {
  const pod = await pods.create(
    'pods',
    pods.pod('true', mountedAt('/volume'), imageVolume('absent:1', { pullPolicy: 'Never' })),
  );
  const { name } = pod.metadata;
  const reasonOf = ({ status }: Json) => status?.containerStatuses?.[0]?.state.waiting?.reason;
  await until(pods.api, pods.path('pods', name), (each) => reasonOf(each) === 'ErrImageNeverPull');
  await eventually('it is told of', 5000, async () => {
    const { items } = await pods.api.get(`${pods.path('events')}?fieldSelector=involvedObject.name%3D${name}`);
    return items.some(({ reason, message }: Json) => reason === 'Failed' && message === 'Error: ErrImageNeverPull');
  });
  await pods.api.delete(pods.path('pods', name));
});
