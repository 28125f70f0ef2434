import { type Clock, type Digest, type Logger, messageOf } from '#base';
import { usedPercentOf } from '../disk-space.ts';
import type { ImageUsers } from './internals.ts';

/** When images are removed that nobody asked to be removed. */
export interface ImageLimits {
  /** How full the file system may be, in percent, before they are; and what they are removed down to. */
  readonly highPercent: number;
  readonly lowPercent: number;
  /** Younger ones stay: pulled, tagged, or made a container of so short a time ago. */
  readonly leastUnusedMs: number;
}

/** The kubelet's own (kubernetes.io, "Garbage collection": 85, 80), with the age the ECS agent leaves images alone for. */
export const defaultImageLimits: ImageLimits = { highPercent: 85, lowPercent: 80, leastUnusedMs: 3600_000 };

export interface KeepingParts {
  readonly directory: string;
  readonly limits: ImageLimits;
  readonly users: ImageUsers;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Images with the time each was last pulled or tagged. */
  list(): readonly { readonly id: Digest; readonly taggedAt: number }[];
  /** Removes an image with all its names. */
  remove(id: Digest): Promise<unknown>;
  /** True while somebody relies on what is here: nothing is freed then, so nothing is removed. */
  isHeld(): boolean;
  /** Frees now what was removed. */
  emptyTrash(): Promise<void>;
  /** How full the file system of a directory is. */
  readonly usedPercent?: (directory: string) => Promise<number>;
}

/** Keeps the disk from filling up with images: beyond a limit the least recently used go, of those no container is made from. */
export class ImageKeeping {
  readonly #parts: KeepingParts;
  readonly #usedAt = new Map<Digest, number>();
  #enforcing: Promise<void> = Promise.resolve();

  constructor(parts: KeepingParts) {
    this.#parts = parts;
  }

  /** A container is made from it. */
  use(id: Digest): void {
    this.#usedAt.set(id, this.#parts.clock.now());
  }

  /** To be called when something was added. One at a time; a failure is logged, the next call tries again. */
  enforce(): Promise<void> {
    this.#enforcing = this.#enforcing.then(() =>
      this.#enforce().catch((error: unknown) =>
        this.#parts.logger.warn('images not collected', { reason: messageOf(error) }),
      ),
    );
    return this.#enforcing;
  }

  /** Resolves when nothing is being removed. */
  async idle(): Promise<void> {
    await this.#enforcing;
  }

  async #enforce(): Promise<void> {
    const { directory, limits, users, clock, logger, usedPercent = usedPercentOf } = this.#parts;
    if ((await usedPercent(directory)) < limits.highPercent) return;
    const since = clock.now() - limits.leastUnusedMs;
    const due = this.#unusedSince(since).sort((left, right) => left.usedAt - right.usedAt);
    for (const { id, usedAt } of due) {
      if ((await users.containersOf(id)).length > 0) continue;
      if ((await usedPercent(directory)) < limits.lowPercent || this.#parts.isHeld()) return;
      // It may have been pulled, tagged or used while others were removed.
      if (!this.#unusedSince(since).some((image) => image.id === id)) continue;
      await this.#parts.remove(id);
      await this.#parts.emptyTrash();
      this.#usedAt.delete(id);
      logger.info('removed an unused image: the disk is nearly full', { imageId: id, usedAt });
    }
  }

  #unusedSince(time: number): { readonly id: Digest; readonly usedAt: number }[] {
    return this.#parts
      .list()
      .map(({ id, taggedAt }) => ({ id, usedAt: Math.max(taggedAt, this.#usedAt.get(id) ?? 0) }))
      .filter(({ usedAt }) => usedAt < time);
  }
}
