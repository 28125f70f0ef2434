/** One pod on every node that will have it. Behaviour: kubernetes `pkg/controller/daemon`. */
import { isDeepStrictEqual } from 'node:util';
import type { Informer } from '../../client/informer.ts';
import { keyOf } from '../../object.ts';
import { controllerRevisions, daemonSets, nodes, pods } from '../../resources.ts';
import { labelSelectorOf } from '../../selector.ts';
import type { ControllerRevision, DaemonSet, Node, Pod } from '../../types.ts';
import { slowStart } from '../batches.ts';
import { type Change, type Controller, type ControllerParts, copyOf, type Step, wakes } from '../controller.ts';
import { forgetRevisions, type HistoryOwner, REVISION_HASH, revisionsOf, updateRevision } from '../history/history.ts';
import { candidatesOf, ownedIn, podsIn } from '../indexes.ts';
import { byAge, isDeleting, metaOf } from '../meta.ts';
import { claim, keysOfController, keysOfAdopters } from '../ownership.ts';
import { createPod, deletePod, type Tell } from '../pod-control.ts';
import { isFinished, isReady, podOf, untilAvailableMs } from '../pods.ts';
import { placements, specFor, targetOf } from './placement.ts';
import { rollingMoves } from './rolling.ts';
import { daemonStatus, isUpdated } from './status.ts';

const NAME = 'daemonset-controller';
const GENERATION = 'pod-template-generation';
/** Pods made or deleted in one step at most. */
const BURST = 250;
/** A failed daemon is replaced after this long; doubled with each failure in a row. */
const FIRST_BACKOFF_MS = 1000;
const LONGEST_BACKOFF_MS = 15 * 60_000;

export function daemonSetController(parts: ControllerParts): Controller {
  const copy = parts.informers.of(daemonSets);
  const podCopy = podsIn(parts.informers);
  const nodeCopy = parts.informers.of(nodes);
  const revisions = ownedIn(parts.informers, controllerRevisions);
  const failures = new Failures();
  return {
    name: NAME,
    wokenBy: [
      wakes(copy, ({ now }) => (now ? [keyOf(now)] : [])),
      wakes(podCopy, (change) => [
        ...keysOfController(daemonSets, change),
        ...keysOfAdopters(copy, ({ spec }) => labelSelectorOf(spec?.selector), change),
      ]),
      wakes(nodeCopy, (change) => (isOfConsequence(change) ? copy.list().map(keyOf) : [])),
    ],
    reads: [copyOf(daemonSets, copy), copyOf(pods, podCopy), copyOf(controllerRevisions, revisions)],
    concurrency: 2,
    async reconcile(key, step) {
      const set = copy.get(key);
      if (!set) failures.forget(key);
      return set && new DaemonStep({ parts, step, set, podCopy, nodeCopy, revisions, failures }).run();
    },
  };
}

/** Heartbeats of nodes move nothing. */
function isOfConsequence({ now, before }: Change<Node>): boolean {
  if (!now || !before) return true;
  return !isDeepStrictEqual(now.spec, before.spec) || !isDeepStrictEqual(now.metadata?.labels, before.metadata?.labels);
}

/** How often in a row a set's daemon has failed on a node, and until when it is left alone. */
class Failures {
  readonly #bySet = new Map<string, Map<string, { readonly count: number; readonly until: number }>>();

  /** Notes a failure; returns how long to wait, zero if it may be replaced now. */
  waitMs(set: string, nodeName: string, nowMs: number): number {
    const nodes = this.#bySet.get(set) ?? new Map<string, { count: number; until: number }>();
    this.#bySet.set(set, nodes);
    const known = nodes.get(nodeName);
    if (known && known.until > nowMs) return known.until - nowMs;
    // Long enough without a failure: it begins anew.
    const count = known && nowMs - known.until < 2 * LONGEST_BACKOFF_MS ? known.count + 1 : 0;
    const pauseMs = Math.min(FIRST_BACKOFF_MS * 2 ** count, LONGEST_BACKOFF_MS);
    nodes.set(nodeName, { count, until: nowMs + pauseMs });
    return 0;
  }

  forget(set: string): void {
    this.#bySet.delete(set);
  }
}

interface Input {
  readonly parts: ControllerParts;
  readonly step: Step;
  readonly set: DaemonSet;
  readonly podCopy: Informer<Pod>;
  readonly nodeCopy: Informer<Node>;
  readonly revisions: Informer<ControllerRevision>;
  readonly failures: Failures;
}

class DaemonStep {
  readonly #input: Input;

  constructor(input: Input) {
    this.#input = input;
  }

  async run(): Promise<void | { readonly afterMs: number }> {
    const { parts, step, set, podCopy, nodeCopy } = this.#input;
    const selector = labelSelectorOf(set.spec?.selector);
    if (!selector.requirements.length) {
      this.#tell('Warning', 'SelectingAll', 'This daemon set is selecting all pods. A non-empty selector is required.');
      return undefined;
    }
    const candidates = candidatesOf(podCopy, set);
    const mine = await claim({ ...step, ownerType: daemonSets, owner: set, type: pods, selector, candidates });
    const collisions = set.status?.collisionCount ?? 0;
    const history: HistoryOwner = { type: daemonSets, owner: set, selector, template: set.spec!.template, collisions };
    const revisions = await revisionsOf(history, { informer: this.#input.revisions, step });
    if (isDeleting(set)) return undefined;
    const update = await updateRevision(history, revisions, step);
    if (update === 'collision')
      return this.#writeStatus({ ...emptyStatus, ...set.status, collisionCount: collisions + 1 });
    const hash = metaOf(update).labels![REVISION_HASH]!;
    const podsOn = Map.groupBy(mine, (pod) => targetOf(pod) ?? '');
    const allNodes = nodeCopy.list();
    const placementOf = placements(set);
    const nowMs = parts.clock.now();
    const waitMs = await this.#manage({ podsOn, allNodes, placementOf, hash });
    await this.#writeStatus(daemonStatus({ set, nodes: allNodes, placementOf, podsOn, hash, nowMs }));
    const used = new Set(mine.map(({ metadata }) => metadata?.labels?.[REVISION_HASH]));
    await forgetRevisions(revisions, {
      isUsed: (revision) => revision === update || used.has(metaOf(revision).labels?.[REVISION_HASH]),
      limit: set.spec?.revisionHistoryLimit ?? 10,
      step,
    });
    const waits = [waitMs, untilAvailableMs(mine, set.spec?.minReadySeconds ?? 0, nowMs)].filter(
      (ms) => ms !== undefined,
    );
    return waits.length ? { afterMs: Math.min(...waits) } : undefined;
  }

  /** Starts and stops daemons; returns how long until a failed one may be replaced. */
  async #manage({
    podsOn,
    allNodes,
    placementOf,
    hash,
  }: {
    readonly podsOn: ReadonlyMap<string, readonly Pod[]>;
    readonly allNodes: readonly Node[];
    readonly placementOf: ReturnType<typeof placements>;
    readonly hash: string;
  }): Promise<number | undefined> {
    const { set, parts } = this.#input;
    const nowMs = parts.clock.now();
    const toCreate: string[] = [];
    const toDelete: Pod[] = [];
    const desired: string[] = [];
    const waits: number[] = [];
    for (const node of allNodes) {
      const { name } = metaOf(node);
      const { shouldRun, mayStay } = placementOf(node);
      const here = podsOn.get(name) ?? [];
      if (!shouldRun) {
        if (!mayStay) toDelete.push(...here.filter((pod) => !isDeleting(pod)));
        continue;
      }
      desired.push(name);
      const ended = here.filter((pod) => isFinished(pod) && !isDeleting(pod));
      for (const pod of ended) {
        const waitMs = this.#input.failures.waitMs(keyOf(set), name, nowMs);
        if (waitMs > 0) waits.push(waitMs);
        else toDelete.push(this.#tellEnded(pod, name));
      }
      const live = here.filter((pod) => !isFinished(pod));
      if (!live.length && !ended.length) toCreate.push(name);
      toDelete.push(...surplusOf(live, hash));
    }
    // Pods that wait for a node which is gone would wait for ever.
    const known = new Set(allNodes.map((node) => metaOf(node).name));
    for (const [name, there] of podsOn)
      if (!known.has(name)) toDelete.push(...there.filter((pod) => !isDeleting(pod) && !pod.spec?.nodeName));
    const { toDelete: old, toSurge } = rollingMoves({ set, desired, podsOn, hash, nowMs });
    toDelete.push(...old.filter((pod) => !toDelete.includes(pod)));
    toCreate.push(...toSurge);
    await Promise.all(toDelete.slice(0, BURST).map((pod) => deletePod(this.#input.step.api, pod, this.#tell)));
    const { error } = await slowStart(Math.min(toCreate.length, BURST), (index) =>
      this.#create(toCreate[index]!, hash),
    );
    if (error !== undefined) throw error;
    return waits.length ? Math.min(...waits) : undefined;
  }

  #tellEnded(pod: Pod, nodeName: string): Pod {
    const { namespace, name } = metaOf(pod);
    const isFailed = pod.status?.phase === 'Failed';
    this.#tell(
      isFailed ? 'Warning' : 'Normal',
      isFailed ? 'FailedDaemonPod' : 'SucceededDaemonPod',
      `Found ${isFailed ? 'failed' : 'succeeded'} daemon pod ${namespace}/${name} on node ${nodeName}, will try to ${isFailed ? 'kill' : 'delete'} it`,
    );
    return pod;
  }

  async #create(nodeName: string, hash: string): Promise<void> {
    const { set, step } = this.#input;
    const { name, generation } = metaOf(set);
    const pod = podOf(set.spec!.template, daemonSets, set);
    const labels = { ...pod.metadata?.labels, [REVISION_HASH]: hash, [GENERATION]: String(generation ?? 1) };
    const made = {
      metadata: { ...pod.metadata, labels, generateName: `${name}-` },
      spec: specFor(pod.spec!, nodeName),
    };
    await createPod(step.api, made, this.#tell);
  }

  async #writeStatus(status: NonNullable<DaemonSet['status']>): Promise<void> {
    const { set, step } = this.#input;
    if (isDeepStrictEqual(status, set.status)) return;
    await step.api.update(daemonSets, { ...set, status }, { subresource: 'status' });
  }

  readonly #tell: Tell = (type, reason, message) => {
    const { parts, set } = this.#input;
    parts.events.as(NAME).record(daemonSets, set, { type, reason, message });
  };
}

const emptyStatus = { currentNumberScheduled: 0, desiredNumberScheduled: 0, numberMisscheduled: 0, numberReady: 0 };

/** Of several daemons of one template on one node the oldest stays, one that is ready before one that is not. */
function surplusOf(pods: readonly Pod[], hash: string): readonly Pod[] {
  const surplus = (list: readonly Pod[]) =>
    list
      .toSorted((a, b) => Number(isReady(b)) - Number(isReady(a)) || byAge(a, b))
      .slice(1)
      .filter((pod) => !isDeleting(pod));
  const live = pods.filter((pod) => !isDeleting(pod));
  return [
    ...surplus(live.filter((pod) => isUpdated(pod, hash))),
    ...surplus(live.filter((pod) => !isUpdated(pod, hash))),
  ];
}
