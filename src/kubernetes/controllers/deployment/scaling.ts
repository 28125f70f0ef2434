/** Following a change of the deployment's size, in the middle of a rollout too. Behaviour: kubernetes `pkg/controller/deployment/sync.go`, "scale". */
import type { ReplicaSet } from '../../types.ts';
import { byAge } from '../meta.ts';
import { DESIRED, MAXIMUM } from './revisions.ts';
import { activeSets, allSetsOf, type Rollout, scale } from './rollout.ts';
import { availableOf, replicasOf, total } from './settings.ts';

/** True if the deployment's size is not the one that its active sets were last scaled for. */
export function isSizeChanged(rollout: Rollout): boolean {
  return activeSets(allSetsOf(rollout)).some(({ metadata }) => {
    const desired = metadata?.annotations?.[DESIRED];
    return desired !== undefined && Number(desired) !== rollout.settings.replicas;
  });
}

/** Brings the sets to the deployment's size without moving the rollout on; returns whether it changed anything. */
export async function followSize(rollout: Rollout): Promise<boolean> {
  const { settings, newSet, oldSets } = rollout;
  const only = activeOrLatest(rollout);
  if (only) return scale(rollout, only, settings.replicas);
  if (newSet && isSaturated(newSet, settings.replicas)) return scaleAll(rollout, activeSets(oldSets), () => 0);
  if (settings.isRecreate) return false;
  const active = activeSets(allSetsOf(rollout));
  const sizes = proportionalSizes(rollout, active);
  return scaleAll(rollout, active, (set) => sizes.get(set)!);
}

async function scaleAll(
  rollout: Rollout,
  sets: readonly ReplicaSet[],
  sizeOf: (set: ReplicaSet) => number,
): Promise<boolean> {
  let isChanged = false;
  for (const set of sets) isChanged = (await scale(rollout, set, sizeOf(set))) || isChanged;
  return isChanged;
}

/** The one set that has pods, or the newest when none has. */
function activeOrLatest({ newSet, oldSets }: Rollout): ReplicaSet | undefined {
  const active = activeSets(newSet ? [...oldSets, newSet] : oldSets);
  if (active.length === 0) return newSet ?? oldSets.toSorted(byAge).at(-1);
  return active.length === 1 ? active[0] : undefined;
}

function isSaturated(set: ReplicaSet, replicas: number): boolean {
  return (
    Number(set.metadata?.annotations?.[DESIRED]) === replicas &&
    replicasOf(set) === replicas &&
    availableOf(set) === replicas
  );
}

/** Spreads the difference over the sets in proportion to their sizes; what rounding leaves goes to the largest. */
export function proportionalSizes(
  { settings: { replicas, maxSurge }, deployment }: Pick<Rollout, 'settings' | 'deployment'>,
  active: readonly ReplicaSet[],
): ReadonlyMap<ReplicaSet, number> {
  const missing = (replicas > 0 ? replicas + maxSurge : 0) - total(active);
  // The largest first; of equals the newer when growing, the older when shrinking.
  const sets = active.toSorted((a, b) => replicasOf(b) - replicasOf(a) || (missing > 0 ? byAge(b, a) : byAge(a, b)));
  const sizes = new Map<ReplicaSet, number>();
  let added = 0;
  for (const set of sets) {
    const share = missing === 0 ? 0 : within(missing - added, shareOf(set));
    sizes.set(set, replicasOf(set) + share);
    added += share;
  }
  const [largest] = sets;
  if (largest) sizes.set(largest, Math.max(0, sizes.get(largest)! + missing - added));
  return sizes;

  function shareOf(set: ReplicaSet): number {
    const size = replicasOf(set);
    if (replicas === 0) return -size;
    const before = Number(set.metadata?.annotations?.[MAXIMUM] ?? 0) || (deployment.status?.replicas ?? 0);
    return before ? Math.round((size * (replicas + maxSurge)) / before) - size : 0;
  }
}

function within(left: number, share: number): number {
  return left > 0 ? Math.max(0, Math.min(share, left)) : Math.min(0, Math.max(share, left));
}
