/** Bytes of values kept. */
const MAX_BYTES = 8 * 1024 * 1024;

interface RecentValue {
  readonly modRevision: number;
  readonly value: Uint8Array;
}

/** Values written lately, by key: what is written again soon, or read at once, need not be fetched from SQLite. The oldest go first. */
export class RecentValues {
  readonly #values = new Map<string, RecentValue>();
  #sizeBytes = 0;

  /** The value that `key` got at `modRevision`, if it is remembered. */
  get(key: string, modRevision: number): Uint8Array | undefined {
    const recent = this.#values.get(key);
    // Another revision: an older version is asked for, or the remembered one was rolled back.
    return recent?.modRevision === modRevision ? recent.value : undefined;
  }

  set(key: string, modRevision: number, value: Uint8Array): void {
    this.delete(key);
    if (value.length > MAX_BYTES / 8) return;
    this.#values.set(key, { modRevision, value });
    this.#sizeBytes += sizeOf(key, value);
    if (this.#sizeBytes > MAX_BYTES) this.#forgetOldest();
  }

  delete(key: string): void {
    const recent = this.#values.get(key);
    if (!recent) return;
    this.#values.delete(key);
    this.#sizeBytes -= sizeOf(key, recent.value);
  }

  /** Makes room for many more at once: to find the first of a map means to pass over all that was deleted before it. */
  #forgetOldest(): void {
    for (const oldest of this.#values.keys()) {
      if (this.#sizeBytes <= MAX_BYTES * 0.9) return;
      this.delete(oldest);
    }
  }
}

function sizeOf(key: string, value: Uint8Array): number {
  return key.length + value.length;
}
