import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readCreate } from './container-create.ts';
import { Fields } from './fields.ts';

const read = (body: object, name?: string) => readCreate(new Fields(body), name);

test('a create request is translated', () => {
  const create = read(
    {
      Image: 'busybox',
      Cmd: ['a'],
      Entrypoint: [''],
      Env: ['A=b'],
      Tty: true,
      Labels: { x: 'y' },
      StopTimeout: 3,
      Volumes: { '/anonymous': {} },
      Healthcheck: { Test: ['CMD-SHELL', 'true'], Interval: 1_000_000_000 },
      HostConfig: {
        Binds: ['/host:/in:ro', 'named:/vol'],
        Tmpfs: { '/t': 'size=1m,mode=700' },
        Memory: 1024,
        NanoCpus: 1_500_000_000,
        PidsLimit: -1,
        NetworkMode: 'default',
        RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 3 },
        CapAdd: ['NET_ADMIN'],
        Ulimits: [{ Name: 'nofile', Soft: 1, Hard: 2 }],
        PortBindings: {},
        Dns: null,
        LogConfig: { Type: '', Config: {} },
      },
      NetworkingConfig: { EndpointsConfig: { default: { IPAMConfig: null, Aliases: null } } },
    },
    'web',
  );
  assert.deepEqual(create, {
    image: 'busybox',
    name: 'web',
    network: { mode: 'bridge', network: 'bridge', endpoints: [{ network: 'bridge' }] },
    exposedPorts: [],
    publishedPorts: [],
    isEveryPortPublished: false,
    isTty: true,
    isStdinOpen: false,
    isStdinOnce: false,
    isReadOnlyRoot: false,
    isPrivileged: false,
    isInitEnabled: false,
    isRemovedOnExit: false,
    entrypoint: [],
    command: ['a'],
    environment: ['A=b'],
    labels: { x: 'y' },
    stopTimeoutMs: 3000,
    healthCheck: { Test: ['CMD-SHELL', 'true'], Interval: 1_000_000_000 },
    mounts: [
      { kind: 'bind', source: '/host', target: '/in', isReadOnly: true, isSourceMade: true },
      { kind: 'volume', name: 'named', target: '/vol', isReadOnly: false },
      { kind: 'tmpfs', target: '/t', sizeBytes: 1 << 20, mode: 0o700 },
      { kind: 'volume', name: '', target: '/anonymous' },
    ],
    mountsFrom: [],
    resources: { cpuMillis: 1500, memoryBytes: 1024, pidsLimit: -1 },
    restartPolicy: { name: 'on-failure', maximumRetryCount: 3 },
    capabilities: { add: ['NET_ADMIN'], drop: [] },
    ulimits: [{ name: 'nofile', soft: 1, hard: 2 }],
  });
});

test('what is not honoured yet is refused by name', () => {
  const refused: readonly (readonly [object, RegExp])[] = [
    [{ HostConfig: { DeviceRequests: [{ Count: -1 }] } }, /HostConfig\.DeviceRequests is not supported yet/],
    [{ HostConfig: { StorageOpt: { size: '1g' } } }, /HostConfig\.StorageOpt is not supported yet/],
    [{ HostConfig: { SecurityOpt: ['apparmor=mine'] } }, /HostConfig\.SecurityOpt "apparmor=mine"/],
    [{ HostConfig: { LogConfig: { Type: 'syslog' } } }, /log driver "syslog"/],
    [{ HostConfig: { LogConfig: { Config: { tag: 'x' } } } }, /log option "tag"/],
    [{ HostConfig: { IpcMode: 'none' } }, /HostConfig\.IpcMode "none"/],
  ];
  for (const [body, message] of refused)
    assert.throws(() => read({ Image: 'x', ...body }), { kind: 'Unimplemented', message });
});

const imageMount = (more: object) => ({ Type: 'image', Source: 'data:1', Target: '/x', ...more });

test('an image is mounted, or a path within it', () => {
  const { mounts } = read({
    Image: 'x',
    HostConfig: { Mounts: [imageMount({}), imageMount({ Target: '/y', ImageOptions: { Subpath: 'a/b' } })] },
  });
  assert.deepEqual(mounts, [
    { kind: 'image', image: 'data:1', target: '/x' },
    { kind: 'image', image: 'data:1', target: '/y', subpath: 'a/b' },
  ]);
});

test('what is malformed is refused with its place', () => {
  const refused: readonly (readonly [object, RegExp])[] = [
    [{}, /Image is required/],
    [{ Image: 'x', Cmd: [1] }, /Cmd is not a list of strings/],
    [{ Image: 'x', HostConfig: { Memory: '1g' } }, /HostConfig\.Memory is not a number/],
    [{ Image: 'x', HostConfig: [] }, /HostConfig is not a JSON object/],
    [{ Image: 'x', HostConfig: { Binds: ['a:b:c:d'] } }, /invalid volume specification/],
    [{ Image: 'x', HostConfig: { Mounts: [{ Type: 'odd', Target: '/x' }] } }, /mount type unknown/],
    [{ Image: 'x', HostConfig: { Mounts: [{ Type: 'image', Target: '/x' }] } }, /field Source must not be empty/],
    [
      { Image: 'x', HostConfig: { Mounts: [imageMount({ ImageOptions: { Subpath: 'a/../../b' } })] } },
      /subpath must be a relative path within the image: a\/\.\.\/\.\.\/b/,
    ],
    [
      { Image: 'x', HostConfig: { Mounts: [imageMount({ BindOptions: { NonRecursive: true } })] } },
      /field BindOptions must not be specified/,
    ],
    [{ Image: 'x', HostConfig: { UsernsMode: 'private' } }, /invalid USER mode: private/],
    [{ Image: 'x', HostConfig: { RestartPolicy: { Name: 'maybe' } } }, /unknown policy 'maybe'/],
  ];
  for (const [body, message] of refused) assert.throws(() => read(body), { kind: 'InvalidArgument', message });
});

test('namespaces, confinement, devices and logs of a HostConfig are translated', () => {
  const create = read({
    Image: 'busybox',
    Domainname: 'example.test',
    Env: ['UNSET'],
    HostConfig: {
      PidMode: 'host',
      IpcMode: 'container:other',
      UTSMode: 'host',
      CgroupnsMode: 'private',
      ShmSize: 1 << 20,
      GroupAdd: ['audio'],
      Devices: [{ PathOnHost: '/dev/null', PathInContainer: '/dev/nothing', CgroupPermissions: 'r' }],
      DeviceCgroupRules: ['c 10:200 rwm'],
      SecurityOpt: ['no-new-privileges', 'seccomp=unconfined', 'apparmor=unconfined'],
      ExtraHosts: ['db:10.0.0.1', 'six=[::1]', 'machine:host-gateway'],
      Dns: ['10.0.0.2'],
      DnsSearch: ['example.test'],
      DnsOptions: ['ndots:2'],
      VolumesFrom: ['one', 'two:ro'],
      LogConfig: { Type: 'json-file', Config: { 'max-size': '10k', 'max-file': '3' } },
      Mounts: [
        { Type: 'volume', Source: 'v', Target: '/v', VolumeOptions: { Subpath: 'a/b', NoCopy: true } },
        { Type: 'bind', Source: '/s', Target: '/b', BindOptions: { Propagation: 'rslave', NonRecursive: true } },
      ],
      Tmpfs: { '/t': 'exec,uid=5' },
      CpuQuota: 50_000,
      BlkioDeviceReadBps: [{ Path: '/dev/sda', Rate: 1024 }],
    },
  });
  assert.deepEqual(create.namespaces, { pid: 'host', ipc: { container: 'other' }, uts: 'host', cgroup: 'private' });
  assert.deepEqual(create.devices, [{ hostPath: '/dev/null', containerPath: '/dev/nothing', permissions: 'r' }]);
  assert.deepEqual([create.isPrivilegeGainForbidden, create.seccomp], [true, 'unconfined']);
  assert.deepEqual(create.resolution, {
    nameservers: ['10.0.0.2'],
    searchDomains: ['example.test'],
    options: ['ndots:2'],
    hosts: [
      { address: '10.0.0.1', names: ['db'] },
      { address: '::1', names: ['six'] },
      { address: 'host-gateway', names: ['machine'] },
    ],
  });
  assert.deepEqual(create.log, { maxSizeBytes: 10_240, maxFiles: 3 });
  assert.deepEqual(create.mountsFrom, [
    { container: 'one', isReadOnly: false },
    { container: 'two', isReadOnly: true },
  ]);
  assert.deepEqual(create.mounts, [
    { kind: 'volume', name: 'v', target: '/v', isReadOnly: false, subpath: 'a/b', isCopyLess: true },
    { kind: 'bind', source: '/s', target: '/b', isReadOnly: false, propagation: 'rslave', isShallow: true },
    { kind: 'tmpfs', target: '/t', options: ['exec', 'uid=5'] },
  ]);
  assert.deepEqual(create.resources, {
    cpuQuotaUs: 50_000,
    blockLimits: [{ kind: 'read-bytes', device: '/dev/sda', value: 1024 }],
  });
});
