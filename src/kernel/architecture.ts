import { arch } from 'node:process';
import { lastErrorCode, libcFunction } from './libc.ts';

const call = libcFunction<(number: number) => number>('long syscall(long)');
/** What tells a system call of the x32 ABI from one of x86-64 (asm/unistd.h, `__X32_SYSCALL_BIT`), and getpid(2). */
const [x32Bit, getpid] = [0x40000000, 39] as const;

/** True if the kernel takes system calls of the x32 ABI, which most are built or started without. */
export function hasX32(): boolean {
  return arch === 'x64' && !(call(x32Bit + getpid) < 0 && lastErrorCode() === 'ENOSYS');
}
