import type { Clock } from '#base';
import type { ClusterEvent, Plugin } from './plugin.ts';
import type { PodInfo } from './pod-info.ts';

/** A pod that waits for a node. */
export interface QueuedPod {
  info: PodInfo;
  attempts: number;
  /** Where in its priority's line. */
  readonly addedAt: number;
}

const FIRST_BACKOFF_MS = 1000;
const LONGEST_BACKOFF_MS = 10_000;
/** Whatever no event told of: a refused pod is tried again after this long. */
const LONGEST_REFUSAL_MS = 5 * 60_000;

interface Refused {
  readonly pod: QueuedPod;
  readonly at: number;
}

interface Paused {
  readonly pod: QueuedPod;
  readonly until: number;
}

/**
 * Pods in the order in which they are tried: by priority, then by age. A pod that was refused waits until something happens that concerns a plugin which refused it, then for
 * the rest of its backoff. Behaviour: kubernetes `pkg/scheduler/backend/queue`.
 */
export class SchedulingQueue {
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #onReady: () => void;
  readonly #wokenBy: ReadonlyMap<string, ReadonlySet<ClusterEvent>>;
  /** Waiting for their turn, by priority; the priorities highest first. */
  readonly #active = new Map<number, Map<string, QueuedPod>>();
  #priorities: number[] = [];
  readonly #paused = new Map<string, Paused>();
  /** By the plugins that refused them, so that an event asks once for all that are alike. */
  readonly #refused = new Map<
    string,
    { readonly events: ReadonlySet<ClusterEvent>; readonly pods: Map<string, Refused> }
  >();
  #timer: { readonly at: number; readonly cancel: AbortController } | undefined;

  constructor(options: {
    readonly clock: Clock;
    readonly signal: AbortSignal;
    readonly plugins: readonly Plugin[];
    /** Called when a pod's turn has come. */
    readonly onReady: () => void;
  }) {
    this.#clock = options.clock;
    this.#signal = options.signal;
    this.#onReady = options.onReady;
    this.#wokenBy = new Map(options.plugins.map(({ name, wokenBy }) => [name, new Set(wokenBy)]));
  }

  /** Takes in a pod, new or changed so that it may fit now. */
  add(info: PodInfo): void {
    const known = this.#find(info.uid);
    this.delete(info.uid);
    this.#activate(known ? { ...known, info } : { info, attempts: 0, addedAt: this.#clock.now() });
  }

  /** Takes in a change that makes no difference to whether it fits. */
  refresh(info: PodInfo): void {
    const known = this.#find(info.uid);
    if (known) known.info = info;
    else this.add(info);
  }

  has(uid: string): boolean {
    return this.#find(uid) !== undefined;
  }

  delete(uid: string): void {
    for (const pods of this.#active.values()) pods.delete(uid);
    this.#paused.delete(uid);
    for (const { pods } of this.#refused.values()) pods.delete(uid);
  }

  /** The next pod to try, out of the queue from now on. */
  take(): QueuedPod | undefined {
    for (const priority of this.#priorities) {
      const pods = this.#active.get(priority)!;
      for (const [uid, pod] of pods) {
        pods.delete(uid);
        pod.attempts++;
        return pod;
      }
    }
    return undefined;
  }

  /** Puts back what found no node: it waits for an event that concerns one of the plugins. Where there was no node to refuse it, any event will do. */
  refuse(pod: QueuedPod, refusedBy: Iterable<string>): void {
    const names = [...refusedBy].sort();
    const key = names.join();
    let group = this.#refused.get(key);
    if (!group) {
      const concerned = names.length ? names : [...this.#wokenBy.keys()];
      const events = new Set(concerned.flatMap((name) => [...(this.#wokenBy.get(name) ?? [])]));
      this.#refused.set(key, (group = { events, pods: new Map() }));
    }
    group.pods.set(pod.info.uid, { pod, at: this.#clock.now() });
    this.#plan(this.#clock.now() + LONGEST_REFUSAL_MS);
  }

  /** True if there is a pod whose turn has come. */
  get isReady(): boolean {
    for (const pods of this.#active.values()) if (pods.size) return true;
    return false;
  }

  /** Puts back what failed for a reason that is not the pod's: tried again after its backoff. */
  retry(pod: QueuedPod): void {
    this.#pause(pod, this.#clock.now());
  }

  /** Something happened: pods that it may concern come again. */
  wake(event: ClusterEvent): void {
    for (const { events, pods } of this.#refused.values())
      if (events.has(event))
        for (const [uid, { pod, at }] of pods) {
          pods.delete(uid);
          this.#pause(pod, at);
        }
  }

  #find(uid: string): QueuedPod | undefined {
    for (const pods of this.#active.values()) if (pods.has(uid)) return pods.get(uid);
    for (const { pods } of this.#refused.values()) if (pods.has(uid)) return pods.get(uid)!.pod;
    return this.#paused.get(uid)?.pod;
  }

  #activate(pod: QueuedPod): void {
    const { priority, uid } = pod.info;
    let pods = this.#active.get(priority);
    if (!pods) {
      this.#active.set(priority, (pods = new Map()));
      this.#priorities = [...this.#active.keys()].sort((a, b) => b - a);
    }
    pods.set(uid, pod);
    this.#onReady();
  }

  #pause(pod: QueuedPod, since: number): void {
    const until = since + Math.min(FIRST_BACKOFF_MS * 2 ** Math.max(0, pod.attempts - 1), LONGEST_BACKOFF_MS);
    if (until <= this.#clock.now()) return this.#activate(pod);
    this.#paused.set(pod.info.uid, { pod, until });
    this.#plan(until);
  }

  /** One timer, for whichever pod comes next: nothing else announces the end of a pause. */
  #plan(at: number): void {
    if (this.#timer && this.#timer.at <= at) return;
    this.#timer?.cancel.abort();
    const timer = { at, cancel: new AbortController() };
    this.#timer = timer;
    this.#clock.sleep(Math.max(0, at - this.#clock.now()), AbortSignal.any([this.#signal, timer.cancel.signal])).then(
      () => this.#timer === timer && this.#due(),
      // Another timer took its place, or the end.
      () => undefined,
    );
  }

  #due(): void {
    const now = this.#clock.now();
    this.#timer = undefined;
    let next = Number.POSITIVE_INFINITY;
    for (const [uid, { pod, until }] of this.#paused)
      if (until > now) next = Math.min(next, until);
      else {
        this.#paused.delete(uid);
        this.#activate(pod);
      }
    for (const { pods } of this.#refused.values())
      for (const [uid, { pod, at }] of pods)
        if (at + LONGEST_REFUSAL_MS > now) next = Math.min(next, at + LONGEST_REFUSAL_MS);
        else {
          pods.delete(uid);
          this.#activate(pod);
        }
    if (Number.isFinite(next)) this.#plan(next);
  }
}
