/** Pods with names that last: made in order, each with its own claims, replaced under the same name. Behaviour: kubernetes `pkg/controller/statefulset`. */
import { isDeepStrictEqual } from 'node:util';
import type { Informer } from '../../client/informer.ts';
import { keyOf } from '../../object.ts';
import { controllerRevisions, persistentVolumeClaims, pods, statefulSets } from '../../resources.ts';
import { labelSelectorOf } from '../../selector.ts';
import { isStatusError } from '../../status.ts';
import type { ControllerRevision, PersistentVolumeClaim, Pod, StatefulSet } from '../../types.ts';
import { type Controller, type ControllerParts, copyOf, type Step, wakes } from '../controller.ts';
import { forgetRevisions, type HistoryOwner, revisionsOf, updateRevision } from '../history/history.ts';
import { candidatesOf, ownedIn, podsIn } from '../indexes.ts';
import { isDeleting, metaOf } from '../meta.ts';
import { claim, keysOfController, keysOfAdopters } from '../ownership.ts';
import { untilAvailableMs } from '../pods.ts';
import { Ordinals } from './ordinals.ts';
import { revisionOf, statefulStatus } from './status.ts';

const NAME = 'statefulset-controller';

export function statefulSetController(parts: ControllerParts): Controller {
  const copy = parts.informers.of(statefulSets);
  const podCopy = podsIn(parts.informers);
  const claims = parts.informers.of(persistentVolumeClaims);
  const revisions = ownedIn(parts.informers, controllerRevisions);
  return {
    name: NAME,
    wokenBy: [
      wakes(copy, ({ now }) => (now ? [keyOf(now)] : [])),
      wakes(podCopy, (change) => [
        ...keysOfController(statefulSets, change),
        ...keysOfAdopters(copy, ({ spec }) => labelSelectorOf(spec?.selector), change),
      ]),
    ],
    reads: [
      copyOf(statefulSets, copy),
      copyOf(pods, podCopy),
      copyOf(persistentVolumeClaims, claims),
      copyOf(controllerRevisions, revisions),
    ],
    async reconcile(key, step) {
      const set = copy.get(key);
      return set && reconcile({ parts, step, set, podCopy, claims, revisions });
    },
  };
}

interface Input {
  readonly parts: ControllerParts;
  readonly step: Step;
  readonly set: StatefulSet;
  readonly podCopy: Informer<Pod>;
  readonly claims: Informer<PersistentVolumeClaim>;
  readonly revisions: Informer<ControllerRevision>;
}

async function reconcile(input: Input): Promise<void | { readonly afterMs: number }> {
  const { parts, step, set, podCopy, claims } = input;
  const selector = labelSelectorOf(set.spec?.selector);
  const candidates = candidatesOf(podCopy, set);
  const mine = await claim({ ...step, ownerType: statefulSets, owner: set, type: pods, selector, candidates });
  const collisions = set.status?.collisionCount ?? 0;
  const history: HistoryOwner = { type: statefulSets, owner: set, selector, template: set.spec!.template, collisions };
  const revisions = await revisionsOf(history, { informer: input.revisions, step });
  if (isDeleting(set)) return undefined;
  const update = await updateRevision(history, revisions, step);
  if (update === 'collision') {
    const status = { replicas: 0, ...set.status, collisionCount: collisions + 1 };
    await step.api.update(statefulSets, { ...set, status }, { subresource: 'status' });
    return undefined;
  }
  const current = revisions.find((revision) => metaOf(revision).name === set.status?.currentRevision) ?? update;
  const nowMs = parts.clock.now();
  // The status of what is there, before anything is moved: a failure below must not leave it stale.
  const status = statefulStatus({ set, pods: mine, current, update, nowMs });
  if (!isDeepStrictEqual(status, set.status))
    await step.api.update(statefulSets, { ...set, status }, { subresource: 'status' }).catch(unlessGone);
  await new Ordinals({ parts, step, set: { ...set, status }, pods: mine, claims, current, update }).advance();
  const used = new Set([metaOf(current).name, metaOf(update).name, ...mine.map(revisionOf)]);
  const limit = set.spec?.revisionHistoryLimit ?? 10;
  await forgetRevisions(revisions, { isUsed: (revision) => used.has(metaOf(revision).name), limit, step });
  const afterMs = untilAvailableMs(mine, set.spec?.minReadySeconds ?? 0, nowMs);
  return afterMs === undefined ? undefined : { afterMs };
}

function unlessGone(error: unknown): undefined {
  if (!isStatusError(error, 'NotFound')) throw error;
}
