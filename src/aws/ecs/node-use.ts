import { nodeRecords, type SandboxSpec } from '#node';
import { watchCache, type CacheChange, type WatchCache } from '#store';
import type { EcsCacheOptions } from './task-groups.ts';

/** What sandboxes take of a node. */
export interface Use {
  readonly cpuUnits: number;
  readonly memoryMiB: number;
}

const NOTHING: Use = { cpuUnits: 0, memoryMiB: 0 };

/** What is taken of each node, kept as sandboxes come and go. The cache is made when it is first asked. */
export class NodeUse {
  readonly #options: EcsCacheOptions;
  readonly #used = new Map<string, Use>();
  #opened: Promise<WatchCache<SandboxSpec>> | undefined;

  constructor(options: EcsCacheOptions) {
    this.#options = options;
  }

  /** What is taken of a node, in the store as it is now, or later. Holds until the next turn of the event loop. */
  async now(): Promise<(nodeId: string) => Use> {
    const { store, signal } = this.#options;
    const cache = await this.#cache();
    await cache.waitFor(await store.revision(), signal);
    return (nodeId) => this.#used.get(nodeId) ?? NOTHING;
  }

  #cache(): Promise<WatchCache<SandboxSpec>> {
    this.#opened ??= this.#open().catch((error: unknown) => {
      this.#opened = undefined;
      throw error;
    });
    return this.#opened;
  }

  async #open(): Promise<WatchCache<SandboxSpec>> {
    const { prefix } = nodeRecords(this.#options.store).specs;
    const cache = await watchCache<SandboxSpec>({ ...this.#options, prefix });
    this.#used.clear();
    for (const current of cache.list()) this.#note({ key: current.key, current, previous: undefined });
    cache.onChange((changes) => {
      for (const change of changes) this.#note(change);
    });
    return cache;
  }

  #note({ current, previous }: CacheChange<SandboxSpec>): void {
    if (previous) this.#add(previous.value, -1);
    if (current) this.#add(current.value, 1);
  }

  #add({ nodeId, cpuUnits = 0, memoryMiB = 0 }: SandboxSpec, times: 1 | -1): void {
    const before = this.#used.get(nodeId) ?? NOTHING;
    this.#used.set(nodeId, {
      cpuUnits: before.cpuUnits + times * cpuUnits,
      memoryMiB: before.memoryMiB + times * memoryMiB,
    });
  }
}
