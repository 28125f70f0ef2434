import type { Mount } from '../../engine.ts';
import { standardMounts } from './defaults.ts';
import type { OciMount } from './oci.ts';

/** A mount of a container with its place on this machine known. */
export type PlacedMount =
  | { readonly kind: 'bind'; readonly source: string; readonly target: string; readonly isReadOnly: boolean }
  | Extract<Mount, { readonly kind: 'tmpfs' }>;

/** The files the engine writes for a container and binds over the image's. */
export interface ContainerFiles {
  readonly hosts: string;
  readonly hostname: string;
  readonly resolvConf: string;
}

/**
 * Every mount of a container in the order they are made: the standard ones, the engine's files, then those asked for, outer before inner. A
 * mount asked for replaces a standard one at the same place. In a privileged container /sys and the cgroups may be written.
 */
export function containerMounts(
  placed: readonly PlacedMount[],
  files: ContainerFiles,
  isPrivileged: boolean,
): readonly OciMount[] {
  const asked = new Set(placed.map((mount) => mount.target));
  const own = [
    ...standardMounts.map((mount) => (isPrivileged ? writable(mount) : mount)),
    bind(files.resolvConf, '/etc/resolv.conf', false),
    bind(files.hostname, '/etc/hostname', false),
    bind(files.hosts, '/etc/hosts', false),
  ].filter((mount) => !asked.has(mount.destination));
  const depth = ({ target }: PlacedMount) => target.split('/').filter(Boolean).length;
  return [...own, ...[...placed].sort((a, b) => depth(a) - depth(b)).map(ociMount)];
}

function ociMount(mount: PlacedMount): OciMount {
  if (mount.kind === 'bind') return bind(mount.source, mount.target, mount.isReadOnly);
  const options = ['nosuid', 'nodev', 'noexec'];
  if (mount.sizeBytes !== undefined) options.push(`size=${mount.sizeBytes}`);
  if (mount.mode !== undefined) options.push(`mode=${mount.mode.toString(8)}`);
  return { destination: mount.target, type: 'tmpfs', source: 'tmpfs', options };
}

function bind(source: string, destination: string, isReadOnly: boolean): OciMount {
  return { destination, type: 'bind', source, options: ['rbind', 'rprivate', isReadOnly ? 'ro' : 'rw'] };
}

function writable(mount: OciMount): OciMount {
  return mount.type === 'sysfs' || mount.type === 'cgroup'
    ? { ...mount, options: mount.options.filter((option) => option !== 'ro') }
    : mount;
}
