import { join } from 'node:path';
import type { PodRun } from './run.ts';

/** What container runtimes give a pod's /dev/shm. */
export const sharedMemoryBytes = 64 * 2 ** 20;

/** Where the containers of a pod meet: their IPC namespace, and what all of them have at /dev/shm. */
export interface SharedIpc {
  readonly namespace: string;
  readonly sharedMemory: string;
}

/**
 * The IPC that a pod's containers share ("Share Process Namespace", Kubernetes documentation: a pod shares its IPC namespace always), those too that are added for debugging. None
 * for a pod that has the node's.
 */
export function sharedIpcOf({ context, pod, ref }: Pick<PodRun, 'context' | 'pod' | 'ref'>): SharedIpc | undefined {
  if (pod.spec?.hostIPC) return undefined;
  const folder = context.local.folder(ref.uid);
  return { namespace: join(folder, 'ipc'), sharedMemory: join(folder, 'shm') };
}
