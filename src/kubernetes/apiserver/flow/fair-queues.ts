/**
 * The queues of one priority level: requests wait in one of them, chosen by whose they are, and are let in by turns, so that a flow that asks for much waits behind itself.
 *
 * Each flow is dealt a few of the queues by its hash (shuffle sharding), so that two flows seldom share all of theirs, and a request joins the emptiest. Queues have a virtual
 * time, which moves on by the work that was let in from them, in seats times milliseconds; the queue that is furthest behind goes next (start-time fair queueing).
 *
 * Source: KEP-1040, "Queuing" and "Fair Queuing for Server Requests"; Kubernetes documentation, "API Priority and Fairness".
 */
import { createHash } from 'node:crypto';
import type { Clock } from '#base';

export interface Limits {
  /** Seats that are the level's own. */
  readonly seats: number;
  /** Undefined: what finds no seat is refused. */
  readonly queuing?:
    | { readonly queues: number; readonly handSize: number; readonly queueLengthLimit: number }
    | undefined;
}

export interface Asked {
  /** Whose request it is: requests of one flow wait for one another. */
  readonly flow: string;
  readonly seats: number;
  readonly signal: AbortSignal;
}

/** Leaves the seats to others. Idempotent. */
export type Leave = () => void;

/** Why a request was not let in. */
export type Refusal = 'queue-full' | 'concurrency-limit' | 'time-out' | 'cancelled';

/** What a request is thought to take until it is over. */
const EXPECTED_MS = 3;
const LEAST_MS = 1;
/** How long a request may wait: a quarter of upstream's `--request-timeout`. */
const LONGEST_WAIT_MS = 15_000;

/** Whoever takes longer, a client that reads or sends slowly, does it without seats: upstream's `--request-timeout`. */
const LONGEST_RUN_MS = 60_000;

interface Running {
  readonly startedAt: number;
  readonly leave: Leave;
}

interface Waiting {
  readonly seats: number;
  readonly enter: (leave: Leave) => void;
}

interface Queue {
  readonly waiting: Set<Waiting>;
  executing: number;
  /** How far it has come. */
  virtual: number;
}

export interface Surroundings {
  readonly clock: Clock;
  /** Seats that other levels can spare now, beyond this level's own. */
  readonly borrowable: () => number;
  /** Called when seats have become free. */
  readonly onLeave: () => void;
}

export class FairQueues {
  readonly #around: Surroundings;
  #limits: Limits;
  /** By number, those that a flow was dealt: there may be many more. */
  #queues = new Map<number, Queue>();
  readonly #busy = new Set<Queue>();
  /** The virtual time of what was let in last: where a queue begins that was idle. */
  #virtual = 0;
  #inUse = 0;
  /** The oldest first. */
  readonly #running = new Set<Running>();

  constructor(limits: Limits, around: Surroundings) {
    this.#around = around;
    this.#limits = limits;
    this.configure(limits);
  }

  get inUse(): number {
    return this.#inUse;
  }

  get seats(): number {
    return this.#limits.seats;
  }

  get waiting(): number {
    return [...this.#busy].reduce((count, queue) => count + queue.waiting.size, 0);
  }

  /** What waits stays where it is, and goes in its turn. */
  configure(limits: Limits): void {
    if (limits.queuing?.queues !== this.#limits.queuing?.queues) this.#queues = new Map();
    this.#limits = limits;
    this.dispatch();
  }

  /** Resolves when the request may go on, with what ends it; or with why it may not. */
  async enter(asked: Asked): Promise<Leave | Refusal> {
    const { queuing, seats: all } = this.#limits;
    // A request that is wider than the level would wait for ever.
    const seats = Math.max(1, Math.min(asked.seats, all));
    if (!this.#hasRoom(seats)) this.#reclaim();
    if (!queuing) return this.#hasRoom(seats) ? this.#begin(seats, undefined) : 'concurrency-limit';
    const queue = this.#queueOf(asked.flow, queuing);
    // What was idle begins where the others are.
    if (!queue.waiting.size && !queue.executing) queue.virtual = this.#virtual;
    if (!this.#busy.size && this.#hasRoom(seats)) return this.#begin(seats, queue);
    if (queue.waiting.size >= queuing.queueLengthLimit) return 'queue-full';
    return this.#wait(queue, seats, asked.signal);
  }

  /** Lets in who waits, while there are seats. */
  dispatch(): void {
    for (let queue = this.#next(); queue; queue = this.#next()) {
      const [first] = queue.waiting;
      if (!this.#hasRoom(first!.seats)) return;
      this.#remove(queue, first!);
      first!.enter(this.#begin(first!.seats, queue));
    }
  }

  async #wait(queue: Queue, seats: number, signal: AbortSignal): Promise<Leave | Refusal> {
    const { promise, resolve } = Promise.withResolvers<Leave>();
    const waiting = { seats, enter: resolve };
    queue.waiting.add(waiting);
    this.#busy.add(queue);
    this.dispatch();
    const settled = new AbortController();
    // A timer: nothing announces that others take too long.
    const late = this.#around.clock.sleep(LONGEST_WAIT_MS, AbortSignal.any([signal, settled.signal])).then(
      () => 'time-out' as const,
      () => 'cancelled' as const,
    );
    const outcome = await Promise.race([promise, late]);
    settled.abort();
    if (typeof outcome === 'function') return outcome;
    // It may have been let in at the very moment.
    if (!queue.waiting.has(waiting)) (await promise)();
    else {
      this.#remove(queue, waiting);
      // It may have been too wide for the seats that there are, where who waits behind it is not.
      this.dispatch();
    }
    return outcome;
  }

  #reclaim(): void {
    const now = this.#around.clock.now();
    for (const { startedAt, leave } of this.#running) {
      if (now - startedAt < LONGEST_RUN_MS) return;
      leave();
    }
  }

  #remove(queue: Queue, waiting: Waiting): void {
    queue.waiting.delete(waiting);
    if (!queue.waiting.size) this.#busy.delete(queue);
  }

  #hasRoom(seats: number): boolean {
    const free = this.#limits.seats - this.#inUse;
    // What is in use beyond the level's own was borrowed already, and is counted there.
    return seats <= Math.max(0, free) + this.#around.borrowable();
  }

  #next(): Queue | undefined {
    let next: Queue | undefined;
    for (const queue of this.#busy) if (!next || queue.virtual < next.virtual) next = queue;
    return next;
  }

  #begin(seats: number, queue: Queue | undefined): Leave {
    const { clock, onLeave } = this.#around;
    const startedAt = clock.now();
    this.#inUse += seats;
    if (queue) {
      this.#virtual = Math.max(queue.virtual, this.#virtual);
      queue.virtual += seats * EXPECTED_MS;
      queue.executing += 1;
    }
    const leave = () => {
      if (!this.#running.delete(running)) return;
      this.#inUse -= seats;
      if (queue) {
        // What it took more or less than was thought; nothing is free.
        queue.virtual += seats * (Math.max(LEAST_MS, clock.now() - startedAt) - EXPECTED_MS);
        queue.executing -= 1;
      }
      this.dispatch();
      onLeave();
    };
    const running = { startedAt, leave };
    this.#running.add(running);
    return leave;
  }

  /** The emptiest of the queues that the flow is dealt. */
  #queueOf(flow: string, queuing: Deck): Queue {
    const hand = deal(flow, queuing).map((index) => {
      const queue = this.#queues.get(index) ?? { waiting: new Set(), executing: 0, virtual: 0 };
      this.#queues.set(index, queue);
      return queue;
    });
    return hand.reduce((best, queue) => (queue.waiting.size < best.waiting.size ? queue : best));
  }
}

interface Deck {
  readonly queues: number;
  readonly handSize: number;
}

/** The queues of a flow: always the same ones, all different, each as likely as another. Upstream: `util/shufflesharding`, "Deal". */
export function deal(flow: string, { queues, handSize }: Deck): readonly number[] {
  let rest = createHash('sha256').update(flow).digest().readBigUInt64BE();
  const hand: number[] = [];
  for (let left = queues; hand.length < Math.min(handSize, queues); left -= 1) {
    // A number among those that are left becomes one among all: it goes past each lower one that is dealt.
    let card = Number(rest % BigInt(left));
    for (const dealt of hand.toSorted((a, b) => a - b)) if (card >= dealt) card += 1;
    rest /= BigInt(left);
    hand.push(card);
  }
  return hand;
}
