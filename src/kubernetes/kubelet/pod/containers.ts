import type * as types from '../../types.ts';

/** How a container of a pod takes part in its life. */
export type ContainerRole = 'init' | 'sidecar' | 'main' | 'ephemeral';

/** A container of a pod's spec with its role. */
export interface PodContainer {
  readonly role: ContainerRole;
  readonly spec: types.Container;
  /** Ephemeral containers alone: whose processes it sees. */
  readonly target?: string;
}

/** Every container of a pod: init containers and sidecars in order, then the others, then ephemeral ones. */
export function containersOf({ spec }: types.Pod): readonly PodContainer[] {
  return [
    ...(spec?.initContainers ?? []).map((each): PodContainer => ({
      role: each.restartPolicy === 'Always' ? 'sidecar' : 'init',
      spec: each,
    })),
    ...(spec?.containers ?? []).map((each): PodContainer => ({ role: 'main', spec: each })),
    ...(spec?.ephemeralContainers ?? []).map(({ targetContainerName, ...each }): PodContainer => ({
      role: 'ephemeral',
      spec: each,
      ...(targetContainerName ? { target: targetContainerName } : {}),
    })),
  ];
}

/** The one of that name. */
export function findContainer(pod: types.Pod, name: string): PodContainer | undefined {
  return containersOf(pod).find(({ spec }) => spec.name === name);
}

/** Whether a run that ended is followed by another, by the pod's policy (and a sidecar's own). */
export function isRestarted(pod: types.Pod, { role }: PodContainer, exitCode: number): boolean {
  if (role === 'sidecar') return true;
  if (role === 'ephemeral') return false;
  const policy = pod.spec?.restartPolicy ?? 'Always';
  if (policy === 'Never') return false;
  // An init container's work is done once it succeeds.
  if (role === 'init' || policy === 'OnFailure') return exitCode !== 0;
  return true;
}
