/**
 * The one loop every controller uses: keys in, one step at a time, again until desired and actual agree.
 *
 * A *reconciler* is given a key, reads desired and actual state, makes one step and returns. It never relies on having seen an event;
 * events only wake it early. One key is never worked on twice at once. A throw is logged and the key comes again with backoff and jitter.
 */
export interface Reconciler {
  /** Name for logs and metrics, e.g. `ecs-services`. */
  readonly name: string;
  /** What wakes it: watched prefixes, and the keys that a change under each concerns. */
  readonly sources: readonly ReconcileSource[];
  /** What else wakes it: keys whose actual state changed outside the store. Called again when it ends or throws, so it begins with all it knows. */
  events?(signal: AbortSignal): AsyncIterable<string>;
  /** Keys worked on at once. Default 4. */
  readonly concurrency?: number;
  /** Every key is reconciled again this often even if nothing happens. Default 5 minutes. */
  readonly resyncMs?: number;
  /** One step. Returning `{ afterMs }` asks to be called again then, e.g. at a deadline. */
  reconcile(key: string, signal: AbortSignal): Promise<void | { readonly afterMs: number }>;
}

export interface ReconcileSource {
  readonly prefix: string;
  /** Keys to reconcile when the store's `key` changed. `value` is undefined when it was deleted; `previous` is what it was, if known. */
  keysOf(change: {
    readonly key: string;
    readonly value: Uint8Array | undefined;
    readonly previous: Uint8Array | undefined;
  }): readonly string[] | Promise<readonly string[]>;
}
