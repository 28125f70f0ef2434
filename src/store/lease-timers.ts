import { type Clock, isDabbaError } from '#base';

/** Longest single sleep; a timer of Node.js holds 31 bits of milliseconds. */
const MAX_SLEEP_MS = 2 ** 31 - 1;
/** Pause after an expiry that could not be written. */
const RETRY_MS = 1000;

interface Entry {
  readonly ttlMs: number;
  deadline: number;
}

/**
 * When leases expire. Deadlines live in memory alone: after a restart every lease starts its time anew, as an etcd leader's do, so that a
 * store that was away does not take the keys of those who could not reach it.
 */
export class LeaseTimers {
  readonly #clock: Clock;
  readonly #expire: (leaseId: string) => Promise<void>;
  readonly #leases = new Map<string, Entry>();
  readonly #closing = new AbortController();

  /** `expire` deletes the lease and its keys; it is called when the lease is no longer `has`. */
  constructor(clock: Clock, expire: (leaseId: string) => Promise<void>) {
    this.#clock = clock;
    this.#expire = expire;
  }

  has(leaseId: string): boolean {
    const lease = this.#leases.get(leaseId);
    return lease !== undefined && lease.deadline > this.#clock.now();
  }

  start(leaseId: string, ttlMs: number): void {
    const lease = { ttlMs, deadline: this.#clock.now() + ttlMs };
    this.#leases.set(leaseId, lease);
    void this.#run(leaseId, lease);
  }

  /** Starts the time anew; returns it, or undefined for a lease that is unknown or over. */
  restart(leaseId: string): number | undefined {
    const lease = this.#leases.get(leaseId);
    if (!lease || !this.has(leaseId)) return undefined;
    lease.deadline = this.#clock.now() + lease.ttlMs;
    return lease.ttlMs;
  }

  forget(leaseId: string): void {
    this.#leases.delete(leaseId);
  }

  close(): void {
    this.#leases.clear();
    this.#closing.abort();
  }

  async #run(leaseId: string, lease: Entry): Promise<void> {
    const isCurrent = () => this.#leases.get(leaseId) === lease;
    try {
      while (isCurrent()) {
        const leftMs = lease.deadline - this.#clock.now();
        if (leftMs > 0) await this.#sleep(Math.min(leftMs, MAX_SLEEP_MS));
        else await this.#end(leaseId);
      }
    } catch (error) {
      // The only way out of a sleep is `close`; whatever else is thrown here is a fault of ours and must not pass unseen.
      if (!this.#closing.signal.aborted) throw error;
    }
  }

  async #end(leaseId: string): Promise<void> {
    try {
      await this.#expire(leaseId);
      this.#leases.delete(leaseId);
    } catch (error) {
      if (!isDabbaError(error)) throw error;
      // The disk may be full or the store about to close. The lease stays over for everybody, and its keys go as soon as they can.
      await this.#sleep(RETRY_MS);
    }
  }

  #sleep(ms: number): Promise<void> {
    return this.#clock.sleep(ms, this.#closing.signal);
  }
}
