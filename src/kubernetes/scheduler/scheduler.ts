/**
 * Gives every pod a node: takes pods by priority and age, finds a node in one synchronous pass over the state, counts the pod there at once and tells the server behind its back.
 * Behaviour: kubernetes `pkg/scheduler`, with its default profile.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Clock, type Logger, messageOf, type Random } from '#base';
import type { ApiClient } from '../client/client.ts';
import type { Informer, Informers } from '../client/informer.ts';
import { conditionOf, withCondition } from '../controllers/conditions.ts';
import { podsIn } from '../controllers/indexes.ts';
import { isDeleting, metaOf, nameOf, timestampOf } from '../controllers/meta.ts';
import { isFinished } from '../controllers/pods.ts';
import type { EventRecorder } from '../events.ts';
import { namespaces, nodes, pods } from '../resources.ts';
import { isStatusError } from '../status.ts';
import type { Pod, PodStatus } from '../types.ts';
import { ClusterState } from './cluster-state.ts';
import { eventsOfNode, isSameToScheduling } from './changes.ts';
import { defaultSelectorOf } from './default-selector.ts';
import { refusalMessage } from './messages.ts';
import type { NodeInfo } from './node-info.ts';
import { Nominations } from './nominations.ts';
import { type Outcome, Passes } from './pass.ts';
import { pluginsOf } from './plugins/index.ts';
import { Preemption } from './preemption.ts';
import { type QueuedPod, SchedulingQueue } from './queue.ts';
import { VolumeBinder } from './volumes.ts';

export interface SchedulerParts {
  readonly client: ApiClient;
  readonly informers: Informers;
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

const NAME = 'default-scheduler';
/** Bindings under way at once. */
const BINDINGS = 64;
/** Passes may hold the thread this long before others get their turn. */
const TURN_MS = 5;

/** Schedules until the signal aborts; resolves when the last binding has been answered. */
export async function runScheduler(parts: SchedulerParts, signal: AbortSignal): Promise<void> {
  const scheduler = new Scheduler(parts, signal);
  await scheduler.run();
}

class Scheduler {
  readonly #parts: SchedulerParts;
  readonly #signal: AbortSignal;
  readonly #events: EventRecorder;
  readonly #pods: Informer<Pod>;
  readonly #state: ClusterState;
  readonly #nominations = new Nominations();
  readonly #queue: SchedulingQueue;
  readonly #passes: Passes;
  readonly #preemption: Preemption;
  readonly #volumes: VolumeBinder;
  readonly #bindings = new Set<Promise<void>>();
  #wake: () => void = () => undefined;

  constructor(parts: SchedulerParts, signal: AbortSignal) {
    const { informers, clock, random } = parts;
    this.#parts = parts;
    this.#signal = signal;
    this.#events = parts.events.as(NAME);
    this.#pods = podsIn(informers);
    const spaces = informers.of(namespaces);
    this.#state = new ClusterState((name) => spaces.get(name)?.metadata?.labels);
    this.#volumes = new VolumeBinder(parts);
    const plugins = pluginsOf({ defaultSelector: defaultSelectorOf(informers), volumes: this.#volumes.plugins });
    this.#queue = new SchedulingQueue({ clock, signal, plugins, onReady: () => this.#wake() });
    const fraction = () => random.fraction();
    this.#passes = new Passes({ state: this.#state, plugins, nominations: this.#nominations, fraction });
    this.#preemption = new Preemption({ ...parts, events: this.#events, nominations: this.#nominations });
  }

  async run(): Promise<void> {
    const { informers } = this.#parts;
    const nodeCopy = informers.of(nodes);
    const ended = new Promise<void>((resolve) =>
      this.#signal.addEventListener('abort', () => resolve(), { once: true }),
    );
    const spaces = informers.of(namespaces);
    const synced = [
      nodeCopy.synced(),
      this.#pods.synced(),
      spaces.synced(),
      this.#volumes.synced(),
      this.#preemption.synced(),
    ];
    await Promise.race([Promise.all(synced), ended]);
    if (this.#signal.aborted) return;
    const stops = [
      nodeCopy.onChange((change) => {
        if (change.now) this.#state.setNode(change.now);
        else this.#state.removeNode(change.before!.metadata!.name!);
        for (const event of eventsOfNode(change)) this.#queue.wake(event);
      }),
      this.#pods.onChange((change) => this.#onPod(change)),
      spaces.onChange(() => this.#queue.wake('namespaces')),
      this.#volumes.onChange(() => this.#queue.wake('claims')),
    ];
    this.#signal.addEventListener('abort', () => this.#wake(), { once: true });
    await this.#loop();
    for (const stop of stops) stop();
    await Promise.all(this.#bindings);
  }

  #onPod({ now, before }: { readonly now: Pod | undefined; readonly before: Pod | undefined }): void {
    const { uid } = metaOf((now ?? before)!);
    // A pod of the same name that took the place of another, unseen.
    if (now && before && metaOf(before).uid !== uid) this.#onPod({ now: undefined, before });
    if (!now || isFinished(now)) {
      const wasOnNode = this.#state.isKnown(uid);
      this.#queue.delete(uid);
      this.#nominations.delete(uid);
      this.#state.removePod(uid);
      if (wasOnNode) this.#queue.wake('pod-removed');
    } else if (now.spec?.nodeName) {
      const wasOnNode = before?.spec?.nodeName !== undefined;
      this.#queue.delete(uid);
      this.#nominations.delete(uid);
      this.#state.setPod(now);
      if (!wasOnNode) this.#queue.wake('pod-added');
      else if (!isSameToScheduling(before, now)) this.#queue.wake('pod-labels');
    } else this.#onWaiting(now, before);
  }

  #onWaiting(now: Pod, before: Pod | undefined): void {
    const { uid } = metaOf(now);
    if ((now.spec?.schedulerName ?? NAME) !== NAME || isDeleting(now)) {
      this.#queue.delete(uid);
      this.#nominations.delete(uid);
      return;
    }
    if (now.spec?.schedulingGates?.length) {
      this.#queue.delete(uid);
      const message = 'Scheduling is blocked due to non-empty scheduling gates';
      if (!conditionOf(now.status?.conditions, 'PodScheduled'))
        this.#background(this.#tell(now, { reason: 'SchedulingGated', message }));
      return;
    }
    // Its binding is under way.
    if (this.#state.isKnown(uid)) return;
    const info = this.#state.infoOf(now);
    if (now.status?.nominatedNodeName && !before) this.#nominations.set(info, now.status.nominatedNodeName);
    if (before && this.#queue.has(uid) && isSameToScheduling(before, now)) this.#queue.refresh(info);
    else this.#queue.add(info);
  }

  async #loop(): Promise<void> {
    while (!this.#signal.aborted) {
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      const until = performance.now() + TURN_MS;
      while (this.#bindings.size < BINDINGS && performance.now() < until) {
        const pod = this.#queue.take();
        if (!pod) break;
        this.#schedule(pod);
      }
      if (this.#queue.isReady && this.#bindings.size < BINDINGS) await nextTurn();
      else await woken;
    }
  }

  #schedule(queued: QueuedPod): void {
    const outcome = this.#passes.find(queued.info);
    if (outcome.kind === 'fits') {
      this.#state.assume(queued.info, outcome.node);
      this.#background(this.#bind(queued, outcome.node));
    } else this.#background(this.#refuse(queued, outcome));
  }

  /** Keeps hold of what goes on behind the passes; its failures are its own matter. */
  #background(work: Promise<void>): void {
    const binding = work
      .catch((error: unknown) => this.#parts.logger.warn('scheduling failed', { error: messageOf(error) }))
      .finally(() => {
        this.#bindings.delete(binding);
        this.#wake();
      });
    this.#bindings.add(binding);
  }

  async #bind(queued: QueuedPod, { name: nodeName }: NodeInfo): Promise<void> {
    const { pod, uid } = queued.info;
    const { name, namespace } = metaOf(pod);
    const release = this.#volumes.reserve(pod, nodeName);
    try {
      await this.#volumes.bind(pod, nodeName, this.#signal);
      const binding = {
        apiVersion: 'v1',
        kind: 'Binding',
        metadata: { name, namespace, uid } as Pod['metadata'],
        target: { kind: 'Node', name: nodeName },
      };
      await this.#parts.client.post(pods, nameOf(pod), 'binding', binding as object);
      this.#nominations.delete(uid);
      const message = `Successfully assigned ${namespace}/${name} to ${nodeName}`;
      this.#events.record(pods, pod, { type: 'Normal', reason: 'Scheduled', message });
    } catch (error) {
      this.#state.forget(uid);
      if (this.#signal.aborted || isStatusError(error, 'NotFound')) return;
      this.#events.record(pods, pod, { type: 'Warning', reason: 'FailedScheduling', message: messageOf(error) });
      const current = this.#pods.get(queued.info.key);
      // Somebody else gave it a node, or it is not the same any more.
      if (!current || metaOf(current).uid !== uid || current.spec?.nodeName) return;
      queued.info = this.#state.infoOf(current);
      this.#queue.retry(queued);
    } finally {
      release();
    }
  }

  async #refuse(queued: QueuedPod, outcome: Extract<Outcome, { kind: 'refused' }>): Promise<void> {
    const { pod } = queued.info;
    const preempted = this.#preemption.plan(queued.info, outcome);
    this.#queue.refuse(queued, outcome.refusedBy);
    if (preempted.nodeName) this.#nominations.set(queued.info, preempted.nodeName);
    const message = refusalMessage(outcome, preempted.message);
    this.#events.record(pods, pod, { type: 'Warning', reason: 'FailedScheduling', message });
    await this.#tell(pod, {
      reason: 'Unschedulable',
      message,
      ...(preempted.nodeName && { nominatedNodeName: preempted.nodeName }),
    });
    await preempted.evict?.();
  }

  /** Notes on the pod why it has no node. */
  async #tell(
    pod: Pod,
    { nominatedNodeName, ...why }: { reason: string; message: string; nominatedNodeName?: string },
  ): Promise<void> {
    const current = this.#pods.get(`${pod.metadata!.namespace}/${pod.metadata!.name}`);
    if (!current || metaOf(current).uid !== metaOf(pod).uid) return;
    const { conditions = [] } = current.status ?? {};
    const old = conditionOf(conditions, 'PodScheduled');
    const isNominated = nominatedNodeName === undefined || nominatedNodeName === current.status?.nominatedNodeName;
    if (old?.status === 'False' && old.reason === why.reason && old.message === why.message && isNominated) return;
    const condition = {
      type: 'PodScheduled',
      status: 'False',
      ...why,
      lastTransitionTime: timestampOf(this.#parts.clock),
    };
    const status: PodStatus = {
      ...current.status,
      ...(nominatedNodeName !== undefined && { nominatedNodeName }),
      conditions: withCondition(conditions, condition),
    };
    await this.#parts.client.update(pods, { ...current, status }, { subresource: 'status' }).catch((error: unknown) => {
      // It is told again when it is tried again.
      if (!isStatusError(error, 'Conflict', 'NotFound')) throw error;
    });
  }
}
