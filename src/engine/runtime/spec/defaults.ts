import type { IdMapping } from '#kernel';
import type { OciDeviceRule, OciMount } from './oci.ts';

/**
 * Docker's defaults as data: what `docker run` without options gives a container (captured from moby 20.10's config.json; the masked paths
 * are those of moby's current `oci/defaults.go`).
 */

/** The capabilities a container has unless told otherwise. */
export const defaultCapabilities: readonly string[] = capabilities(
  'CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE',
);

/** Every capability by number, capabilities(7). */
export const allCapabilities: readonly string[] = capabilities(
  `CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN
  NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME
  SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON
  BPF CHECKPOINT_RESTORE`,
);

export const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export const maskedPaths: readonly string[] = [
  ...[
    'acpi',
    'asound',
    'interrupts',
    'kcore',
    'keys',
    'latency_stats',
    'timer_list',
    'timer_stats',
    'sched_debug',
    'scsi',
  ].map((name) => `/proc/${name}`),
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
];

export const readonlyPaths: readonly string[] = ['bus', 'fs', 'irq', 'sys', 'sysrq-trigger'].map(
  (name) => `/proc/${name}`,
);

/** Sysctls of a network namespace of its own, so that any user may bind low ports and ping: any that there is, where ids are mapped. */
export function networkSysctls(ids?: IdMapping): { readonly [name: string]: string } {
  const first = ids?.groups.find(({ inside }) => inside === 0);
  return {
    'net.ipv4.ip_unprivileged_port_start': '0',
    'net.ipv4.ping_group_range': `0 ${first ? first.count - 1 : 2_147_483_647}`,
  };
}

/** null, zero, full, random, urandom, tty and console may be used; /dev/fuse and all others not. runc makes the nodes and allows ptys. */
export const deviceRules: readonly OciDeviceRule[] = [
  { allow: false, access: 'rwm' },
  ...[
    [1, 3],
    [1, 5],
    [1, 7],
    [1, 8],
    [1, 9],
    [5, 0],
    [5, 1],
  ].map(([major, minor]) => character(major!, minor!, true)),
  character(10, 229, false),
];

export const defaultSharedMemoryBytes = 64 * 1024 * 1024;

/** What every container has mounted; /dev/shm in the size asked for. */
export const standardMounts = (sharedMemoryBytes = defaultSharedMemoryBytes): readonly OciMount[] => [
  mount('/proc', 'proc', 'proc', 'nosuid noexec nodev'),
  mount('/dev', 'tmpfs', 'tmpfs', 'nosuid strictatime mode=755 size=65536k'),
  mount('/dev/pts', 'devpts', 'devpts', 'nosuid noexec newinstance ptmxmode=0666 mode=0620 gid=5'),
  mount('/sys', 'sysfs', 'sysfs', 'nosuid noexec nodev ro'),
  mount('/sys/fs/cgroup', 'cgroup', 'cgroup', 'ro nosuid noexec nodev'),
  mount('/dev/mqueue', 'mqueue', 'mqueue', 'nosuid noexec nodev'),
  mount('/dev/shm', 'tmpfs', 'shm', `nosuid noexec nodev mode=1777 size=${sharedMemoryBytes}`),
];

function capabilities(names: string): string[] {
  return names.split(/\s+/).map((name) => `CAP_${name}`);
}

function character(major: number, minor: number, allow: boolean): OciDeviceRule {
  return { allow, type: 'c', major, minor, access: 'rwm' };
}

function mount(destination: string, type: string, source: string, options: string): OciMount {
  return { destination, type, source, options: options.split(' ') };
}
