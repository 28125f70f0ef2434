/** Moving a rollout on. Behaviour: kubernetes `pkg/controller/deployment/rolling.go` and `recreate.go`. */
import type { Informer } from '../../client/informer.ts';
import type { Pod } from '../../types.ts';
import { byAge, metaOf } from '../meta.ts';
import { isFinished } from '../pods.ts';
import { activeSets, allSetsOf, type Rollout, scale } from './rollout.ts';
import { availableOf, replicasOf, total, type Settings } from './settings.ts';

/** How many pods the new set may have, beside what the old ones have. */
export function newSetSize({ replicas, maxSurge, isRecreate }: Settings, current: number, all: number): number {
  if (isRecreate) return replicas;
  if (current >= replicas) return replicas;
  return current + Math.max(0, Math.min(replicas + maxSurge - all, replicas - current));
}

/** One move of a rolling update: the new set up, or the old ones down. Returns whether there was one. */
export async function roll(rollout: Rollout): Promise<boolean> {
  const { settings, newSet, oldSets } = rollout;
  const size = newSetSize(settings, replicasOf(newSet), total(allSetsOf(rollout)));
  if (newSet && size !== replicasOf(newSet)) return scale(rollout, newSet, size);
  return total(oldSets) > 0 && shrinkOld(rollout);
}

async function shrinkOld(rollout: Rollout): Promise<boolean> {
  const { settings, newSet } = rollout;
  const sets = allSetsOf(rollout);
  const minimum = settings.replicas - settings.maxUnavailable;
  const unavailable = newSet ? replicasOf(newSet) - availableOf(newSet) : 0;
  const spare = total(sets) - minimum - unavailable;
  if (spare <= 0) return false;
  const sizes = new Map(
    activeSets(rollout.oldSets)
      .toSorted(byAge)
      .map((set) => [set, replicasOf(set)] as const),
  );
  // What is not available serves nobody: it goes first, whatever the minimum.
  let gone = 0;
  for (const [set, size] of sizes) {
    const count = Math.min(spare - gone, size - availableOf(set));
    if (count <= 0) continue;
    sizes.set(set, size - count);
    gone += count;
  }
  let surplus = total(sets, availableOf) - minimum;
  for (const [set, size] of sizes) {
    const count = Math.min(surplus, size);
    if (count <= 0) continue;
    sizes.set(set, size - count);
    surplus -= count;
  }
  let isChanged = false;
  for (const [set, size] of sizes)
    if (size !== replicasOf(set)) isChanged = (await scale(rollout, set, size)) || isChanged;
  return isChanged;
}

/** One move of a recreation: every old pod goes before a new one comes. */
export async function recreate(rollout: Rollout, pods: Informer<Pod>): Promise<boolean> {
  const { settings, newSet, oldSets } = rollout;
  let isChanged = false;
  for (const set of activeSets(oldSets)) isChanged = (await scale(rollout, set, 0)) || isChanged;
  if (isChanged || oldPodsRun(rollout, pods)) return isChanged;
  return newSet ? scale(rollout, newSet, settings.replicas) : false;
}

/** True while a pod of an old template may still do something. */
export function oldPodsRun({ oldSets }: Pick<Rollout, 'oldSets'>, pods: Informer<Pod>): boolean {
  return oldSets.some((set) => pods.by('controller', metaOf(set).uid).some((pod) => !isFinished(pod)));
}
