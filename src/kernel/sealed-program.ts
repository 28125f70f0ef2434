import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { basename } from 'node:path';
import { KernelError, check, libcFunction } from './libc.ts';

/** A program copied into memory that nobody can write to any more, ours included. Disposing lets go of it; what runs it runs on. */
export interface SealedProgram extends Disposable {
  /** To be run by any process of this machine, while ours lives and has not disposed of it. */
  readonly path: string;
}

const createMemoryFile = libcFunction<(name: string, flags: number) => number>(
  'int memfd_create(const char *, unsigned int)',
);
const controlFile = libcFunction<(fd: number, command: number, argument: number) => number>('int fcntl(int, int, int)');

const [closeOnExec, allowSealing, executable] = [0x1, 0x2, 0x10] as const;
const addSeals = 1033;
/** F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE. */
const seals = 0xf;

/** Copies a program's file (memfd_create(2)). Throws `KernelError` where the machine runs no programs from memory (sysctl `vm.memfd_noexec`). */
export function sealProgram(file: string): SealedProgram {
  using scope = new DisposableStack();
  const fd = createFile(basename(file));
  scope.defer(() => closeSync(fd));
  copy(file, fd);
  check(controlFile(fd, addSeals, seals), 'fcntl', `seals of ${file}`);
  const held = scope.move();
  return { path: `/proc/${process.pid}/fd/${fd}`, [Symbol.dispose]: () => held.dispose() };
}

function createFile(name: string): number {
  const create = (flags: number) => check(createMemoryFile(name, flags), 'memfd_create', name);
  try {
    return create(closeOnExec | allowSealing | executable);
  } catch (error) {
    // Before Linux 6.3 all such files could be executed, and there was no flag to say so.
    if (error instanceof KernelError && error.code === 'EINVAL') return create(closeOnExec | allowSealing);
    throw error;
  }
}

function copy(file: string, target: number): void {
  const source = openSync(file, 'r');
  try {
    const block = Buffer.allocUnsafe(1024 ** 2);
    for (let length: number; (length = readSync(source, block)) > 0;)
      for (let written = 0; written < length;) written += writeSync(target, block, written, length - written);
  } finally {
    closeSync(source);
  }
}
