import { closeSync, openSync } from 'node:fs';
import koffi from 'koffi';
import { KernelError, check, libcFunction } from './libc.ts';
import { watchChild, type ChildProcess } from './process.ts';

/** A program to run. Nothing of ours reaches it save what is named here. */
export interface SpawnRequest {
  /** A path, or a name to be found on our PATH. */
  readonly file: string;
  /** Arguments after the program's own name. */
  readonly args: readonly string[];
  /** The whole environment. */
  readonly environment: { readonly [name: string]: string };
  readonly workingDirectory?: string;
  /** The child's descriptor number → ours. 0, 1 and 2 are the null device unless given; ours stay open and stay ours. */
  readonly descriptors?: { readonly [childFd: number]: number };
  /** Starts it in a session of its own, away from our terminal and its signals. */
  readonly isSessionLeader?: boolean;
}

const spawnProgram = libcFunction<
  (pid: Buffer, file: string, actions: Buffer, attributes: Buffer, argv: unknown[], envp: unknown[]) => number
>('int posix_spawnp(void *, const char *, void *, void *, const char **, const char **)');
const initActions = libcFunction<(actions: Buffer) => number>('int posix_spawn_file_actions_init(void *)');
const destroyActions = libcFunction<(actions: Buffer) => number>('int posix_spawn_file_actions_destroy(void *)');
const addDup2 = libcFunction<(actions: Buffer, from: number, to: number) => number>(
  'int posix_spawn_file_actions_adddup2(void *, int, int)',
);
const addCloseFrom = libcFunction<(actions: Buffer, from: number) => number>(
  'int posix_spawn_file_actions_addclosefrom_np(void *, int)',
);
const addChangeDirectory = libcFunction<(actions: Buffer, path: string) => number>(
  'int posix_spawn_file_actions_addchdir_np(void *, const char *)',
);
const initAttributes = libcFunction<(attributes: Buffer) => number>('int posix_spawnattr_init(void *)');
const setFlags = libcFunction<(attributes: Buffer, flags: number) => number>(
  'int posix_spawnattr_setflags(void *, short)',
);
const setDefaultSignals = libcFunction<(attributes: Buffer, set: Buffer) => number>(
  'int posix_spawnattr_setsigdefault(void *, void *)',
);
const setSignalMask = libcFunction<(attributes: Buffer, set: Buffer) => number>(
  'int posix_spawnattr_setsigmask(void *, void *)',
);
const duplicateFrom = libcFunction<(fd: number, command: number, lowest: number) => number>('int fcntl(int, int, int)');
const makePipe = libcFunction<(ends: Buffer, flags: number) => number>('int pipe2(void *, int)');

const [resetSignals, replaceSignalMask, newSession] = [0x04, 0x08, 0x80] as const;
const duplicateCloseOnExec = 1030;
const closeOnExec = 0o2000000;
// Sizes of glibc's opaque structures on 64-bit Linux (bits/types, spawn.h), rounded up.
const [actionsBytes, attributesBytes, signalSetBytes] = [128, 512, 128] as const;

/**
 * Starts a program by `posix_spawn`, which shares our memory until the exec: its cost does not grow with our heap, as a fork's does (notes on
 * Node's `child_process`: 50 ms of blocked event loop at 1.4 GB). Throws `KernelError`, `NotFound` when there is no such program.
 */
export function spawn(request: SpawnRequest): ChildProcess {
  using scope = new DisposableStack();
  const actions = fileActions(request, scope);
  const pid = Buffer.alloc(4);
  const argv = [request.file, ...request.args, null];
  const envp = [...Object.entries(request.environment).map(([name, value]) => `${name}=${value}`), null];
  const errno = spawnProgram(pid, request.file, actions, spawnAttributes(request), argv, envp);
  if (errno !== 0) throw new KernelError('posix_spawn', errorName(errno), request.file);
  return watchChild(pid.readInt32LE());
}

/** A pipe as `[read end, write end]`, neither inherited by programs unless handed over in `descriptors`. The caller owns both. */
export function pipe(): readonly [number, number] {
  const ends = Buffer.alloc(8);
  check(makePipe(ends, closeOnExec), 'pipe2', 'pipe');
  return [ends.readInt32LE(0), ends.readInt32LE(4)];
}

function fileActions(request: SpawnRequest, scope: DisposableStack): Buffer {
  const actions = Buffer.alloc(actionsBytes);
  initActions(actions);
  scope.defer(() => destroyActions(actions));
  const nullFd = openSync('/dev/null', 'r+');
  scope.defer(() => closeSync(nullFd));
  const wanted = new Map<number, number>([0, 1, 2].map((fd) => [fd, nullFd]));
  for (const [childFd, ourFd] of Object.entries(request.descriptors ?? {})) wanted.set(Number(childFd), ourFd);
  const lowestFree = Math.max(...wanted.keys()) + 1;
  // Actions run one after another, so a source below `lowestFree` might be overwritten before its turn: move it up first.
  const sources = new Map([...wanted].map(([childFd, ourFd]) => [childFd, moveAbove(ourFd, lowestFree, scope)]));
  for (const [childFd, source] of sources) addDup2(actions, source, childFd);
  if (request.workingDirectory !== undefined) addChangeDirectory(actions, request.workingDirectory);
  addCloseFrom(actions, lowestFree);
  return actions;
}

function moveAbove(fd: number, lowest: number, scope: DisposableStack): number {
  if (fd >= lowest) return fd;
  const moved = check(duplicateFrom(fd, duplicateCloseOnExec, lowest), 'fcntl', `descriptor ${fd}`);
  scope.defer(() => closeSync(moved));
  return moved;
}

/** Default dispositions and an empty mask: Node ignores SIGPIPE, and an ignored signal would survive the exec. */
function spawnAttributes(request: SpawnRequest): Buffer {
  const attributes = Buffer.alloc(attributesBytes);
  initAttributes(attributes);
  setDefaultSignals(attributes, Buffer.alloc(signalSetBytes, 0xff));
  setSignalMask(attributes, Buffer.alloc(signalSetBytes));
  setFlags(attributes, resetSignals | replaceSignalMask | (request.isSessionLeader ? newSession : 0));
  return attributes;
}

function errorName(errno: number): string {
  return Object.entries(koffi.os.errno).find(([, value]) => value === errno)?.[0] ?? `errno ${errno}`;
}
