import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerCreate } from '../../engine.ts';
import { allCapabilities } from './defaults.ts';
import { parseLimits, type MachineLimits } from './limits.ts';
import { buildSpec, specWarnings, writeSpec, type SpecInput } from './spec.ts';

const limits: MachineLimits = {
  hasX32: true,
  capabilities: new Set(allCapabilities.filter((name) => name !== 'CAP_SYS_RESOURCE')),
  hardLimits: { nofile: 20_000, nproc: 1000, core: Infinity },
  oomScoreAdj: 0,
  hasSwapAccounting: true,
  hasBlockWeights: true,
  cgroupVersion: 1,
};

function specOf(create: Partial<ContainerCreate> = {}, more: Partial<SpecInput> = {}) {
  return buildSpec({
    create: { image: 'i', network: { mode: 'none' }, ...create },
    process: { args: ['true'], environment: ['PATH=/bin'], workingDirectory: '/', isTty: false },
    user: { uid: 0, gid: 0, additionalGids: [], home: '/root' },
    hostname: 'h',
    rootPath: '/root-of-it',
    mounts: [],
    files: { hosts: '/f/hosts', hostname: '/f/hostname', resolvConf: '/f/resolv.conf' },
    cgroupPath: '/dabba-x/id',
    networkNamespace: 'own',
    namespaces: [{ type: 'pid' }, { type: 'ipc' }],
    isCgroup2: false,
    architecture: 'x64',
    limits,
    ...more,
  });
}

test('a plain container is confined as Docker confines it', () => {
  const { process, linux, mounts } = specOf();
  assert.equal(process.capabilities.effective!.length, 14);
  assert.deepEqual(process.env, ['HOME=/root', 'PATH=/bin']);
  assert.ok(linux.maskedPaths.includes('/proc/kcore') && linux.readonlyPaths.includes('/proc/sys'));
  assert.deepEqual(
    linux.namespaces.map(({ type }) => type),
    ['mount', 'uts', 'pid', 'ipc', 'network'],
  );
  assert.equal(linux.sysctl['net.ipv4.ip_unprivileged_port_start'], '0');
  assert.deepEqual(linux.resources.devices![0], { allow: false, access: 'rwm' });
  const etc = mounts.filter(({ destination }) => destination.startsWith('/etc/'));
  assert.deepEqual(
    etc.map(({ source }) => source),
    ['/f/resolv.conf', '/f/hostname', '/f/hosts'],
  );
});

test('another user than root has its capabilities in the bounding set alone', () => {
  const { process } = specOf({}, { user: { uid: 5, gid: 5, additionalGids: [], home: '/' } });
  assert.deepEqual(Object.keys(process.capabilities), ['bounding']);
});

test('the seccomp profile follows the capabilities', () => {
  const names = (create: Partial<ContainerCreate>) =>
    new Set(
      specOf(create)
        .linux.seccomp!.syscalls.filter(({ action, args }) => action === 'SCMP_ACT_ALLOW' && !args)
        .flatMap((rule) => rule.names),
    );
  const plain = names({});
  assert.ok(plain.has('openat2') && plain.has('chroot') && !plain.has('mount') && !plain.has('bpf'));
  assert.ok(names({ capabilities: { add: ['SYS_ADMIN'] } }).has('mount'));
  assert.ok(!names({ capabilities: { drop: ['ALL'] } }).has('chroot'));
  const clone = specOf().linux.seccomp!.syscalls.find((rule) => rule.names[0] === 'clone')!;
  assert.deepEqual(clone.args, [{ index: 0, value: 0x7e020000, op: 'SCMP_CMP_MASKED_EQ', valueTwo: 0 }]);
  assert.deepEqual(specOf().linux.seccomp!.architectures, ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32']);
});

test('capabilities are added and dropped by any spelling, and never beyond the machine’s', () => {
  const held = (capabilities: NonNullable<ContainerCreate['capabilities']>) =>
    new Set(specOf({ capabilities }).process.capabilities.bounding);
  assert.ok(held({ add: ['net_admin'] }).has('CAP_NET_ADMIN'));
  assert.ok(!held({ drop: ['CAP_CHOWN'] }).has('CAP_CHOWN'));
  assert.deepEqual([...held({ drop: ['ALL'], add: ['CHOWN'] })], ['CAP_CHOWN']);
  assert.ok(!held({ add: ['ALL'] }).has('CAP_SYS_RESOURCE'));
  assert.throws(() => held({ add: ['FLY'] }), /invalid capability "FLY"/);
});

test('a privileged container is not confined', () => {
  const { linux, process, mounts } = specOf({ isPrivileged: true });
  assert.equal(linux.seccomp, undefined);
  assert.deepEqual([linux.maskedPaths, linux.readonlyPaths], [[], []]);
  assert.deepEqual(linux.resources.devices, [{ allow: true, access: 'rwm' }]);
  assert.equal(process.capabilities.bounding.length, allCapabilities.length - 1);
  assert.ok(!mounts.find(({ type }) => type === 'sysfs')!.options.includes('ro'));
});

test('where ids are mapped, the user namespace is joined, and what only root of the machine can make is not asked for', () => {
  const ids = {
    users: [{ inside: 0, outside: 100_000, count: 1000 }],
    groups: [{ inside: 0, outside: 200_000, count: 2000 }],
  };
  const devices = [{ hostPath: '/dev/null', containerPath: '/dev/other', permissions: 'rw' }];
  const { linux, mounts } = specOf(
    { devices, domainname: 'example.org' },
    { userNamespace: { path: '/proc/1/fd/9', ids } },
  );
  assert.deepEqual(linux.namespaces.at(-1), { type: 'user', path: '/proc/1/fd/9' });
  assert.deepEqual(linux.uidMappings, [{ containerID: 0, hostID: 100_000, size: 1000 }]);
  assert.deepEqual(linux.gidMappings, [{ containerID: 0, hostID: 200_000, size: 2000 }]);
  assert.equal(linux.sysctl['net.ipv4.ping_group_range'], '0 1999');
  assert.equal(linux.sysctl['kernel.domainname'], undefined);
  const ofMachine = { domainname: 'example.org', namespaces: { uts: 'host' } } as const;
  const { sysctl } = specOf(ofMachine, { userNamespace: { path: '/proc/1/fd/9', ids } }).linux;
  assert.equal(sysctl['kernel.domainname'], 'example.org', 'for runc to refuse');
  assert.equal(linux.devices, undefined);
  const device = mounts.find(({ destination }) => destination === '/dev/other');
  assert.deepEqual([device?.type, device?.source], ['bind', '/dev/null']);
  assert.ok(linux.resources.devices!.some(({ major, minor, allow }) => major === 1 && minor === 3 && allow));
});

test('the machine’s own network takes no namespace and no sysctl of it; a prepared one is joined', () => {
  const { linux } = specOf({}, { networkNamespace: 'host' });
  assert.ok(!linux.namespaces.some(({ type }) => type === 'network'));
  assert.deepEqual(linux.sysctl, {});
  const joined = specOf({}, { networkNamespace: { path: '/run/netns/x' } }).linux.namespaces.at(-1);
  assert.deepEqual(joined, { type: 'network', path: '/run/netns/x' });
});

test('mounts asked for come outer before inner and replace the standard ones', () => {
  const { mounts } = specOf(
    {},
    {
      mounts: [
        { kind: 'bind', source: '/s/deep', target: '/a/b/c', isReadOnly: true },
        { kind: 'tmpfs', target: '/a', sizeBytes: 4096, mode: 0o1777 },
        { kind: 'bind', source: '/s/shm', target: '/dev/shm', isReadOnly: false },
      ],
    },
  );
  assert.deepEqual(
    mounts.slice(-3).map(({ destination }) => destination),
    ['/a', '/dev/shm', '/a/b/c'],
  );
  assert.equal(mounts.filter(({ destination }) => destination === '/dev/shm').length, 1);
  assert.deepEqual(mounts.at(-1)!.options, ['rbind', 'rprivate', 'ro']);
  assert.ok(mounts.at(-3)!.options.includes('mode=1777'));
});

test('resources become cgroup limits; swap doubles memory unless said', () => {
  const { memory, cpu, pids } = specOf({
    resources: { memoryBytes: 64 << 20, cpuMillis: 250, cpuShares: 256, pidsLimit: 9 },
  }).linux.resources;
  assert.deepEqual(memory, { limit: 64 << 20, swap: 128 << 20 });
  assert.deepEqual(cpu, { shares: 256, quota: 25_000, period: 100_000 });
  assert.deepEqual(pids, { limit: 9 });
  assert.throws(() => specOf({ resources: { memoryBytes: 4096 } }), /below the minimum/);
});

test('what the machine cannot grant is lowered and told', () => {
  const create = {
    image: 'i',
    network: { mode: 'none' },
    ulimits: [
      { name: 'nofile', soft: 65_536, hard: 65_536 },
      { name: 'core', soft: -1, hard: -1 },
    ],
    oomScoreAdj: -500,
    resources: { memoryBytes: 64 << 20 },
  } as const;
  const { process } = specOf(create);
  assert.deepEqual(process.rlimits[0], { type: 'RLIMIT_NOFILE', soft: 20_000, hard: 20_000 });
  assert.equal(process.oomScoreAdj, 0);
  assert.equal(specWarnings(create, { ...limits, hasSwapAccounting: false }).length, 3);
  assert.match(writeSpec(specOf(create)), /"RLIMIT_CORE","soft":18446744073709551615,"hard":18446744073709551615/);
  assert.throws(() => specOf({ ulimits: [{ name: 'wings', soft: 1, hard: 1 }] }), /invalid ulimit type: wings/);
});

test('hard limits are read from /proc', () => {
  const text = [
    'Limit                     Soft Limit           Hard Limit           Units     ',
    'Max open files            1024                 20000                files     ',
    'Max core file size        0                    unlimited            bytes     ',
  ].join('\n');
  assert.deepEqual(parseLimits(text), { nofile: 20_000, core: Infinity });
});
