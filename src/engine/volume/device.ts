import { statSync } from 'node:fs';
import { DabbaError } from '#base';
import { listMounts, mount, MountFlag, unmount } from '#kernel';
import type { Volume } from '../engine.ts';

const known = new Set(['type', 'device', 'o']);
const flags: { readonly [word: string]: number } = {
  ro: MountFlag.readOnly,
  nosuid: MountFlag.noSuid,
  nodev: MountFlag.noDevices,
  noexec: MountFlag.noExecute,
};
/** Words of `o` that say what is so anyway. */
const ordinary = new Set(['rw', 'bind', 'rbind', 'suid', 'dev', 'exec', 'defaults', '']);

/**
 * Checks the options of a volume (`docker volume create -o type=tmpfs -o device=tmpfs -o o=size=1m`). Throws `InvalidArgument` for what cannot
 * be, `Unimplemented` for file systems other than tmpfs and binds.
 */
export function checkOptions(options: Volume['options']): void {
  const stranger = Object.keys(options).find((name) => !known.has(name));
  if (stranger !== undefined) throw new DabbaError('InvalidArgument', `invalid option: "${stranger}"`);
  if (Object.keys(options).length === 0) return;
  const { type = '', device } = options;
  if (!device) throw new DabbaError('InvalidArgument', 'missing required option: "device"');
  if (type === 'tmpfs') return;
  if (!isBind(options))
    throw new DabbaError('Unimplemented', `volumes of type "${type}" are not supported: only tmpfs and o=bind are`);
  if (!device.startsWith('/')) throw new DabbaError('InvalidArgument', `device "${device}" is not an absolute path`);
}

/** Mounts what the options name at the volume's path, once. Throws `FailedPrecondition` in the kernel's words. */
export function mountDevice(volume: Volume): void {
  const { options, path } = volume;
  if (isMounted(path)) return;
  const words = (options['o'] ?? '').split(',');
  const flagBits = words.reduce((sum, word) => sum | (flags[word] ?? 0), 0);
  const device = options['device'] ?? '';
  try {
    if (isBind(options)) {
      statSync(device);
      mount({ source: device, target: path, flags: MountFlag.bind | MountFlag.recursive });
      if (flagBits) mount({ source: device, target: path, flags: MountFlag.bind | MountFlag.remount | flagBits });
      return;
    }
    const data = words.filter((word) => flags[word] === undefined && !ordinary.has(word)).join(',');
    mount({ source: device, target: path, type: 'tmpfs', flags: flagBits, options: data });
  } catch (cause) {
    throw new DabbaError(
      'FailedPrecondition',
      `error while mounting volume '${path}': failed to mount local volume: ${(cause as Error).message}`, // mount and stat throw Errors
      { cause },
    );
  }
}

/** Undoes `mountDevice`; a volume without options has nothing mounted. */
export function unmountDevice({ options, path }: Volume): void {
  if (Object.keys(options).length > 0) unmount(path);
}

/** True for a volume that shows a directory of the machine. */
export function isBind(options: Volume['options']): boolean {
  const words = (options['o'] ?? '').split(',');
  return words.includes('bind') || words.includes('rbind');
}

function isMounted(path: string): boolean {
  return listMounts().some(({ target }) => target === path);
}
