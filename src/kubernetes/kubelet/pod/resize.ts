/**
 * Whether a pod whose containers ask for other resources than they run with can have them, and what of them is to be changed ("Resize CPU and Memory Resources assigned to
 * Containers", Kubernetes documentation). What a container runs with is what the engine remembers of it.
 */
import type { Container, ContainerCreate } from '#engine';
import type * as types from '../../types.ts';
import type { Allocatable } from '../container/resource-field.ts';
import { engineResources } from '../container/request.ts';
import { isRunning } from '../status/container-status.ts';
import { containersOf, type PodContainer } from './containers.ts';
import { podResourcesOf } from './resources.ts';
import { newestRun, type Runs } from './runs.ts';

type Resources = NonNullable<ContainerCreate['resources']>;

/** How the change of a pod's resources stands; told as a condition of the pod. */
export type ResizeState =
  | { readonly type: 'PodResizePending'; readonly reason: 'Deferred' | 'Infeasible'; readonly message: string }
  | { readonly type: 'PodResizeInProgress'; readonly reason?: 'Error'; readonly message?: string };

/** A container that runs with other resources than its pod says. */
export interface Resizing {
  readonly container: PodContainer;
  /** The engine's. */
  readonly id: string;
  readonly wanted: Resources;
  /** It takes the change at its next run alone. */
  readonly needsRestart: boolean;
}

export function resizingsOf(pod: types.Pod, runs: Runs): readonly Resizing[] {
  return containersOf(pod).flatMap((container) => {
    const run = newestRun(runs, container.spec.name);
    if (!run || !isRunning(run) || (container.role !== 'main' && container.role !== 'sidecar')) return [];
    const wanted = engineResources(container.spec);
    const changed = difference(wanted, run);
    if (!changed.length) return [];
    const needsRestart = !!container.spec.resizePolicy?.some(
      ({ resourceName, restartPolicy }) => restartPolicy === 'RestartContainer' && changed.includes(resourceName),
    );
    return [{ container, id: run.id, wanted, needsRestart }];
  });
}

/** Which of its resources a run has otherwise than wanted. */
function difference(
  wanted: Resources,
  { create: { resources: has = {} } }: Pick<Container, 'create'>,
): readonly string[] {
  return [
    ...(wanted.cpuShares !== has.cpuShares || wanted.cpuMillis !== has.cpuMillis ? ['cpu'] : []),
    ...(wanted.memoryBytes !== has.memoryBytes ? ['memory'] : []),
  ];
}

/** True when a run has what its container says. */
export function isAsAsked(spec: types.Container, run: Pick<Container, 'create'>): boolean {
  return !difference(engineResources(spec), run).length;
}

/** Why the node cannot give a pod what it asks for now: never, or not beside those that are there. */
export function obstacle(
  pod: types.Pod,
  { others, allocatable }: { readonly others: readonly types.Pod[]; readonly allocatable: Allocatable },
): Extract<ResizeState, { type: 'PodResizePending' }> | undefined {
  const asked = podResourcesOf(pod);
  const used = others.map(podResourcesOf);
  const kinds = [
    ['cpu', asked.cpuRequestMillis, allocatable.cpuMillis, used.map(({ cpuRequestMillis }) => cpuRequestMillis)],
    [
      'memory',
      asked.memoryRequestBytes,
      allocatable.memoryBytes,
      used.map(({ memoryRequestBytes }) => memoryRequestBytes),
    ],
  ] as const;
  for (const [name, requested, capacity] of kinds)
    if (requested > capacity)
      return {
        type: 'PodResizePending',
        reason: 'Infeasible',
        message: `Node didn't have enough capacity: ${name}, requested: ${requested}, capacity: ${capacity}`,
      };
  for (const [name, requested, capacity, amounts] of kinds) {
    const taken = amounts.reduce((sum, amount) => sum + amount, 0);
    if (requested + taken > capacity)
      return {
        type: 'PodResizePending',
        reason: 'Deferred',
        message: `Node didn't have enough resource: ${name}, requested: ${requested}, used: ${taken}, capacity: ${capacity}`,
      };
  }
  return undefined;
}
