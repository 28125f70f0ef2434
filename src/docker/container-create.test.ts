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
    network: { mode: 'bridge', network: 'bridge' },
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
      { kind: 'bind', source: '/host', target: '/in', isReadOnly: true },
      { kind: 'volume', name: 'named', target: '/vol', isReadOnly: false },
      { kind: 'tmpfs', target: '/t', sizeBytes: 1 << 20, mode: 0o700 },
      { kind: 'volume', name: '', target: '/anonymous' },
    ],
    resources: { cpuMillis: 1500, memoryBytes: 1024 },
    restartPolicy: { name: 'on-failure', maximumRetryCount: 3 },
    capabilities: { add: ['NET_ADMIN'], drop: [] },
    ulimits: [{ name: 'nofile', soft: 1, hard: 2 }],
  });
});

test('what is not honoured yet is refused by name', () => {
  const refused: readonly (readonly [object, RegExp])[] = [
    [
      { HostConfig: { PortBindings: { '80/tcp': [{ HostPort: '1' }] } } },
      /HostConfig\.PortBindings is not supported yet/,
    ],
    [{ HostConfig: { PidMode: 'host' } }, /HostConfig\.PidMode "host"/],
    [{ HostConfig: { NetworkMode: 'container:x' } }, /network mode "container:x"/],
    [{ HostConfig: { LogConfig: { Type: 'syslog' } } }, /log driver "syslog"/],
    [{ NetworkingConfig: { EndpointsConfig: { n: { Aliases: ['a'] } } } }, /EndpointsConfig\.n\.Aliases/],
    [{ Env: ['UNSET'] }, /unsetting a variable/],
  ];
  for (const [body, message] of refused)
    assert.throws(() => read({ Image: 'x', ...body }), { kind: 'Unimplemented', message });
});

test('what is malformed is refused with its place', () => {
  const refused: readonly (readonly [object, RegExp])[] = [
    [{}, /Image is required/],
    [{ Image: 'x', Cmd: [1] }, /Cmd is not a list of strings/],
    [{ Image: 'x', HostConfig: { Memory: '1g' } }, /HostConfig\.Memory is not a number/],
    [{ Image: 'x', HostConfig: [] }, /HostConfig is not a JSON object/],
    [{ Image: 'x', HostConfig: { Binds: ['a:b:c:d'] } }, /invalid volume specification/],
    [{ Image: 'x', HostConfig: { Mounts: [{ Type: 'odd', Target: '/x' }] } }, /mount type unknown/],
    [{ Image: 'x', HostConfig: { RestartPolicy: { Name: 'maybe' } } }, /unknown policy 'maybe'/],
  ];
  for (const [body, message] of refused) assert.throws(() => read(body), { kind: 'InvalidArgument', message });
});
