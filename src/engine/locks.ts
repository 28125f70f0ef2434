/** One holder at a time for each name; those who wait get it in the order in which they came. */
export class Locks {
  readonly #last = new Map<string, Promise<void>>();

  /** True while somebody holds the lock or waits for it. */
  isHeld(name: string): boolean {
    return this.#last.has(name);
  }

  /** Resolves when the lock is held; disposing the result lets it go. Gives up its place when aborted. */
  async hold(name: string, signal?: AbortSignal): Promise<Disposable> {
    const before = this.#last.get(name) ?? Promise.resolve();
    const { promise: released, resolve } = Promise.withResolvers<void>();
    const last = before.then(() => released);
    this.#last.set(name, last);
    const release = () => {
      resolve();
      if (this.#last.get(name) === last) this.#last.delete(name);
    };
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    const onAbort = () => reject(signal?.reason as Error); // whatever the caller gave
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      signal?.throwIfAborted();
      await Promise.race([before, aborted]);
    } catch (error) {
      release();
      throw error;
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
    return { [Symbol.dispose]: release };
  }
}
