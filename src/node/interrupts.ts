/** Ends start-ups that nobody wants any more: a pull of minutes must not keep a sandbox from being stopped. */
export class Interrupts {
  readonly #running = new Map<string, AbortController>();

  /** A signal for the work on `key`, aborted by `interrupt` or with `outer`. One at a time for each key. */
  begin(
    key: string,
    outer: AbortSignal,
  ): { readonly signal: AbortSignal; readonly isInterrupted: boolean } & Disposable {
    const controller = new AbortController();
    this.#running.set(key, controller);
    return {
      signal: AbortSignal.any([outer, controller.signal]),
      get isInterrupted() {
        return controller.signal.aborted;
      },
      [Symbol.dispose]: () => void this.#running.delete(key),
    };
  }

  interrupt(key: string): void {
    this.#running.get(key)?.abort();
  }
}
