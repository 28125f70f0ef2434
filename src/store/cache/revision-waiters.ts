interface Waiter {
  readonly revision: number;
  readonly resolve: () => void;
}

/** Those who wait for a revision to be seen. */
export class RevisionWaiters {
  readonly #waiters = new Set<Waiter>();

  wait(revision: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const settle = (outcome: () => void) => {
      this.#waiters.delete(waiter);
      signal.removeEventListener('abort', onAbort);
      outcome();
    };
    const waiter: Waiter = { revision, resolve: () => settle(resolve) };
    const onAbort = () => settle(() => reject(signal.reason as Error));
    signal.addEventListener('abort', onAbort);
    this.#waiters.add(waiter);
    return promise;
  }

  reached(revision: number): void {
    for (const waiter of this.#waiters) if (waiter.revision <= revision) waiter.resolve();
  }
}
