import { existsSync } from 'node:fs';
import type { ContainerCreate, Mount, SharedNamespaces } from '../../engine.ts';
import { standardMounts } from './defaults.ts';
import type { OciMount } from './oci.ts';

/** A mount of a container with its place on this machine known. */
export type PlacedMount =
  | {
      readonly kind: 'bind';
      readonly source: string;
      readonly target: string;
      readonly isReadOnly: boolean;
      readonly propagation?: string;
      readonly isShallow?: boolean;
      /** Further words for mount(8). */
      readonly options?: readonly string[];
      /** See `Mount`. */
      readonly isMapped?: boolean;
      /** Nothing in it can be run. */
      readonly isDataOnly?: boolean;
    }
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
  { isPrivileged = false, sharedMemoryBytes, namespaces = {} }: ContainerCreate,
): readonly OciMount[] {
  const asked = new Set(placed.map((mount) => mount.target));
  const own = [
    ...standardMounts(sharedMemoryBytes)
      .filter((mount) => !isShared(mount, namespaces))
      .map((mount) => (isPrivileged ? writable(mount) : mount)),
    ...(namespaces.ipc === 'host' ? hostIpcMounts() : []),
    bind(files.resolvConf, '/etc/resolv.conf', false),
    bind(files.hostname, '/etc/hostname', false),
    bind(files.hosts, '/etc/hosts', false),
  ].filter((mount) => !asked.has(mount.destination));
  const depth = ({ target }: PlacedMount) => target.split('/').filter(Boolean).length;
  return [...own, ...[...placed].sort((a, b) => depth(a) - depth(b)).map(ociMount)];
}

function ociMount(mount: PlacedMount): OciMount {
  if (mount.kind === 'bind') return bind(mount.source, mount.target, mount.isReadOnly, mount);
  const options = tmpfsOptions(mount.options ?? []);
  if (mount.sizeBytes !== undefined) options.push(`size=${mount.sizeBytes}`);
  if (mount.mode !== undefined) options.push(`mode=${mount.mode.toString(8)}`);
  return { destination: mount.target, type: 'tmpfs', source: 'tmpfs', options };
}

/** Docker's defaults, and the words asked for, which win over those. */
function tmpfsOptions(asked: readonly string[]): string[] {
  const opposites: { readonly [word: string]: string } = { nosuid: 'suid', nodev: 'dev', noexec: 'exec' };
  const defaults = Object.keys(opposites).filter((word) => !asked.includes(opposites[word]!) && !asked.includes(word));
  return [...defaults, ...asked.filter((word) => !word.startsWith('size=') && !word.startsWith('mode='))];
}

/** With the machine's IPC namespace come its message queues and shared memory. */
function isShared({ destination }: OciMount, { ipc }: SharedNamespaces): boolean {
  return ipc === 'host' && ['/dev/shm', '/dev/mqueue'].includes(destination);
}

/** Those that the machine has. */
const hostIpcMounts = () =>
  ['/dev/shm', '/dev/mqueue'].filter((path) => existsSync(path)).map((path) => bind(path, path, false));

function bind(
  source: string,
  destination: string,
  isReadOnly: boolean,
  {
    propagation = 'rprivate',
    isShallow = false,
    isDataOnly = false,
    options: more = [],
  }: {
    readonly propagation?: string;
    readonly isShallow?: boolean;
    readonly isDataOnly?: boolean;
    readonly options?: readonly string[];
  } = {},
): OciMount {
  const words = [isShallow ? 'bind' : 'rbind', propagation, isReadOnly ? 'ro' : 'rw', ...more];
  const options = isDataOnly ? [...words, 'noexec'] : words;
  return { destination, type: 'bind', source, options };
}

function writable(mount: OciMount): OciMount {
  return mount.type === 'sysfs' || mount.type === 'cgroup'
    ? { ...mount, options: mount.options.filter((option) => option !== 'ro') }
    : mount;
}
