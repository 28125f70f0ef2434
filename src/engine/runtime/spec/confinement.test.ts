import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDeviceRule } from './devices.ts';
import { cgroupLimits, joinResources } from './resources.ts';
import { readSeccompProfile } from './seccomp-document.ts';
import { checkSysctls } from './sysctls.ts';

const machine = {
  capabilities: new Set<string>(),
  hardLimits: {},
  oomScoreAdj: 0,
  hasSwapAccounting: true,
  hasBlockWeights: false,
  cgroupVersion: 2,
  hasX32: false,
} as const;

test('a seccomp profile is resolved for the capabilities and the architecture at hand', () => {
  const profile = {
    defaultAction: 'SCMP_ACT_ERRNO',
    archMap: [{ architecture: 'SCMP_ARCH_X86_64', subArchitectures: [] }],
    syscalls: [
      { names: ['read', 'write'], action: 'SCMP_ACT_ALLOW', args: null },
      { name: 'mount', action: 'SCMP_ACT_ALLOW', includes: { caps: ['CAP_SYS_ADMIN'] } },
      { names: ['clone'], action: 'SCMP_ACT_ALLOW', excludes: { caps: ['CAP_SYS_ADMIN'] } },
      { names: ['s390_only'], action: 'SCMP_ACT_ALLOW', includes: { arches: ['s390x'] } },
    ],
  };
  const names = (...capabilities: readonly string[]) =>
    readSeccompProfile(JSON.stringify(profile), new Set(capabilities), 'x64').syscalls.flatMap((rule) => rule.names);
  assert.deepEqual(names(), ['read', 'write', 'clone']);
  assert.deepEqual(names('CAP_SYS_ADMIN'), ['read', 'write', 'mount']);
});

test('what is no seccomp profile is refused', () => {
  for (const text of [
    '',
    '[]',
    '{}',
    '{"defaultAction":"A","syscalls":[{"action":"A"}]}',
    '{"defaultAction":"A","syscalls":3}',
  ])
    assert.throws(() => readSeccompProfile(text, new Set(), 'x64'), {
      kind: 'InvalidArgument',
      message: /seccomp profile/,
    });
});

test('device rules and sysctls that reach too far', () => {
  assert.deepEqual(parseDeviceRule('c 10:* rw'), { allow: true, type: 'c', major: 10, access: 'rw' });
  assert.throws(() => parseDeviceRule('x 1:2 r'), { kind: 'InvalidArgument' });
  const check = (sysctls: { readonly [name: string]: string }, mode: 'host' | 'none') =>
    checkSysctls({ image: 'i', network: { mode }, sysctls });
  check({ 'net.core.somaxconn': '1', 'kernel.msgmax': '2', 'fs.mqueue.msg_max': '3' }, 'none');
  assert.throws(() => check({ 'kernel.panic': '1' }, 'none'), /not in a separate kernel namespace/);
  assert.throws(() => check({ 'net.core.somaxconn': '1' }, 'host'), /not in a separate kernel namespace/);
});

test('limits the machine lacks are told; changes keep what they do not name', () => {
  const asked = { isOomKillDisabled: true, blockWeight: 20, cpuQuotaUs: 5000, pidsLimit: -1 };
  const { value, warnings } = cgroupLimits(asked, machine);
  assert.deepEqual([value.cpu, value.pids], [{ quota: 5000 }, { limit: -1 }]);
  assert.equal(warnings.length, 2);
  assert.throws(() => cgroupLimits({ blockWeight: 5 }, machine), /blkio weight/);
  assert.deepEqual(joinResources({ memoryBytes: 1, pidsLimit: 2 }, { pidsLimit: 3 }), { memoryBytes: 1, pidsLimit: 3 });
  assert.throws(() => joinResources({ memorySwapBytes: 10 }, { memoryBytes: 20 }), /memoryswap/);
});
