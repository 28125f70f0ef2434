import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { flag, UsageError, type Command } from './command.ts';
import { findOnPath } from './programs.ts';

/** A program that dabba starts itself, and the Debian package it comes in. */
interface Part {
  readonly program: string;
  /** Programs that do as well. */
  readonly alternatives?: readonly string[];
  readonly debianPackage: string;
  readonly usedFor: string;
  /** What does not work without it; undefined: nothing does. */
  readonly optionalFor?: string;
}

const parts: readonly Part[] = [
  { program: 'runc', debianPackage: 'runc', usedFor: 'starting containers' },
  { program: 'conmon', debianPackage: 'conmon', usedFor: 'holding their terminals, logs and exit codes' },
  { program: 'nft', debianPackage: 'nftables', usedFor: 'security groups and address translation' },
  { program: 'ip', debianPackage: 'iproute2', usedFor: 'looking at networks' },
  {
    program: 'busybox',
    debianPackage: 'busybox-static',
    usedFor: 'the busybox base image',
    optionalFor: 'dabba images seed busybox',
  },
  {
    program: 'docker-init',
    alternatives: ['tini-static', 'catatonit'],
    debianPackage: 'tini',
    usedFor: 'an init process in containers',
    optionalFor: 'docker run --init',
  },
  {
    program: 'debootstrap',
    debianPackage: 'debootstrap',
    usedFor: 'the debian and node base images',
    optionalFor: 'dabba images seed debian node',
  },
];

/** One finding. `mend` is the command that puts it right. */
interface Finding {
  readonly what: string;
  readonly isFatal: boolean;
  readonly mend: string;
}

export const doctor: Command = {
  summary: 'what this machine lacks, and the command that mends it',
  usage: '[--json]',
  options: {},
  async run(invocation) {
    const findings = [...examine(), ...oldClients()];
    if (flag(invocation, 'json')) process.stdout.write(`${JSON.stringify({ findings }, undefined, 2)}\n`);
    else if (findings.length === 0) process.stdout.write('everything dabba needs is here\n');
    else
      for (const { what, isFatal, mend } of findings)
        process.stdout.write(`${isFatal ? 'missing' : 'limited'}: ${what}\n  mend: ${mend}\n`);
    return findings.some(({ isFatal }) => isFatal) ? 1 : 0;
  },
};

/** Everything that is wrong with this machine; empty when nothing is. */
export function examine(): readonly Finding[] {
  const findings: Finding[] = [];
  const fatal = (what: string, mend: string) => findings.push({ what, isFatal: true, mend });
  if (process.platform !== 'linux')
    fatal(`this is ${process.platform}; containers need a Linux kernel`, 'run dabba on Linux');
  if (process.getuid?.() !== 0)
    fatal('dabba must run as root: it mounts, makes namespaces and sets packet filters', 'sudo ./dabba up');
  for (const { program, alternatives = [], debianPackage, usedFor, optionalFor } of parts)
    if (![program, ...alternatives].some((name) => findOnPath(name)))
      findings.push({
        what: `${program} (${usedFor})${optionalFor ? `; needed by: ${optionalFor}` : ''}`,
        isFatal: optionalFor === undefined,
        mend: `apt-get install -y ${debianPackage}`,
      });
  if (!supportsFilesystem('overlay')) fatal('overlayfs (layers of images)', 'modprobe overlay');
  if (!existsSync('/proc/self/ns/net')) fatal('network namespaces', 'boot a kernel with CONFIG_NET_NS');
  if (!existsSync('/sys/fs/cgroup/cgroup.controllers') && !existsSync('/sys/fs/cgroup/memory'))
    fatal('cgroups (limits of containers)', 'mount -t cgroup2 none /sys/fs/cgroup');
  return findings;
}

/** Clients that `dabba env` does not reach. The aws command line knows `AWS_ENDPOINT_URL` since 2.13 and 1.29 (AWS SDKs guide, "Service-specific endpoints"). */
function oldClients(): readonly Finding[] {
  const { stdout } = spawnSync('aws', ['--version'], { encoding: 'utf8' });
  const [version, major = 0, minor = 0] = /^aws-cli\/(\d+)\.(\d+)\S*/.exec(stdout ?? '') ?? [];
  if (!version || Number(minor) >= (major === '1' ? 29 : 13)) return [];
  const what = `${version} does not read AWS_ENDPOINT_URL and would call AWS`;
  return [{ what, isFatal: false, mend: `alias aws='aws --endpoint-url "$AWS_ENDPOINT_URL"', or install a newer one` }];
}

/** Throws `UsageError` when dabba cannot run here, naming all that is missing and one command that mends it. */
export function requireMachine(): void {
  requireRoot();
  const fatal = examine().filter(({ isFatal }) => isFatal);
  if (fatal.length === 0) return;
  const packages = fatal.flatMap(({ mend }) => (mend.startsWith('apt-get install -y ') ? [mend.slice(19)] : []));
  const others = fatal.flatMap(({ mend }) => (mend.startsWith('apt-get') ? [] : [mend]));
  throw new UsageError(
    `dabba cannot start here; missing: ${fatal.map(({ what }) => what).join('; ')}`,
    [...(packages.length ? [`apt-get install -y ${packages.join(' ')}`] : []), ...others].join(' && '),
  );
}

/** Throws `UsageError` unless we are root. */
export function requireRoot(): void {
  if (process.getuid?.() !== 0)
    throw new UsageError(
      'dabba must run as root: it mounts, makes namespaces and sets packet filters',
      `try: sudo ${process.argv.slice(1).join(' ')}`,
    );
}

function supportsFilesystem(name: string): boolean {
  const known = readFileSync('/proc/filesystems', 'utf8');
  return known.split('\n').some((line) => line.split('\t').at(-1) === name) || existsSync(`/sys/module/${name}`);
}
