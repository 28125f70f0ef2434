import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { DabbaError } from '#base';
import { check, libcFunction } from './libc.ts';
import { ensureIpcNamespace, isNamespace, NetworkNamespace } from './namespaces.ts';
import { PipeReader } from './pipe-reader.ts';
import { pipe, spawn } from './spawn.ts';
import { standardEnvironment } from './run.ts';

const ioctlCall = libcFunction<(descriptor: number, request: number) => number>(
  'int ioctl(int fd, unsigned long request, ...)',
);
/** ioctl_nsfs(2). */
const NS_GET_USERNS = 0xb701;

/** `count` ids from `inside` on, as a user namespace calls them, are those from `outside` on to the machine. */
export interface IdRange {
  readonly inside: number;
  readonly outside: number;
  readonly count: number;
}

/** What the ids of a user namespace are on the machine (user_namespaces(7)). */
export interface IdMapping {
  readonly users: readonly IdRange[];
  readonly groups: readonly IdRange[];
}

/** The machine's id for one of a namespace; undefined if it has no such id. */
export function outsideId(ranges: readonly IdRange[], id: number): number | undefined {
  const range = ranges.find(({ inside, count }) => id >= inside && id < inside + count);
  return range && range.outside + id - range.inside;
}

/** A namespace's id for one of the machine; undefined if it has no such id. */
export function insideId(ranges: readonly IdRange[], id: number): number | undefined {
  const range = ranges.find(({ outside, count }) => id >= outside && id < outside + count);
  return range && range.inside + id - range.outside;
}

/** An open user namespace. It lives as long as it is open here, has a process or a mount, or owns another namespace that lives. */
export class UserNamespace implements Disposable {
  /** For handing over to the kernel. */
  readonly descriptor: number;
  #isOpen = true;

  constructor(descriptor: number) {
    this.descriptor = descriptor;
  }

  /** A path by which programs that run as root can open it, until it is closed here. */
  get path(): string {
    return `/proc/${process.pid}/fd/${this.descriptor}`;
  }

  [Symbol.dispose](): void {
    if (this.#isOpen) closeSync(this.descriptor);
    this.#isOpen = false;
  }
}

/** A user namespace and a network namespace that it owns: its root may configure that, mount its sysfs and bind its low ports. */
export interface SandboxNamespaces extends Disposable {
  readonly user: UserNamespace;
  readonly network: NetworkNamespace;
}

/**
 * Makes a user namespace with these ids and a network namespace that it owns. A process with threads cannot enter a user namespace (setns(2)), so
 * a helper of its own makes them, and ends. Throws `Unavailable` where none can be made; the kernel's own error, as `node:fs` does, for ids that it does not
 * take.
 */
export async function createSandboxNamespaces(ids: IdMapping): Promise<SandboxNamespaces> {
  return await withHelper('unshare', ['--user', '--net', 'cat'], {}, (pid) => {
    writeFileSync(`/proc/${pid}/uid_map`, mapText(ids.users));
    writeFileSync(`/proc/${pid}/gid_map`, mapText(ids.groups));
    return openNamespacesOf(pid);
  });
}

/** Makes a network namespace that an existing user namespace owns. */
export async function createNetworkNamespaceIn(user: UserNamespace): Promise<SandboxNamespaces> {
  return await withHelper(...inside(user, '--net'), openNamespacesOf);
}

/** `ensureIpcNamespace`, of one that a user namespace owns. */
export async function ensureIpcNamespaceIn(user: UserNamespace, path: string): Promise<void> {
  if (isNamespace(path)) return;
  await withHelper(...inside(user, '--ipc'), (pid) => ensureIpcNamespace(path, pid));
}

/** Opens the user namespace of a process. Throws `ENOENT` when it has ended. */
export function openUserNamespaceOf(pid: number): UserNamespace {
  return new UserNamespace(openSync(`/proc/${pid}/ns/user`, 'r'));
}

/** Opens the user namespace that owns the network namespace at `path`. */
export function openOwnerOf(path: string): UserNamespace {
  const descriptor = openSync(path, 'r');
  try {
    return new UserNamespace(check(ioctlCall(descriptor, NS_GET_USERNS), 'ioctl', path));
  } finally {
    closeSync(descriptor);
  }
}

/** What runs a helper in a user namespace, with a new namespace of some kind. */
function inside(user: UserNamespace, kind: '--net' | '--ipc') {
  return ['nsenter', ['--user=/proc/self/fd/3', 'unshare', kind, 'cat'], { 3: user.descriptor }] as const;
}

/** Runs a program that echoes what it reads once it is in its namespaces, and lets it end after `use`. Throws `Unavailable` with its complaint. */
async function withHelper<T>(
  file: string,
  args: readonly string[],
  descriptors: { readonly [childFd: number]: number },
  use: (pid: number) => T,
): Promise<T> {
  using scope = new DisposableStack();
  const [input, inputEnd] = pipe();
  scope.defer(() => closeSync(inputEnd)); // at its end the helper ends
  writeSync(inputEnd, '\n'); // before there is one, for it may end at once
  const [outputEnd, output] = pipe();
  using echo = new PipeReader(outputEnd);
  const [complaintEnd, complaint] = pipe();
  using complaints = new PipeReader(complaintEnd);
  const pid = (() => {
    try {
      const request = { file, args, environment: standardEnvironment };
      return spawn({ ...request, descriptors: { ...descriptors, 0: input, 1: output, 2: complaint } }).pid;
    } finally {
      for (const end of [input, output, complaint]) closeSync(end);
    }
  })();
  if (await echo.read()) return use(pid);
  throw new DabbaError('Unavailable', `cannot make namespaces by ${file}: ${await textOf(complaints)}`);
}

/** All that comes, which is little. */
async function textOf(reader: PipeReader): Promise<string> {
  let text = '';
  for (let piece = await reader.read(); piece; piece = await reader.read()) text += piece.toString();
  return text.trim();
}

function openNamespacesOf(pid: number): SandboxNamespaces {
  using opening = new DisposableStack();
  const user = opening.use(openUserNamespaceOf(pid));
  const descriptor = openSync(`/proc/${pid}/ns/net`, 'r');
  const network = opening.use(new NetworkNamespace(`/proc/self/fd/${descriptor}`, descriptor));
  const held = opening.move();
  return { user, network, [Symbol.dispose]: () => held.dispose() };
}

/** user_namespaces(7): one line a range. */
function mapText(ranges: readonly IdRange[]): string {
  return ranges.map(({ inside, outside, count }) => `${inside} ${outside} ${count}\n`).join('');
}
