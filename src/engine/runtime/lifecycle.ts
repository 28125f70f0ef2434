import { DabbaError, messageOf } from '#base';
import { isProcessAlive, processEnded, reap, signalProcess, type ProcessIdentity } from '#kernel';
import type { ContainerCreate, ContainerUpdate, StopOptions } from '../engine.ts';
import { HealthMonitor } from './health.ts';
import type { Instance } from './instance.ts';
import { clear, launch, readExit, release, wasCutOff, type RunEnd } from './launch.ts';
import { rotateLog } from './log-rotation.ts';
import type { Runtime } from './runtime.ts';
import { restarts } from './restart.ts';
import { signalNumber } from './signals.ts';
import type { OciResources } from './spec/oci.ts';
import { cgroupLimits, joinResources } from './spec/resources.ts';
import { startFailure } from './start-failure.ts';

const defaultStopTimeoutMs = 10_000;
/** Exit code of a run whose monitor died without writing one, as containerd reports an unknown exit. */
const unknownExitCode = 255;
const [killSignal] = [9] as const;

/** The other containers. */
export interface Neighbours {
  onRemoved(instance: Instance): void;
  /** Throws `NotFound`. */
  find(idOrName: string): Instance;
  /** It runs: those that name it in their files are told its address. */
  onStarted(instance: Instance): void;
}

/** What happens to containers: started, ended, brought back, removed. Each change is one turn of its container, recorded before it is made. */
export class Lifecycle {
  readonly #runtime: Runtime;
  readonly #health: HealthMonitor;
  readonly #neighbours: Neighbours;
  readonly #closing = new AbortController();
  /** Work that nobody awaits but us: watching ends, pauses, clearing away. */
  readonly #tasks = new Set<Promise<void>>();
  #isClosed = false;

  constructor(runtime: Runtime, health: HealthMonitor, neighbours: Neighbours) {
    this.#runtime = runtime;
    this.#health = health;
    this.#neighbours = neighbours;
  }

  start(instance: Instance): Promise<void> {
    return instance.turns.run(async () => {
      this.#assertOpen();
      if (instance.isRemoved || instance.state.phase === 'removing')
        throw new DabbaError('Conflict', `container ${instance.id} is marked for removal and cannot be started`);
      instance.restartPause?.abort();
      if (instance.isPaused) throw new DabbaError('Conflict', 'cannot start a paused container, try unpause instead');
      if (instance.isRunning) return;
      await this.#begin(instance, 0);
    });
  }

  async stop(instance: Instance, options: StopOptions = {}): Promise<void> {
    const { record } = instance;
    const signal = signalNumber(options.signal ?? record.stopSignal);
    const isStopping = await instance.turns.run(async () => {
      instance.restartPause?.abort();
      if (instance.state.phase === 'restarting') {
        await instance.advance({ ...instance.state, phase: 'exited', isStoppedByHand: true });
        return false;
      }
      if (!instance.isRunning) return false;
      await instance.advance({ ...instance.state, isStoppedByHand: true });
      return true;
    });
    if (!isStopping) return;
    const timeoutMs = options.timeoutMs ?? record.create.stopTimeoutMs ?? defaultStopTimeoutMs;
    await this.#end(instance, signal, timeoutMs, options.letGo);
    instance.publish('stop');
  }

  async kill(instance: Instance, signalText: string): Promise<void> {
    const signal = signalNumber(signalText);
    await instance.turns.run(async () => {
      if (!instance.isRunning) throw notRunning('kill', instance);
      // As in Docker, a signal that is meant to end it keeps the restart policy from bringing it back.
      if (signal === killSignal || signal === signalNumber(instance.record.stopSignal))
        await instance.advance({ ...instance.state, isStoppedByHand: true });
      await this.#signal(instance, signal);
    });
  }

  pause(instance: Instance): Promise<void> {
    return instance.turns.run(async () => {
      if (!instance.isRunning) throw new DabbaError('Conflict', `container ${instance.id} is not running`);
      if (instance.isPaused) throw new DabbaError('Conflict', `container ${instance.id} is already paused`);
      await instance.advance({ ...instance.state, isPaused: true });
      try {
        await this.#runtime.runc.pause(instance.id);
      } catch (error) {
        await instance.advance({ ...instance.state, isPaused: false });
        throw error;
      }
      instance.publish('pause');
    });
  }

  unpause(instance: Instance): Promise<void> {
    return instance.turns.run(async () => {
      if (!instance.isPaused) throw new DabbaError('Conflict', `container ${instance.id} is not paused`);
      await this.#thaw(instance);
    });
  }

  /** Records the change first: a start finds it, whatever becomes of the running processes. */
  update(instance: Instance, change: ContainerUpdate): Promise<{ readonly warnings: readonly string[] }> {
    return instance.turns.run(async () => {
      if (instance.isRemoved || instance.state.phase === 'removing')
        throw new DabbaError('Conflict', `container ${instance.id} is marked for removal and cannot be "update"`);
      const { create } = instance.record;
      const { restartPolicy } = change;
      if (create.isRemovedOnExit && restartPolicy && restartPolicy.name !== 'no')
        throw new DabbaError(
          'InvalidArgument',
          'Restart policy cannot be updated because AutoRemove is enabled for the container',
        );
      const resources = joinResources(create.resources ?? {}, change.resources ?? {});
      const { value, warnings } = cgroupLimits(resources, this.#runtime.limits);
      await instance.recreate({ ...create, resources, ...(restartPolicy && { restartPolicy }) });
      if (instance.isRunning && change.resources) await this.#applyLimits(instance, create, value);
      instance.publish('update');
      return { warnings };
    });
  }

  /** Limits that the kernel refuses leave the container as it was. */
  async #applyLimits(instance: Instance, before: ContainerCreate, limits: OciResources): Promise<void> {
    try {
      await this.#runtime.runc.update(instance.id, limits);
    } catch (error) {
      await instance.recreate(before);
      throw new DabbaError('FailedPrecondition', `Cannot update container ${instance.id}: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }

  remove(
    instance: Instance,
    options: { readonly force?: boolean; readonly removeVolumes?: boolean } = {},
  ): Promise<void> {
    return instance.turns.run(async () => {
      if (instance.isRemoved) return;
      instance.restartPause?.abort();
      if (['running', 'restarting'].includes(instance.state.phase) && !options.force)
        throw new DabbaError(
          'Conflict',
          `cannot remove container "/${instance.record.name}": container is ${instance.state.phase}: stop the container before removing or force remove`,
        );
      await this.#remove(instance, options.removeVolumes ?? false);
    });
  }

  /** Takes charge of a container found on disk. `monitor` is its conmon, if one lives. */
  adopt(instance: Instance, monitor: ProcessIdentity | undefined): Promise<void> {
    return instance.turns.run(async () => {
      const { state } = instance;
      switch (state.phase) {
        case 'removing':
          return await this.#remove(instance, false);
        case 'starting':
          if (monitor) signalProcess(monitor, killSignal);
          await clear(this.#runtime, instance);
          return await this.#finish(
            instance,
            { exitCode: 128, isOutOfMemory: false, finishedAt: this.#runtime.clock.now() },
            'the engine ended while the container was starting',
          );
        case 'running':
          if (!state.monitor || !isProcessAlive(state.monitor)) return await this.#settle(instance);
          this.#watch(instance, state.monitor);
          return this.#attend(instance);
        case 'restarting':
          await clear(this.#runtime, instance);
          if (this.#isClosed) return await instance.advance({ ...state, phase: 'exited' });
          return this.#scheduleRestart(instance, 0);
        case 'created':
        case 'exited':
          // It may have been cut off between the record of its end and what follows that.
          if (state.runs > 0 && instance.record.create.isRemovedOnExit) return await this.#remove(instance, true);
          if (await wasCutOff(instance)) await clear(this.#runtime, instance);
      }
    });
  }

  /** Ends a container because the engine goes away: its restart policy stays in force for the next start of the engine. */
  async shutDown(instance: Instance, timeoutMs: number): Promise<void> {
    await instance.turns.idle(); // it may be starting
    if (instance.isRunning) await this.#end(instance, signalNumber(instance.record.stopSignal), timeoutMs);
    await instance.turns.run(async () => {
      if (instance.state.phase === 'restarting') await instance.advance({ ...instance.state, phase: 'exited' });
      await instance.clearing;
    });
  }

  /** From now on nothing is started, also not by restart policies. */
  close(): void {
    this.#isClosed = true;
  }

  /** Lets go of every container; they run on. Resolves when no work of ours is under way. */
  async letGo(): Promise<void> {
    this.close();
    this.#closing.abort(new DabbaError('Unavailable', 'the engine is stopping'));
    while (this.#tasks.size > 0) await Promise.allSettled(this.#tasks);
  }

  async #begin(instance: Instance, restartCount: number): Promise<void> {
    await instance.clearing;
    const { runs, finishedAt } = instance.state;
    const base = { restartCount, isStoppedByHand: false, isOutOfMemory: false, runs: runs + 1 };
    const starting = { ...base, phase: 'starting' as const, ...(finishedAt !== undefined && { finishedAt }) };
    await instance.advance(starting);
    try {
      const launched = await this.#runtime.starts.run(() => launch(this.#runtime, instance, this.#neighbours));
      await instance.advance({ ...starting, ...launched, phase: 'running' });
    } catch (cause) {
      await this.#fail(instance, cause);
    }
    instance.publish('start');
    if (instance.state.address) this.#neighbours.onStarted(instance);
    this.#watch(instance, instance.state.monitor!);
    this.#attend(instance);
  }

  async #fail(instance: Instance, cause: unknown): Promise<never> {
    const { exitCode, error } = startFailure(cause);
    instance.endAttachments();
    await clear(this.#runtime, instance);
    const phase = instance.state.runs === 1 ? 'created' : 'exited';
    await instance.advance({ ...instance.state, phase, exitCode, error: error.message });
    if (instance.record.create.isRemovedOnExit) await this.#remove(instance, true);
    throw error;
  }

  /** Awaits the end of conmon, which comes right behind the exit file it writes: one event for a sound end and for a dead monitor. */
  #watch(instance: Instance, monitor: ProcessIdentity): void {
    void this.#own(instance, async () => {
      await processEnded(monitor, this.#closing.signal);
      if (this.#closing.signal.aborted) return;
      reap(monitor); // it is our child if an exec began as it did
      await instance.turns.run(async () => {
        if (instance.isRunning && instance.state.monitor?.startTicks === monitor.startTicks)
          await this.#settle(instance);
      });
    });
  }

  /** Begins what goes on beside a running container: its health checks, the rotation of its log. */
  #attend(instance: Instance): void {
    this.#health.begin(instance);
    const { log } = instance.record.create;
    if (log?.maxSizeBytes === undefined) return;
    const limits = { ...log, maxSizeBytes: log.maxSizeBytes };
    const ending = new AbortController();
    instance.rotation = ending;
    const signal = AbortSignal.any([ending.signal, this.#closing.signal]);
    const onFailure = (error: unknown) =>
      this.#runtime.logger.warn('log not rotated', { containerId: instance.id, reason: messageOf(error) });
    const { log: path, control } = instance.folder;
    void this.#own(instance, () => rotateLog({ path, control, limits, signal, onFailure }));
  }

  #leave(instance: Instance): void {
    this.#health.end(instance);
    instance.rotation?.abort();
  }

  /** Its run is over: record how, tell those who wait, clear away behind their backs. */
  async #settle(instance: Instance): Promise<void> {
    const exit = await readExit(this.#runtime, instance);
    await this.#finish(
      instance,
      exit ?? { exitCode: unknownExitCode, isOutOfMemory: false, finishedAt: this.#runtime.clock.now() },
      exit ? undefined : 'its monitor (conmon) died',
    );
  }

  async #finish(instance: Instance, { exitCode, isOutOfMemory, finishedAt }: RunEnd, error?: string): Promise<void> {
    const { create } = instance.record;
    const { monitor: _, process: __, address: ___, isPaused: ____, ...kept } = instance.state;
    const ranForMs = finishedAt - (kept.startedAt ?? finishedAt);
    const isRestarting = !this.#isClosed && restarts(create.restartPolicy, { ...kept, exitCode });
    this.#leave(instance);
    const phase = isRestarting ? 'restarting' : 'exited';
    await instance.advance({
      ...kept,
      phase,
      exitCode,
      isOutOfMemory,
      finishedAt,
      ...(error !== undefined && { error }),
    });
    if (isOutOfMemory) instance.publish('oom');
    instance.publish('die', { exitCode: String(exitCode) });
    instance.ended();
    if (create.isRemovedOnExit && !isRestarting) return await this.#remove(instance, true);
    instance.clearing = this.#own(instance, () => clear(this.#runtime, instance));
    if (isRestarting) this.#scheduleRestart(instance, ranForMs);
  }

  #scheduleRestart(instance: Instance, ranForMs: number): void {
    const pause = new AbortController();
    instance.restartPause = pause;
    const signal = AbortSignal.any([pause.signal, this.#closing.signal]);
    void this.#own(instance, async () => {
      const isCancelled = await this.#runtime.clock.sleep(instance.backoff.next(ranForMs), signal).then(
        () => false,
        () => true,
      );
      if (isCancelled) return;
      await instance.turns.run(async () => {
        if (this.#isClosed || pause.signal.aborted || instance.state.phase !== 'restarting') return;
        await this.#begin(instance, instance.state.restartCount + 1);
      });
    });
  }

  /** Signals its process and awaits the end of this run; SIGKILL after the timeout. A negative timeout waits for ever. */
  async #end(instance: Instance, signal: number, timeoutMs: number, letGo?: AbortSignal): Promise<void> {
    const { runs } = instance.state;
    const hasEnded = () => !instance.isRunning || instance.state.runs !== runs;
    const send = (each: number) => instance.turns.run(async () => hasEnded() || (await this.#signal(instance, each)));
    await send(signal);
    const giveUp = new AbortController();
    const overdue = async () => {
      if (timeoutMs < 0) return;
      const isEarly = await this.#runtime.clock.sleep(timeoutMs, giveUp.signal).then(
        () => false,
        () => true,
      );
      if (!isEarly && !hasEnded()) await send(killSignal);
    };
    const watchdog = overdue();
    try {
      await instance.until(hasEnded, letGo);
    } finally {
      giveUp.abort();
      await watchdog;
    }
  }

  /** Frozen processes take no signal before they thaw, so one that is sent thaws them. */
  async #signal(instance: Instance, signal: number): Promise<void> {
    const { process } = instance.state;
    if (process) signalProcess(process, signal);
    instance.publish('kill', { signal: String(signal) });
    if (instance.isPaused) await this.#thaw(instance);
  }

  async #thaw(instance: Instance): Promise<void> {
    await this.#runtime.runc.resume(instance.id);
    await instance.advance({ ...instance.state, isPaused: false });
    instance.publish('unpause');
  }

  async #remove(instance: Instance, areVolumesRemoved: boolean): Promise<void> {
    const { state, folder } = instance;
    this.#leave(instance);
    await instance.advance({ ...state, phase: 'removing', isStoppedByHand: true });
    if (state.monitor) await this.#killForRemoval(instance, state.monitor);
    await instance.clearing;
    await release(this.#runtime, instance);
    if (areVolumesRemoved) await this.#removeVolumes(instance);
    await this.#runtime.images.snapshots.discard(folder.path);
    this.#neighbours.onRemoved(instance);
    instance.publish('destroy');
    instance.markRemoved();
    if (state.runs > 0) void this.#own(instance, () => clear(this.#runtime, instance));
  }

  async #killForRemoval(instance: Instance, monitor: ProcessIdentity): Promise<void> {
    if (instance.state.process) signalProcess(instance.state.process, killSignal);
    if (instance.state.isPaused) await this.#runtime.runc.resume(instance.id);
    await processEnded(monitor, this.#closing.signal);
    reap(monitor);
    const exit = await readExit(this.#runtime, instance);
    const exitCode = exit?.exitCode ?? unknownExitCode;
    const { monitor: _, process: __, ...kept } = instance.state;
    await instance.advance({ ...kept, exitCode });
    instance.publish('die', { exitCode: String(exitCode) });
    instance.ended();
  }

  async #removeVolumes({ record }: Instance): Promise<void> {
    const { volumes } = this.#runtime;
    for (const mount of record.mounts) {
      if (mount.kind !== 'volume' || !mount.isAnonymous) continue;
      // Another container may have it too (`--volumes-from`).
      const isShared = volumes.usersOf(mount.name).some((id) => id !== record.id);
      const volume = isShared ? undefined : await volumes.find(mount.name);
      if (volume) await volumes.discard(volume);
    }
  }

  /** Runs work in nobody's name; its failure is logged, and the next start of the engine mends what it left. */
  #own(instance: Instance, work: () => Promise<void>): Promise<void> {
    const task = work().catch((error: unknown) => {
      this.#runtime.logger.error('container work failed', { containerId: instance.id, reason: messageOf(error) });
    });
    this.#tasks.add(task);
    return task.finally(() => this.#tasks.delete(task));
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new DabbaError('Unavailable', 'the engine is stopping');
  }
}

/** Docker's words for an act that frozen processes cannot do. */
export function paused({ id }: Instance): DabbaError {
  return new DabbaError('Conflict', `Container ${id} is paused, unpause the container before exec`);
}

/** Docker's words for an act that needs a running container. */
export function notRunning(act: string, { id }: Instance): DabbaError {
  return new DabbaError('Conflict', `Cannot ${act} container: ${id}: container ${id} is not running`);
}
