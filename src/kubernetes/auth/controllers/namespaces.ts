import type { Namespace } from '../../types.ts';

/** True for a namespace that takes nothing new: it is gone, or going. */
export function isEnding(namespace: Namespace | undefined): boolean {
  return !namespace || !!namespace.metadata?.deletionTimestamp || namespace.status?.phase === 'Terminating';
}
