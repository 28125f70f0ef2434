import type { Clock } from '#base';
import type { Store } from '#store';

/** Objects written within this time share a lease, so that there are few: what upstream's `lease_manager.go` does. */
const SHARED_MS = 60_000;

interface Shared {
  readonly leaseId: Promise<string>;
  readonly until: number;
}

/** Leases for objects that vanish by themselves; nobody keeps them alive. */
export class Lifetimes {
  readonly #store: Store;
  readonly #clock: Clock;
  /** By lifetime. */
  readonly #shared = new Map<number, Shared>();

  constructor(store: Store, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** A lease that lasts at least `lifetimeMs` from now, and at most a minute longer. */
  leaseFor(lifetimeMs: number): Promise<string> {
    const now = this.#clock.now();
    const known = this.#shared.get(lifetimeMs);
    if (known && now < known.until) return known.leaseId;
    const leaseId = this.#store.grantLease(lifetimeMs + SHARED_MS).then(({ id }) => id);
    this.#shared.set(lifetimeMs, { leaseId, until: now + SHARED_MS });
    // A failure is the caller's, and not kept.
    leaseId.catch(() => this.#shared.delete(lifetimeMs));
    return leaseId;
  }
}
