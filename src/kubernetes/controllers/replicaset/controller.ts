/** Keeps the wanted number of pods of one template. Behaviour: kubernetes `pkg/controller/replicaset`; replication controllers are the same thing under their old name. */
import { isDeepStrictEqual } from 'node:util';
import { messageOf } from '#base';
import type { Informer } from '../../client/informer.ts';
import { type KubernetesObject, keyOf, type ResourceType } from '../../object.ts';
import { pods, replicaSets, replicationControllers } from '../../resources.ts';
import { labelSelectorOf, labelSelectorOfMap, matches, type LabelSelector } from '../../selector.ts';
import type { Pod, ReplicaSet, ReplicationController } from '../../types.ts';
import { slowStart } from '../batches.ts';
import { type Controller, type ControllerParts, copyOf, type Step, wakes } from '../controller.ts';
import { candidatesOf, ownedIn, podsIn } from '../indexes.ts';
import { isDeleting, metaOf } from '../meta.ts';
import { createPod, deletePod, type Tell } from '../pod-control.ts';
import { claim, controllerOf, keysOfController, keysOfAdopters } from '../ownership.ts';
import { isActive, podOf, untilAvailableMs } from '../pods.ts';
import { podsToDelete } from './ranking.ts';
import { replicaStatus, type ReplicaStatusInput } from './status.ts';

/** Pods made or deleted in one step at most. */
const BURST = 500;

/** What differs between the two kinds that keep a number of pods. */
interface Flavour<T extends KubernetesObject> {
  readonly name: string;
  readonly type: ResourceType<T>;
  readonly selectorOf: (set: T) => LabelSelector;
  /** The object in a replica set's shape. */
  readonly asReplicaSet: (set: T) => ReplicaSet;
}

export function replicaSetController(parts: ControllerParts): Controller {
  return replicaController(parts, {
    name: 'replicaset-controller',
    type: replicaSets,
    selectorOf: ({ spec }) => labelSelectorOf(spec?.selector),
    asReplicaSet: (set) => set,
  });
}

export function replicationController(parts: ControllerParts): Controller {
  return replicaController<ReplicationController>(parts, {
    name: 'replication-controller',
    type: replicationControllers,
    selectorOf: ({ spec }) => labelSelectorOfMap(spec?.selector),
    asReplicaSet: ({ spec, ...set }) => ({
      ...set,
      spec: { ...spec, selector: { matchLabels: spec?.selector ?? {} } },
    }),
  });
}

function replicaController<T extends KubernetesObject>(parts: ControllerParts, flavour: Flavour<T>): Controller {
  const sets = ownedIn(parts.informers, flavour.type);
  const podCopy = podsIn(parts.informers);
  const replicas = new Replicas(parts, flavour, podCopy);
  return {
    name: flavour.name,
    wokenBy: [
      wakes(sets, ({ now }) => (now ? [keyOf(now)] : [])),
      wakes(podCopy, (change) => [
        ...keysOfController(flavour.type, change),
        ...keysOfAdopters(sets, flavour.selectorOf, change),
      ]),
    ],
    reads: [copyOf(flavour.type, sets), copyOf(pods, podCopy)],
    concurrency: 5,
    async reconcile(key, step) {
      const set = sets.get(key);
      return set && replicas.reconcile(set, step);
    },
  };
}

class Replicas<T extends KubernetesObject> {
  readonly #parts: ControllerParts;
  readonly #flavour: Flavour<T>;
  readonly #pods: Informer<Pod>;

  constructor(parts: ControllerParts, flavour: Flavour<T>, podCopy: Informer<Pod>) {
    this.#parts = parts;
    this.#flavour = flavour;
    this.#pods = podCopy;
  }

  async reconcile(owner: T, step: Step): Promise<void | { readonly afterMs: number }> {
    const { type, selectorOf, asReplicaSet } = this.#flavour;
    const set = asReplicaSet(owner);
    const candidates = candidatesOf(this.#pods, owner).filter(isActive);
    const mine = await claim({ ...step, ownerType: type, owner, type: pods, selector: selectorOf(owner), candidates });
    const failure = isDeleting(owner) ? undefined : await this.#scale(set, mine, step);
    const status = replicaStatus({ set, pods: mine, failure, clock: this.#parts.clock });
    if (!isDeepStrictEqual(status, set.status))
      await step.api.update(type, { ...owner, status }, { subresource: 'status' });
    if (failure) throw failure.error;
    const afterMs = untilAvailableMs(mine, set.spec?.minReadySeconds ?? 0, this.#parts.clock.now());
    return afterMs === undefined ? undefined : { afterMs };
  }

  async #scale(
    set: ReplicaSet,
    mine: readonly Pod[],
    step: Step,
  ): Promise<(ReplicaStatusInput['failure'] & { readonly error: unknown }) | undefined> {
    const missing = (set.spec?.replicas ?? 1) - mine.length;
    const count = Math.min(Math.abs(missing), BURST);
    if (count === 0) return undefined;
    if (missing > 0) {
      const { error } = await slowStart(count, () => this.#create(set, step));
      return error === undefined ? undefined : { reason: 'FailedCreate', message: messageOf(error), error };
    }
    const surplus = podsToDelete(mine, this.#related(set), count, this.#parts.clock.now());
    const results = await Promise.allSettled(surplus.map((pod) => deletePod(step.api, pod, this.#tellOf(set))));
    const failed = results.find((result) => result.status === 'rejected');
    return failed && { reason: 'FailedDelete', message: messageOf(failed.reason), error: failed.reason };
  }

  async #create(set: ReplicaSet, { api }: Step): Promise<void> {
    const pod = podOf(set.spec!.template!, this.#flavour.type, set);
    const generateName = `${metaOf(set).name}-`;
    await createPod(api, { ...pod, metadata: { ...pod.metadata, generateName } }, this.#tellOf(set));
  }

  /** Active pods of all sets that the same deployment owns. */
  #related(set: ReplicaSet): readonly Pod[] {
    const owner = controllerOf(set);
    const selector = labelSelectorOf(set.spec?.selector);
    const hashless = { requirements: selector.requirements?.filter(({ key }) => key !== 'pod-template-hash') ?? [] };
    if (!owner || !hashless.requirements.length) return this.#pods.by('controller', metaOf(set).uid).filter(isActive);
    return this.#pods
      .list(set.metadata!.namespace)
      .filter((pod) => isActive(pod) && matches(hashless, pod.metadata?.labels));
  }

  #tellOf(set: ReplicaSet): Tell {
    return (type, reason, message) =>
      this.#parts.events.as(this.#flavour.name).record(this.#flavour.type, set, { type, reason, message });
  }
}
