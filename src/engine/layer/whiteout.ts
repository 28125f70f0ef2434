import type { BigIntStats } from 'node:fs';

/** How a layer says that something beneath it is gone (OCI image specification, "Whiteouts"), in a tar and in overlayfs. */
export const whiteoutPrefix = '.wh.';
/** Names AUFS kept for itself. */
export const whiteoutMetaPrefix = '.wh..wh.';
/** Member that hides everything beneath its directory. */
export const opaqueMarker = '.wh..wh..opq';
/** overlayfs's word for the same, with value `y`. */
export const opaqueAttribute = 'trusted.overlay.opaque';
/** Attributes overlayfs keeps for itself. */
export const privateAttributes: readonly string[] = ['trusted.overlay.', 'user.overlay.'];

/** overlayfs's whiteout is a character device 0:0. */
export function isWhiteout(stats: BigIntStats): boolean {
  return stats.isCharacterDevice() && stats.rdev === 0n;
}
