/** Making room: which pods of lower priority must leave which node. Behaviour: kubernetes `scheduler/framework/preemption` and `plugins/defaultpreemption`. */
import type { Clock } from '#base';
import type { ApiClient } from '../client/client.ts';
import type { Informer, Informers } from '../client/informer.ts';
import { withCondition } from '../controllers/conditions.ts';
import { instantOf, isDeleting, metaOf, nameOf, timestampOf } from '../controllers/meta.ts';
import type { EventRecorder } from '../events.ts';
import { podDisruptionBudgets, pods } from '../resources.ts';
import { labelSelectorOf, matches } from '../selector.ts';
import { isStatusError } from '../status.ts';
import type { Pod, PodDisruptionBudget } from '../types.ts';
import { countReasons } from './messages.ts';
import type { NodeInfo } from './node-info.ts';
import type { Nominations } from './nominations.ts';
import { firstRefusal, move, type Outcome } from './pass.ts';
import type { PodInfo } from './pod-info.ts';

type Refused = Extract<Outcome, { kind: 'refused' }>;

interface Candidate {
  readonly node: NodeInfo;
  readonly victims: readonly PodInfo[];
  /** Victims whose budget allows no further disruption. */
  readonly violations: number;
}

export interface PreemptionPlan {
  /** The node that is being cleared. */
  readonly nodeName?: string;
  /** What is said of the attempt; absent when it succeeded. */
  readonly message?: string;
  /** Sends the victims away. */
  readonly evict?: () => Promise<void>;
}

/** Candidates that are enough to choose from: a tenth of the nodes, at least a hundred. */
function enoughOf(nodeCount: number): number {
  return Math.max(100, Math.floor(nodeCount / 10));
}

export class Preemption {
  readonly #client: ApiClient;
  readonly #clock: Clock;
  readonly #events: EventRecorder;
  readonly #nominations: Nominations;
  readonly #budgets: Informer<PodDisruptionBudget>;

  constructor(parts: {
    readonly client: ApiClient;
    readonly informers: Informers;
    readonly clock: Clock;
    readonly events: EventRecorder;
    readonly nominations: Nominations;
  }) {
    this.#client = parts.client;
    this.#clock = parts.clock;
    this.#events = parts.events;
    this.#nominations = parts.nominations;
    this.#budgets = parts.informers.of(podDisruptionBudgets);
  }

  synced(): Promise<void> {
    return this.#budgets.synced();
  }

  /** Decides who leaves for a pod that was refused. Nothing is changed before `evict`. */
  plan(pod: PodInfo, refused: Refused): PreemptionPlan {
    if (!refused.nodeCount) return {};
    const why = this.#whyNot(pod, refused);
    if (why) return { message: why };
    const { refusals, nodeCount } = refused;
    const helpless = refused.everywhere ? nodeCount : [...refusals.values()].filter(({ isFinal }) => isFinal).length;
    const candidates: Candidate[] = [];
    for (const [node, { isFinal }] of refusals) {
      if (isFinal || candidates.length >= enoughOf(nodeCount)) continue;
      const candidate = this.#candidate(pod, node, refused);
      if (candidate) candidates.push(candidate);
    }
    if (!candidates.length) {
      const reasons = [
        ...Array<string>(helpless).fill('Preemption is not helpful for scheduling'),
        ...Array<string>(nodeCount - helpless).fill('No preemption victims found for incoming pod'),
      ];
      return { message: `0/${nodeCount} nodes are available: ${countReasons(reasons)}.` };
    }
    const { node, victims } = candidates.reduce((best, next) => (compare(next, best) < 0 ? next : best));
    return { nodeName: node.name, evict: () => this.#evict(pod, node, victims) };
  }

  #whyNot({ pod, priority, uid }: PodInfo, { refusals }: Refused): string | undefined {
    if (pod.spec?.preemptionPolicy === 'Never') return 'not eligible due to preemptionPolicy=Never.';
    const nominated = this.#nominations.nodeOf(uid);
    const node = nominated && [...refusals.keys()].find(({ name }) => name === nominated);
    // Those it waits for are still on their way out.
    const isLeaving = (other: PodInfo) => other.priority < priority && isDeleting(other.pod);
    if (node && !refusals.get(node)!.isFinal && [...node.pods.values()].some(isLeaving))
      return 'not eligible due to terminating pod on the nominated node.';
    return undefined;
  }

  /** Who would have to leave the node: everyone of lower priority, less those that still fit beside the pod, the most important first. */
  #candidate(pod: PodInfo, node: NodeInfo, { filters }: Refused): Candidate | undefined {
    const lower = [...node.pods.values()].filter(({ priority }) => priority < pod.priority);
    if (!lower.length) return undefined;
    const promised = this.#nominations.before(pod, node.name);
    const fits = () => firstRefusal(node, filters) === undefined;
    move(lower, { node, filters, by: -1 });
    move(promised, { node, filters, by: 1 });
    try {
      if (!fits()) {
        move(lower, { node, filters, by: 1 });
        return undefined;
      }
      const isViolating = this.#violations(lower);
      const order = lower.toSorted((a, b) => Number(isViolating(b)) - Number(isViolating(a)) || byImportance(a, b));
      const victims: PodInfo[] = [];
      for (const other of order) {
        move([other], { node, filters, by: 1 });
        if (fits()) continue;
        move([other], { node, filters, by: -1 });
        victims.push(other);
      }
      move(victims, { node, filters, by: 1 });
      return { node, victims: victims.sort(byImportance), violations: victims.filter(isViolating).length };
    } finally {
      move(promised, { node, filters, by: -1 });
    }
  }

  /** Tells which of the pods their budgets do not spare, each budget counted down pod by pod. */
  #violations(victims: readonly PodInfo[]): (pod: PodInfo) => boolean {
    const left = new Map(
      this.#budgets.list().map((budget) => [budget, budget.status?.disruptionsAllowed ?? 0] as const),
    );
    const violating = new Set<PodInfo>();
    for (const info of victims.toSorted(byImportance))
      for (const [budget, allowed] of left) {
        if (budget.metadata?.namespace !== info.namespace) continue;
        const selector = labelSelectorOf(budget.spec?.selector);
        if (!selector.requirements.length || !matches(selector, info.pod.metadata?.labels)) continue;
        if (budget.status?.disruptedPods?.[metaOf(info.pod).name]) continue;
        left.set(budget, allowed - 1);
        if (allowed <= 0) violating.add(info);
      }
    return (info) => violating.has(info);
  }

  async #evict(pod: PodInfo, node: NodeInfo, victims: readonly PodInfo[]): Promise<void> {
    // Whoever was promised the place and is less important looks again.
    for (const behind of this.#nominations.behind(pod, node.name)) this.#nominations.delete(behind.uid);
    await Promise.all(victims.map((victim) => this.#dismiss(victim.pod, pod, node)));
  }

  async #dismiss(victim: Pod, { uid }: PodInfo, node: NodeInfo): Promise<void> {
    if (isDeleting(victim)) return;
    try {
      const condition = {
        type: 'DisruptionTarget',
        status: 'True',
        reason: 'PreemptionByScheduler',
        message: 'default-scheduler: preempting to accommodate a higher priority pod',
        lastTransitionTime: timestampOf(this.#clock),
      };
      const current = await this.#client.get(pods, nameOf(victim));
      if (metaOf(current).uid !== metaOf(victim).uid) return;
      const status = { ...current.status, conditions: withCondition(current.status?.conditions ?? [], condition) };
      await this.#client.update(pods, { ...current, status }, { subresource: 'status' });
      await this.#client.delete(pods, nameOf(victim), { preconditions: { uid: metaOf(victim).uid } });
    } catch (error) {
      if (!isStatusError(error, 'NotFound')) throw error;
    }
    const message = `Preempted by pod ${uid} on node ${node.name}`;
    this.#events.record(pods, victim, { type: 'Normal', reason: 'Preempted', message });
  }
}

/** The more important first: higher priority, then longer running. */
function byImportance(a: PodInfo, b: PodInfo): number {
  return b.priority - a.priority || startedAt(a) - startedAt(b);
}

function startedAt({ pod }: PodInfo): number {
  return instantOf(pod.status?.startTime ?? pod.metadata?.creationTimestamp);
}

/** The better candidate first: upstream's "pickOneNodeForPreemption", criterion by criterion. */
function compare(a: Candidate, b: Candidate): number {
  const criteria: readonly ((candidate: Candidate) => number)[] = [
    ({ violations }) => violations,
    ({ victims }) => victims[0]?.priority ?? Number.NEGATIVE_INFINITY,
    // Offset, so that many negative priorities are not better than one.
    ({ victims }) => victims.reduce((sum, { priority }) => sum + priority + 2 ** 31, 0),
    ({ victims }) => victims.length,
    ({ victims }) => -Math.min(...victims.filter(({ priority }) => priority === victims[0]!.priority).map(startedAt)),
  ];
  for (const criterion of criteria) {
    const [first, second] = [criterion(a), criterion(b)];
    if (first !== second) return first - second;
  }
  return 0;
}
