import { reservedMemoryBytes } from './status.ts';
import type { MachineScarcity, Threshold } from './facts.ts';

/** How much there is of what a node can run out of, and how much there should be. */
export interface Scarcity extends MachineScarcity {
  readonly memory: Threshold;
}

/** What a node's conditions say is scarce. */
export interface Pressures {
  readonly memory: boolean;
  readonly disk: boolean;
  readonly pids: boolean;
}

/** For so long a condition is told after it was last seen, lest pods come and go with it: the kubelet's `evictionPressureTransitionPeriod`. */
const HELD_MS = 300_000;

/** The kubelet's `memory.available<100Mi`. */
export function memoryThreshold(capacityBytes: number, workingSetBytes: number): Threshold {
  return { available: Math.max(0, capacityBytes - workingSetBytes), least: reservedMemoryBytes };
}

export function isMet({ available, least }: Threshold): boolean {
  return available < least;
}

/** Remembers what was scarce lately. */
export class PressureMemory {
  readonly #seenAt = new Map<keyof Pressures, number>();

  observe({ memory, disk, inodes, pids }: Scarcity, now: number): void {
    if (isMet(memory)) this.#seenAt.set('memory', now);
    if (isMet(disk) || isMet(inodes)) this.#seenAt.set('disk', now);
    if (isMet(pids)) this.#seenAt.set('pids', now);
  }

  at(now: number): Pressures {
    const isHeld = (what: keyof Pressures) => now - (this.#seenAt.get(what) ?? -Infinity) < HELD_MS;
    return { memory: isHeld('memory'), disk: isHeld('disk'), pids: isHeld('pids') };
  }
}
