import { posix } from 'node:path';
import { DabbaError, isDiskFull } from '#base';
import type { AttachOptions, Container, ContainerCreate, ContainerMount, ContainerState } from '../engine.ts';
import { ProcessAttachment } from './attachment.ts';
import type { HealthState } from './health.ts';
import { viewEndpoints } from './endpoints.ts';
import { ContainerFolder, type ContainerRecord, type RecordedMount, type StateRecord } from './record.ts';
import { RestartBackoff } from './restart.ts';
import type { Runtime } from './runtime.ts';
import { Turns } from './turns.ts';

/**
 * One container in memory: what its files say, who waits for it, and who is attached. It knows how to be read and recorded; what happens to
 * it is decided in `lifecycle.ts`.
 */
export class Instance {
  readonly id: string;
  readonly folder: ContainerFolder;
  /** Every change of the container takes its turn here. */
  readonly turns = new Turns();
  readonly backoff = new RestartBackoff();
  readonly #runtime: Runtime;
  readonly #listeners = new Set<() => void>();
  readonly #pendingAttachments = new Set<ProcessAttachment>();
  #record: ContainerRecord;
  #state: StateRecord;
  /** The process of a run that starts is made: it can be attached to. */
  #isMade = false;
  #exits = 0;
  #isRemoved = false;
  health: HealthState | undefined;
  /** Ends the pause before a restart. */
  restartPause: AbortController | undefined;
  /** Ends the health checks of the present run. */
  healthChecks: AbortController | undefined;
  /** Ends the rotation of the present run's log. */
  rotation: AbortController | undefined;
  /** What is left of the last run is being cleared away, behind the answers of those who waited for its end. */
  clearing: Promise<void> = Promise.resolve();

  constructor(runtime: Runtime, record: ContainerRecord, state: StateRecord) {
    this.id = record.id;
    this.folder = new ContainerFolder(runtime, record.id);
    this.#runtime = runtime;
    this.#record = record;
    this.#state = state;
  }

  get record(): ContainerRecord {
    return this.#record;
  }
  get state(): StateRecord {
    return this.#state;
  }
  get isRunning(): boolean {
    return this.#state.phase === 'running';
  }
  get isPaused(): boolean {
    return this.isRunning && this.#state.isPaused === true;
  }
  get isRemoved(): boolean {
    return this.#isRemoved;
  }
  get cgroupPath(): string {
    return posix.join('/', this.#record.create.cgroupParent ?? this.#runtime.cgroupParent, this.id);
  }

  /** Records the next state, on disk first, then tells those who wait. A full disk keeps it from starting, not from ending and going. */
  async advance(state: StateRecord): Promise<void> {
    try {
      await this.folder.writeState(state);
    } catch (error) {
      if (!isDiskFull(error) || state.phase === 'starting' || state.phase === 'running') throw error;
      // Started again, the engine finds a run that is over and ends it once more.
      this.#runtime.logger.warn('the disk is full: a state was not recorded', {
        containerId: this.id,
        phase: state.phase,
      });
    }
    this.#state = state;
    this.#isMade = false;
    this.changed();
  }

  async rename(name: string): Promise<void> {
    await this.#rewrite({ ...this.#record, name });
  }

  /** Records changed limits or another restart policy. */
  async recreate(create: ContainerCreate): Promise<void> {
    await this.#rewrite({ ...this.#record, create });
  }

  /** Records other networks. */
  async moveTo(endpoints: NonNullable<ContainerRecord['endpoints']>): Promise<void> {
    await this.#rewrite({ ...this.#record, endpoints });
  }

  async #rewrite(record: ContainerRecord): Promise<void> {
    await this.folder.writeConfig(record);
    this.#record = record;
  }

  /** Counts an end of its process and tells those who wait for the next. */
  ended(): void {
    this.#exits++;
    this.changed();
  }

  markRemoved(): void {
    this.#isRemoved = true;
    for (const attachment of this.#pendingAttachments) attachment.end();
    this.changed();
  }

  changed(): void {
    for (const listener of this.#listeners) listener();
  }

  /** Calls back after every change; returns what unsubscribes. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async wait(condition: 'not-running' | 'next-exit' | 'removed', signal: AbortSignal): Promise<{ exitCode: number }> {
    const exitsBefore = this.#exits;
    const isMet = () =>
      this.#isRemoved ||
      (condition === 'not-running' && ['created', 'exited'].includes(this.#state.phase)) ||
      (condition === 'next-exit' && this.#exits > exitsBefore);
    await this.until(isMet, signal);
    return { exitCode: this.#state.exitCode ?? 0 };
  }

  /** Resolves once `isMet` answers true after a change, or at once. Rejects when aborted. */
  async until(isMet: () => boolean, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (isMet()) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const unsubscribe = this.onChange(() => void (isMet() && resolve()));
    const onAbort = () => reject(signal?.reason as Error);
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      await promise;
    } finally {
      unsubscribe();
      signal?.removeEventListener('abort', onAbort);
    }
  }

  attach(options: AttachOptions): ProcessAttachment {
    if (this.#isRemoved) throw new DabbaError('NotFound', `No such container: ${this.id}`);
    const attachment = new ProcessAttachment(options, this.#runtime.openStreams);
    if (this.isRunning || this.#isMade) attachment.connect(this.folder.attachSocket);
    else this.#pendingAttachments.add(attachment);
    return attachment;
  }

  /** Connects those who attached before the start; called between the making of the process and its start. */
  connectAttachments(): void {
    this.#isMade = true;
    for (const attachment of this.#pendingAttachments) attachment.connect(this.folder.attachSocket);
    this.#pendingAttachments.clear();
  }

  endAttachments(): void {
    for (const attachment of this.#pendingAttachments) attachment.end();
    this.#pendingAttachments.clear();
  }

  /** The container as the port shows it. */
  view(): Container {
    const { id, name, create, imageId, process, createdAt, warnings } = this.#record;
    const { restartCount, address } = this.#state;
    const mounts = this.#record.mounts.map((mount) => this.#viewMount(mount));
    const files = { log: this.folder.log, ...this.folder.files };
    const made = { id, name, create, imageId, process, mounts, createdAt, warnings, files };
    const shown = { ...made, restartCount, state: this.#viewState(), ...this.#viewNetwork() };
    return address ? { ...shown, address } : shown;
  }

  #viewNetwork(): Pick<Container, 'endpoints' | 'exposedPorts' | 'publishedPorts'> {
    return {
      endpoints: viewEndpoints(this.#runtime, this.#record),
      exposedPorts: this.#record.exposedPorts ?? [],
      publishedPorts: this.#runtime.networks.ports(this.id),
    };
  }

  #viewMount(mount: RecordedMount): ContainerMount {
    return mount.kind === 'volume' ? { ...mount, source: this.#runtime.volumes.pathOf(mount.name) } : mount;
  }

  #viewState(): ContainerState {
    const { phase, process, exitCode, isOutOfMemory, error, startedAt, finishedAt, runs } = this.#state;
    const settled = phase === 'starting' ? (runs > 1 ? 'exited' : 'created') : phase;
    const status = this.isPaused ? 'paused' : settled;
    return {
      status,
      isOutOfMemory,
      ...(phase === 'running' && process && { pid: process.pid }),
      ...(exitCode !== undefined && { exitCode }),
      ...(error !== undefined && { error }),
      ...(startedAt !== undefined && { startedAt }),
      ...(finishedAt !== undefined && { finishedAt }),
      ...(this.health && phase === 'running' && { health: this.health }),
    };
  }

  /** Tells the world what happened, in Docker's words. */
  publish(action: string, attributes: { readonly [name: string]: string } = {}): void {
    const { name, create } = this.#record;
    this.#runtime.events.publish({
      type: 'container',
      action,
      id: this.id,
      attributes: { ...create.labels, image: create.image, name, ...attributes },
    });
  }
}
