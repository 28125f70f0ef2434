import { isDeepStrictEqual } from 'node:util';
import type { Collection, Versioned } from '#store';
import type { ContainerStatus, SandboxStatus } from './sandbox.ts';

const phases: readonly SandboxStatus['phase'][] = [
  'preparing',
  'pulling',
  'starting',
  'running',
  'stopping',
  'stopped',
];

/**
 * A sandbox's status on its way to the store. Changes are visible here at once and written behind the caller's back, several in one when they
 * come faster than the store takes them: work does not wait for its own report. `flush` tells whether all was written.
 */
export class StatusWriter {
  readonly #statuses: Collection<SandboxStatus>;
  readonly #key: string;
  #current: SandboxStatus;
  #written: Versioned<SandboxStatus> | undefined;
  #writing: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;

  /** `written` is what the store has; `initial` is where a new status begins. */
  constructor(
    statuses: Collection<SandboxStatus>,
    key: string,
    { written, initial }: { readonly written: Versioned<SandboxStatus> | undefined; readonly initial: SandboxStatus },
  ) {
    this.#statuses = statuses;
    this.#key = key;
    this.#written = written;
    this.#current = written?.value ?? initial;
  }

  get current(): SandboxStatus {
    return this.#current;
  }

  container(name: string): ContainerStatus {
    const found = this.#current.containers.find((container) => container.name === name);
    if (!found) throw new Error(`sandbox ${this.#key} has no container "${name}"`);
    return found;
  }

  /** Phases only move forward: an earlier one is left out of the change. */
  update(change: Partial<SandboxStatus>): void {
    const { phase, ...rest } = change;
    const isForward = phase !== undefined && phases.indexOf(phase) > phases.indexOf(this.#current.phase);
    this.#set({ ...this.#current, ...rest, ...(isForward && { phase }) });
  }

  updateContainer(name: string, change: Partial<ContainerStatus>): void {
    const containers = this.#current.containers.map((container) =>
      container.name === name ? { ...container, ...change } : container,
    );
    this.#set({ ...this.#current, containers });
  }

  /** Resolves when the store has the current status; throws what kept it from being written. */
  async flush(): Promise<void> {
    while (this.#writing) await this.#writing;
    if (this.#failure) throw this.#failure.error;
  }

  #set(next: SandboxStatus): void {
    this.#current = next;
    this.#writing ??= this.#write();
  }

  async #write(): Promise<void> {
    // After the caller's step, so that changes made in one go are written in one.
    await Promise.resolve();
    try {
      while (!this.#failure && !isDeepStrictEqual(this.#written?.value, this.#current)) {
        const next = this.#current;
        this.#written = this.#written
          ? await this.#statuses.replace(this.#written, next)
          : await this.#statuses.create(this.#key, next);
      }
    } catch (error) {
      this.#failure = { error };
    } finally {
      this.#writing = undefined;
    }
  }
}
