/** Rolls a template out by way of replica sets. Behaviour: kubernetes `pkg/controller/deployment`. */
import { isDeepStrictEqual } from 'node:util';
import type { Informer } from '../../client/informer.ts';
import { keyOf } from '../../object.ts';
import { deployments, replicaSets } from '../../resources.ts';
import { labelSelectorOf } from '../../selector.ts';
import type { Deployment, Pod, ReplicaSet } from '../../types.ts';
import { conditionOf } from '../conditions.ts';
import { type Controller, type ControllerParts, copyOf, type Step, wakes } from '../controller.ts';
import { candidatesOf, ownedIn, podsIn } from '../indexes.ts';
import { changed, byAge, isDeleting, metaOf, nameOf } from '../meta.ts';
import { claim, controllerOf, keysOfController, keysOfAdopters } from '../ownership.ts';
import { annotated, createNewSet, findNewSet, REVISION, revisionOf, tell } from './revisions.ts';
import { newSetSize, oldPodsRun, recreate, roll } from './rolling.ts';
import { allSetsOf, type Rollout } from './rollout.ts';
import { followSize, isSizeChanged } from './scaling.ts';
import { replicasOf, settingsOf, total } from './settings.ts';
import {
  conditionAt,
  countedStatus,
  deadlineIn,
  type DeploymentStatus,
  isComplete,
  rolloutStatus,
  setCondition,
} from './status.ts';

export function deploymentController(parts: ControllerParts): Controller {
  const copy = parts.informers.of(deployments);
  const sets = ownedIn(parts.informers, replicaSets);
  const pods = podsIn(parts.informers);
  const ownerOf = (pod: Pod) => {
    const owner = controllerOf(pod);
    return owner?.kind === 'ReplicaSet' ? sets.get(`${pod.metadata!.namespace}/${owner.name}`) : undefined;
  };
  return {
    name: 'deployment-controller',
    wokenBy: [
      wakes(copy, ({ now }) => (now ? [keyOf(now)] : [])),
      wakes(sets, (change) => [
        ...keysOfController(deployments, change),
        ...keysOfAdopters(copy, ({ spec }) => labelSelectorOf(spec?.selector), change),
      ]),
      // A recreation waits for the last old pod to be gone; the counts come by way of the replica sets.
      wakes(pods, ({ now, before }) => {
        const owner = now || !before ? undefined : ownerOf(before);
        return owner ? keysOfController(deployments, { now: owner, before: undefined }) : [];
      }),
    ],
    reads: [copyOf(deployments, copy), copyOf(replicaSets, sets)],
    concurrency: 5,
    async reconcile(key, step) {
      const deployment = copy.get(key);
      return deployment && reconcile({ parts, step, deployment, sets, pods });
    },
  };
}

interface Input {
  readonly parts: ControllerParts;
  readonly step: Step;
  readonly deployment: Deployment;
  readonly sets: Informer<ReplicaSet>;
  readonly pods: Informer<Pod>;
}

async function reconcile(input: Input): Promise<void | { readonly afterMs: number }> {
  const { parts, step, deployment, pods } = input;
  const settings = settingsOf(deployment);
  if (!settings.selector.requirements.length) {
    tell(
      parts,
      deployment,
      'Warning',
      'SelectingAll',
      'This deployment is selecting all pods. A non-empty selector is required.',
    );
    return writeStatus(step, deployment, {
      ...deployment.status,
      observedGeneration: deployment.metadata!.generation!,
    });
  }
  const candidates = candidatesOf(input.sets, deployment);
  const mine = await claim({
    ...step,
    ownerType: deployments,
    owner: deployment,
    type: replicaSets,
    selector: settings.selector,
    candidates,
  });
  const newSet = findNewSet(deployment, mine);
  const oldSets = mine.filter((set) => set !== newSet).toSorted(byAge);
  const rollout: Rollout = { parts, step, deployment, settings, newSet, oldSets };
  if (isDeleting(deployment)) return writeStatus(step, deployment, countedStatus(rollout));
  if (await notePause(rollout)) return undefined;
  if (await noteRevision(rollout)) return undefined;
  if (settings.isPaused || isSizeChanged(rollout)) {
    await followSize(rollout);
    if (settings.isPaused) await forgetOldSets(rollout);
    return writeStatus(step, deployment, countedStatus(rollout));
  }
  if (!newSet && !(settings.isRecreate && (total(oldSets) > 0 || oldPodsRun(rollout, pods))))
    return startNewSet(rollout);
  const isMoved = settings.isRecreate ? await recreate(rollout, pods) : await roll(rollout);
  const status = rolloutStatus(rollout);
  if (!isMoved && isComplete(deployment, status)) await forgetOldSets(rollout);
  await writeStatus(step, deployment, status);
  const leftMs = deadlineIn({ ...deployment, status }, settings.progressDeadlineSeconds, parts.clock.now())!;
  return Number.isFinite(leftMs) && leftMs > 0 ? { afterMs: leftMs + 1000 } : undefined;
}

async function writeStatus({ api }: Step, deployment: Deployment, status: DeploymentStatus): Promise<void> {
  if (isDeepStrictEqual(status, deployment.status ?? {})) return;
  await api.update(deployments, { ...deployment, status }, { subresource: 'status' });
}

/** Tells that a deployment was paused or goes on; returns whether it did. */
async function notePause({ parts, step, deployment, settings }: Rollout): Promise<boolean> {
  if (settings.progressDeadlineSeconds === undefined) return false;
  const conditions = deployment.status?.conditions ?? [];
  const progressing = conditionOf(conditions, 'Progressing');
  if (progressing?.reason === 'ProgressDeadlineExceeded') return false;
  const isTold = progressing?.reason === 'DeploymentPaused';
  if (isTold === settings.isPaused) return false;
  const condition = conditionAt(parts.clock.now(), {
    type: 'Progressing',
    status: 'Unknown',
    reason: settings.isPaused ? 'DeploymentPaused' : 'DeploymentResumed',
    message: `Deployment is ${settings.isPaused ? 'paused' : 'resumed'}`,
  });
  await writeStatus(step, deployment, { ...deployment.status, conditions: setCondition(conditions, condition) });
  return true;
}

/** Numbers the new set, and the deployment after it; returns whether anything was written. */
async function noteRevision(rollout: Rollout): Promise<boolean> {
  const { parts, step, deployment, settings, newSet, oldSets } = rollout;
  if (!newSet) return false;
  const next = annotated(deployment, newSet, oldSets);
  if (next) {
    await step.api.update(replicaSets, next);
    return true;
  }
  if (revisionOf(deployment) !== revisionOf(newSet)) {
    const annotations = { [REVISION]: newSet.metadata!.annotations![REVISION] };
    await step.api.update(deployments, changed(deployment, { metadata: { annotations } }));
    return true;
  }
  const conditions = deployment.status?.conditions ?? [];
  if (settings.progressDeadlineSeconds === undefined || conditionOf(conditions, 'Progressing')) return false;
  const condition = conditionAt(parts.clock.now(), {
    type: 'Progressing',
    status: 'True',
    reason: 'FoundNewReplicaSet',
    message: `Found new replica set "${metaOf(newSet).name}"`,
  });
  await writeStatus(step, deployment, { ...deployment.status, conditions: setCondition(conditions, condition) });
  return true;
}

async function startNewSet(rollout: Rollout): Promise<void> {
  const { parts, step, deployment, settings, oldSets } = rollout;
  const replicas = newSetSize(settings, 0, total(allSetsOf(rollout)));
  const made = await createNewSet({ deployment, settings, oldSets, replicas, step });
  const { status = {} } = deployment;
  if (made === 'collision')
    return writeStatus(step, deployment, { ...status, collisionCount: (status.collisionCount ?? 0) + 1 });
  const { name } = metaOf(made);
  if (replicas > 0)
    tell(
      parts,
      deployment,
      'Normal',
      'ScalingReplicaSet',
      `Scaled up replica set ${name} from 0 to ${replicasOf(made)}`,
    );
  if (settings.progressDeadlineSeconds === undefined) return undefined;
  const condition = conditionAt(parts.clock.now(), {
    type: 'Progressing',
    status: 'True',
    reason: 'NewReplicaSetCreated',
    message: `Created new replica set "${name}"`,
  });
  return writeStatus(step, deployment, { ...status, conditions: setCondition(status.conditions ?? [], condition) });
}

/** Deletes the oldest of the sets that nothing uses, beyond what history keeps. */
async function forgetOldSets({ step, settings, oldSets }: Rollout): Promise<void> {
  const sets = oldSets.filter((set) => !isDeleting(set)).toSorted((a, b) => revisionOf(a) - revisionOf(b));
  for (const set of sets.slice(0, Math.max(0, sets.length - settings.revisionHistoryLimit))) {
    const { status, metadata } = set;
    const isUsed = (status?.replicas ?? 0) !== 0 || replicasOf(set) !== 0;
    if (!isUsed && metadata!.generation! <= (status?.observedGeneration ?? 0))
      await step.api.delete(replicaSets, nameOf(set));
  }
}
