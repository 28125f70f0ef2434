import { closeSync, openSync, readFileSync, readdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { systemCode } from '#base';
import { check, KernelError, lastErrorCode, libcFunction } from './libc.ts';

const ioctlCall = libcFunction<(descriptor: number, request: number, argument: number) => number>(
  'int ioctl(int fd, unsigned long request, int argument)',
);
/** linux/loop.h. */
const [LOOP_SET_FD, LOOP_CLR_FD, LOOP_SET_CAPACITY, LOOP_CTL_GET_FREE] = [0x4c00, 0x4c01, 0x4c07, 0x4c82] as const;
const blocks = '/sys/block';

/** A block device that is a file (loop(4)). */
export interface LoopDevice {
  /** `/dev/loop0`. */
  readonly path: string;
  /** The file, with `(deleted)` behind it when it is no more. */
  readonly file: string;
}

/** All that the machine has. */
export function loopDevices(): readonly LoopDevice[] {
  return readdirSync(blocks).flatMap((name) => {
    const file = /^loop\d+$/.test(name) ? backingFile(name) : undefined;
    return file === undefined ? [] : [{ path: `/dev/${name}`, file }];
  });
}

/** Makes a file a block device and answers its path; one that is one already has the file's size from now on. Throws `KernelError` when the machine has no more. */
export function attachLoopDevice(file: string): string {
  const real = realpathSync(file);
  const known = loopDevices().find((device) => device.file === real);
  if (known) {
    onDevice(known.path, (descriptor) => check(ioctlCall(descriptor, LOOP_SET_CAPACITY, 0), 'ioctl', known.path));
    return known.path;
  }
  const backing = openSync(real, 'r+');
  try {
    for (;;) {
      const path = freeDevice();
      const isOurs = onDevice(path, (descriptor) => {
        if (ioctlCall(descriptor, LOOP_SET_FD, backing) >= 0) return true;
        const code = lastErrorCode();
        // Somebody else was faster.
        if (code !== 'EBUSY') throw new KernelError('ioctl', code, path);
        return false;
      });
      if (isOurs) return path;
    }
  } finally {
    closeSync(backing);
  }
}

/** Lets go of the file; while somebody has the device open, the kernel waits for that one. Repeatable. */
export function detachLoopDevice(path: string): void {
  onDevice(path, (descriptor) => {
    if (ioctlCall(descriptor, LOOP_CLR_FD, 0) >= 0) return;
    const code = lastErrorCode();
    if (code !== 'ENXIO') throw new KernelError('ioctl', code, path);
  });
}

function freeDevice(): string {
  return onDevice('/dev/loop-control', (descriptor) => {
    return `/dev/loop${check(ioctlCall(descriptor, LOOP_CTL_GET_FREE, 0), 'ioctl', '/dev/loop-control')}`;
  });
}

function onDevice<T>(path: string, action: (descriptor: number) => T): T {
  const descriptor = openSync(path, 'r+');
  try {
    return action(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function backingFile(name: string): string | undefined {
  try {
    return readFileSync(join(blocks, name, 'loop/backing_file'), 'utf8').replace(/\n$/, '');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
