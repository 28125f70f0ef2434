import { closeSync, existsSync, fstatSync, ftruncateSync, mkdirSync, openSync, realpathSync } from 'node:fs';
import { dirname } from 'node:path';
import { attachLoopDevice, detachLoopDevice, loopDevices } from '#kernel';

/** Block devices for volumes of mode `Block`: each is a file of its own. */
export interface BlockDevices {
  /** The device that a file is, of so many bytes at least; the file is made, or grows. May be repeated. */
  ensure(file: string, sizeBytes: number): string;
  /** Lets go of every one whose file is this, or lies beneath it. */
  release(path: string): void;
}

export const linuxBlockDevices: BlockDevices = {
  ensure(file, sizeBytes) {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    const descriptor = openSync(file, 'a', 0o600);
    try {
      // Nothing is written: blocks take room as they are used.
      if (fstatSync(descriptor).size < sizeBytes) ftruncateSync(descriptor, sizeBytes);
    } finally {
      closeSync(descriptor);
    }
    return attachLoopDevice(file);
  },
  release(path) {
    // The kernel names a file without the links that led to it.
    const real = existsSync(path) ? realpathSync(path) : path;
    for (const device of loopDevices())
      if (device.file === real || device.file.startsWith(`${real}/`)) detachLoopDevice(device.path);
  },
};
