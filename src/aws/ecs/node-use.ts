import { nodeRecords, type SandboxSpec } from '#node';
import type { CacheChange } from '#store';
import { followed, type EcsCacheOptions } from './followed.ts';

/** What sandboxes take of a node. */
export interface Use {
  readonly cpuUnits: number;
  readonly memoryMiB: number;
}

const NOTHING: Use = { cpuUnits: 0, memoryMiB: 0 };

/** What is taken of each node, kept as sandboxes come and go. */
export class NodeUse {
  readonly #used = new Map<string, Use>();
  readonly #upToDate: () => Promise<void>;

  constructor(options: EcsCacheOptions) {
    this.#upToDate = followed<SandboxSpec>(options, {
      prefix: nodeRecords(options.store).specs.prefix,
      clear: () => this.#used.clear(),
      note: (change) => this.#note(change),
    });
  }

  /** What is taken of a node, in the store as it is now, or later. Holds until the next turn of the event loop. */
  async now(): Promise<(nodeId: string) => Use> {
    await this.#upToDate();
    return (nodeId) => this.#used.get(nodeId) ?? NOTHING;
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
