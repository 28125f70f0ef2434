import { closeSync, constants, openSync } from 'node:fs';
import { resolve } from 'node:path';
import { DabbaError } from '#base';
import { mount, MountFlag, mountOptionsLimitBytes } from '#kernel';

export interface OverlayMount {
  readonly target: string;
  /** Where the links are. */
  readonly linkDirectory: string;
  /** Short names of the lower directories in it, or absolute paths, topmost first; at least one, and two when nothing is writable. */
  readonly lower: readonly string[];
  readonly writable?: { readonly upper: string; readonly work: string } | undefined;
}

/** Features that would write into a layer what no layer tar can say. Some kernels turn them on by default. */
const features = 'index=off,redirect_dir=off,metacopy=off';
/** The kernel's own bound, OVL_MAX_STACK. */
const mostLower = 500;

/** Mounts an overlay (kernel documentation, "Overlay Filesystem"). */
export function mountOverlay(overlay: OverlayMount): void {
  if (overlay.lower.length > mostLower)
    throw new DabbaError(
      'ResourceExhausted',
      `${overlay.target}: ${overlay.lower.length} layers are more than ${mostLower}`,
    );
  const call = (options: string) =>
    mount({
      source: 'overlay',
      target: overlay.target,
      type: 'overlay',
      flags: overlay.writable ? 0 : MountFlag.readOnly,
      options,
    });
  const options = optionsOf(overlay, overlay.linkDirectory);
  if (Buffer.byteLength(options) <= mountOptionsLimitBytes) {
    call(options);
    return;
  }
  // Many layers: name them from an open directory, which is shorter. The kernel keeps the directories, not the names.
  const directory = openSync(overlay.linkDirectory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    call(optionsOf(overlay, `/proc/self/fd/${directory}`));
  } finally {
    closeSync(directory);
  }
}

function optionsOf({ lower, writable }: OverlayMount, prefix: string): string {
  const parts = [`lowerdir=${lower.map((name) => resolve(prefix, name)).join(':')}`];
  if (writable) parts.push(`upperdir=${writable.upper}`, `workdir=${writable.work}`);
  return [...parts, features].join(',');
}

/** Throws `InvalidArgument` for a path that would be cut in two among mount options. */
export function checkMountable(path: string): void {
  if (/[,:\\]/.test(path))
    throw new DabbaError('InvalidArgument', `"${path}" holds a comma, colon or backslash and cannot be mounted`);
}
