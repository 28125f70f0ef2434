/**
 * Work on a pod that takes longer than a step: pulls, hooks, ends of containers. One of a name at a time. When it has settled, `onSettled` wakes the pod's worker, which
 * looks at what came of it.
 */
export class Tasks {
  readonly #running = new Map<string, { readonly done: Promise<void>; readonly ending: AbortController }>();
  readonly #onSettled: () => void;
  readonly #onFailure: (name: string, error: unknown) => void;
  readonly #signal: AbortSignal;

  /** Everything ends with `signal`. A throw that the work did not see to itself is told to `onFailure`. */
  constructor(options: {
    readonly signal: AbortSignal;
    readonly onSettled: () => void;
    readonly onFailure: (name: string, error: unknown) => void;
  }) {
    this.#signal = options.signal;
    this.#onSettled = options.onSettled;
    this.#onFailure = options.onFailure;
  }

  has(name: string): boolean {
    return this.#running.has(name);
  }

  /** Begins the work, unless it is under way. */
  begin(name: string, work: (signal: AbortSignal) => Promise<void>): void {
    if (this.#running.has(name) || this.#signal.aborted) return;
    const ending = new AbortController();
    const done = this.#run(name, work, AbortSignal.any([this.#signal, ending.signal]));
    this.#running.set(name, { done, ending });
  }

  /** Aborts those whose name starts with `prefix`. */
  abort(prefix: string): void {
    for (const [name, { ending }] of this.#running) if (name.startsWith(prefix)) ending.abort();
  }

  /** Resolves when none runs. */
  async idle(): Promise<void> {
    while (this.#running.size) await Promise.all(Array.from(this.#running.values(), ({ done }) => done));
  }

  async #run(name: string, work: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> {
    // Not within `begin`: the caller goes on before the work begins.
    await Promise.resolve();
    try {
      await work(signal);
    } catch (error) {
      if (!signal.aborted) this.#onFailure(name, error);
    } finally {
      this.#running.delete(name);
      if (!this.#signal.aborted) this.#onSettled();
    }
  }
}
