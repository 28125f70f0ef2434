import type { Clock, Random } from '#base';
import type { Container } from '#engine';
import type * as types from '../../types.ts';
import type { PodContainer } from '../pod/containers.ts';
import { attemptProbe } from './attempt.ts';
import type { ProbeKind, ProbeTarget } from './probe.ts';

/** A container that runs. */
export interface Probed {
  readonly container: PodContainer;
  readonly run: Container;
  /** It was ready before this kubelet came. */
  readonly wasReady: boolean;
}

export interface ProbeFailure {
  readonly kind: ProbeKind;
  readonly container: PodContainer;
  readonly message: string;
  /** It was the one too many, upon which the container is to be ended. */
  readonly isFinal: boolean;
}

export interface PodProbesOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
  readonly targetOf: (container: PodContainer, run: Container) => ProbeTarget;
  /** A result changed that a status shows. */
  readonly onChange: () => void;
  readonly onFailure: (run: Container, failure: ProbeFailure) => void;
}

interface Watched {
  readonly ending: AbortController;
  isStarted: boolean;
  isReady: boolean;
}

interface Repeated {
  readonly container: PodContainer;
  readonly run: Container;
  readonly probe: types.Probe;
  readonly signal: AbortSignal;
}

/**
 * Puts the probes of one pod's containers to them while they run ("Configure Liveness, Readiness and Startup Probes", Kubernetes documentation): the startup probe first, the
 * others once it has succeeded. Each run of a container begins anew.
 */
export class PodProbes {
  readonly #options: PodProbesOptions;
  readonly #watched = new Map<string, Watched>();

  constructor(options: PodProbesOptions) {
    this.#options = options;
  }

  /** Sees to it that exactly these are probed. */
  follow(running: readonly Probed[]): void {
    const ids = new Set(running.map(({ run }) => run.id));
    for (const [id, { ending }] of this.#watched) {
      if (ids.has(id)) continue;
      ending.abort();
      this.#watched.delete(id);
    }
    for (const probed of running) if (!this.#watched.has(probed.run.id)) this.#watch(probed);
  }

  isStarted(run: Container): boolean {
    return this.#watched.get(run.id)?.isStarted ?? false;
  }

  isReady(run: Container): boolean {
    return this.#watched.get(run.id)?.isReady ?? false;
  }

  /** The pod is told to end: it is not ready any more, and is probed no more. */
  close(): void {
    for (const watched of this.#watched.values()) {
      watched.ending.abort();
      watched.isReady = false;
    }
  }

  #watch({ container, run, wasReady }: Probed): void {
    const { startupProbe, readinessProbe } = container.spec;
    const watched: Watched = {
      ending: new AbortController(),
      isStarted: !startupProbe || wasReady,
      isReady: wasReady || (!startupProbe && !readinessProbe),
    };
    this.#watched.set(run.id, watched);
    const signal = AbortSignal.any([this.#options.signal, watched.ending.signal]);
    if (watched.isStarted) this.#begin(watched, { container, run, signal });
    else void this.#start(watched, { container, run, probe: startupProbe!, signal });
  }

  async #start(watched: Watched, repeated: Repeated): Promise<void> {
    await this.#repeat('startup', repeated, (isSuccess) => {
      if (!isSuccess) return true;
      watched.isStarted = true;
      if (!repeated.container.spec.readinessProbe) watched.isReady = true;
      this.#options.onChange();
      this.#begin(watched, repeated);
      return true;
    });
  }

  #begin(watched: Watched, repeated: Omit<Repeated, 'probe'>): void {
    const { readinessProbe, livenessProbe } = repeated.container.spec;
    if (readinessProbe)
      void this.#repeat('readiness', { ...repeated, probe: readinessProbe }, (isSuccess) => {
        if (watched.isReady === isSuccess) return false;
        watched.isReady = isSuccess;
        this.#options.onChange();
        return false;
      });
    if (livenessProbe) void this.#repeat('liveness', { ...repeated, probe: livenessProbe }, (isSuccess) => !isSuccess);
  }

  /** Puts a probe to a container until `onResult`, told of each result that passed its threshold, says that it is enough. */
  async #repeat(
    kind: ProbeKind,
    { container, run, probe, signal }: Repeated,
    onResult: (isSuccess: boolean) => boolean,
  ): Promise<void> {
    const { clock, random, onFailure, targetOf } = this.#options;
    const { initialDelaySeconds = 0, periodSeconds = 10, successThreshold = 1, failureThreshold = 3 } = probe;
    const target = targetOf(container, run);
    // A probe is a question asked at intervals: nothing announces its answer.
    const pause = (ms: number) => clock.sleep(ms, signal).catch(() => undefined);
    const dueMs = (run.state.startedAt ?? clock.now()) + initialDelaySeconds * 1000 - clock.now();
    if (dueMs > 0) await pause(dueMs);
    let isSuccess: boolean | undefined;
    for (let inRow = 0; !signal.aborted;) {
      const outcome = await attemptProbe(target, probe, signal).catch(() => undefined);
      if (signal.aborted || !outcome) return;
      inRow = outcome.isSuccess === isSuccess ? inRow + 1 : 1;
      isSuccess = outcome.isSuccess;
      const isPast = inRow >= (isSuccess ? successThreshold : failureThreshold);
      if (!outcome.isSuccess)
        onFailure(run, { kind, container, message: outcome.message, isFinal: isPast && kind !== 'readiness' });
      if (isPast && onResult(isSuccess)) return;
      // Spread, so that the probes of many pods do not come together.
      await pause(periodSeconds * 1000 * (0.95 + random.fraction() / 20));
    }
  }
}
