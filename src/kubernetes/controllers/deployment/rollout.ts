import type { Deployment, ReplicaSet } from '../../types.ts';
import type { ControllerParts, Step } from '../controller.ts';
import { replicaSets } from '../../resources.ts';
import { type Settings, replicasOf } from './settings.ts';
import { desiredAnnotations, tell } from './revisions.ts';

/** A deployment and its replica sets, as one step finds them. */
export interface Rollout {
  readonly parts: ControllerParts;
  readonly step: Step;
  readonly deployment: Deployment;
  readonly settings: Settings;
  /** The one with the deployment's own template. */
  readonly newSet: ReplicaSet | undefined;
  /** Oldest first. */
  readonly oldSets: readonly ReplicaSet[];
}

export function allSetsOf({ newSet, oldSets }: Rollout): readonly ReplicaSet[] {
  return newSet ? [...oldSets, newSet] : oldSets;
}

/** Those that want pods. */
export function activeSets(sets: readonly ReplicaSet[]): readonly ReplicaSet[] {
  return sets.filter((set) => replicasOf(set) > 0);
}

/** Brings a set to a size and notes on it what the deployment wants; returns whether that changed anything. */
export async function scale(rollout: Rollout, set: ReplicaSet, replicas: number): Promise<boolean> {
  const { parts, step, deployment, settings } = rollout;
  const before = replicasOf(set);
  const wanted = desiredAnnotations(settings);
  const annotations = set.metadata?.annotations ?? {};
  const isNoted = Object.entries(wanted).every(([name, value]) => annotations[name] === value);
  if (before === replicas && isNoted) return false;
  await step.api.update(replicaSets, {
    ...set,
    metadata: { ...set.metadata, annotations: { ...annotations, ...wanted } },
    spec: { ...set.spec!, replicas },
  });
  if (before !== replicas) {
    const direction = replicas > before ? 'up' : 'down';
    const message = `Scaled ${direction} replica set ${set.metadata!.name} from ${before} to ${replicas}`;
    tell(parts, deployment, 'Normal', 'ScalingReplicaSet', message);
  }
  return true;
}
