import type { Clock } from '#base';
import type { ContainerState, Exec, ExecCreate, ImageConfig } from '../engine.ts';
import type { Instance } from './instance.ts';
import { signalProcess, identifyProcess } from '#kernel';

export type HealthState = NonNullable<ContainerState['health']>;
type Healthcheck = NonNullable<ImageConfig['Healthcheck']>;

/** Docker's defaults; the port counts nanoseconds, as the image config does. */
const [defaultIntervalMs, defaultTimeoutMs, defaultStartIntervalMs, defaultRetries] = [
  30_000, 30_000, 5_000, 3,
] as const;
const [longestOutputBytes, keptResults] = [4096, 5] as const;
const nsPerMs = 1e6;

/** A health check with its defaults applied; undefined when there is none (`NONE`, or an empty test). */
export interface HealthPlan {
  readonly args: readonly string[];
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly startPeriodMs: number;
  /** Between checks within the start period, until the first that succeeds. */
  readonly startIntervalMs: number;
  readonly retries: number;
}

/** Reads a `Healthcheck` of an image config: `["CMD", …]`, `["CMD-SHELL", line]` or `["NONE"]`. */
export function healthPlan(check: Healthcheck | undefined, shell: readonly string[]): HealthPlan | undefined {
  const [kind, ...rest] = check?.Test ?? [];
  const args = kind === 'CMD' ? rest : kind === 'CMD-SHELL' ? [...shell, rest[0] ?? ''] : undefined;
  if (!check || !args?.length) return undefined;
  return {
    args,
    intervalMs: (check.Interval ?? 0) / nsPerMs || defaultIntervalMs,
    timeoutMs: (check.Timeout ?? 0) / nsPerMs || defaultTimeoutMs,
    startPeriodMs: (check.StartPeriod ?? 0) / nsPerMs,
    startIntervalMs: (check.StartInterval ?? 0) / nsPerMs || defaultStartIntervalMs,
    retries: check.Retries || defaultRetries,
  };
}

/** The health after one more result. Failures within the start period do not count until the first success. */
export function nextHealth(
  health: HealthState,
  result: HealthState['log'][number],
  { plan, isStarting }: { readonly plan: HealthPlan; readonly isStarting: boolean },
): HealthState {
  const log = [...health.log, result].slice(-keptResults);
  if (result.exitCode === 0) return { status: 'healthy', failingStreak: 0, log };
  if (isStarting && health.status === 'starting') return { ...health, log };
  const failingStreak = health.failingStreak + 1;
  return { status: failingStreak >= plan.retries ? 'unhealthy' : health.status, failingStreak, log };
}

type RunExec = (instance: Instance, request: ExecCreate) => Promise<Exec>;

/** Runs the health checks of running containers, each one after another. */
export class HealthMonitor {
  readonly #clock: Clock;
  readonly #exec: RunExec;
  readonly #loops = new Set<Promise<void>>();

  constructor(clock: Clock, exec: RunExec) {
    this.#clock = clock;
    this.#exec = exec;
  }

  /** Starts checking a container that has just started, or was adopted; without a check nothing happens. */
  begin(instance: Instance): void {
    const plan = healthPlan(instance.record.healthCheck, ['/bin/sh', '-c']);
    if (!plan) return;
    const stop = new AbortController();
    instance.healthChecks = stop;
    instance.health = { status: 'starting', failingStreak: 0, log: [] };
    const loop = this.#check(instance, plan, stop.signal).finally(() => this.#loops.delete(loop));
    this.#loops.add(loop);
  }

  end(instance: Instance): void {
    instance.healthChecks?.abort();
    instance.healthChecks = undefined;
  }

  /** Resolves when no check is under way; every container's checks were ended before. */
  async idle(): Promise<void> {
    await Promise.all(this.#loops);
  }

  async #check(instance: Instance, plan: HealthPlan, signal: AbortSignal): Promise<void> {
    const startedAt = this.#clock.now();
    const isDue = (ms: number) =>
      this.#clock.sleep(ms, signal).then(
        () => true,
        () => false,
      );
    const pauseMs = () =>
      instance.health?.status === 'starting' && this.#clock.now() - startedAt < plan.startPeriodMs
        ? plan.startIntervalMs
        : plan.intervalMs;
    while (await isDue(pauseMs())) {
      if (instance.isPaused) continue; // nothing can be asked of frozen processes
      const result = await this.#probe(instance, plan, signal);
      if (signal.aborted || !instance.health) return;
      const before = instance.health.status;
      const isStarting = result.startAt - startedAt < plan.startPeriodMs;
      instance.health = nextHealth(instance.health, result, { plan, isStarting });
      if (instance.health.status !== before) instance.publish(`health_status: ${instance.health.status}`);
      instance.changed();
    }
  }

  async #probe(instance: Instance, plan: HealthPlan, signal: AbortSignal): Promise<HealthState['log'][number]> {
    const startAt = this.#clock.now();
    const finish = (exitCode: number, output: string) => ({ startAt, endAt: this.#clock.now(), exitCode, output });
    try {
      const exec = await this.#exec(instance, { args: plan.args, stdin: false });
      await using attachment = exec.attachment;
      const done = new AbortController();
      const isOverdue = this.#clock.sleep(plan.timeoutMs, AbortSignal.any([done.signal, signal])).then(
        () => killExec(exec.pid),
        () => false,
      );
      const output = await collect(attachment.output);
      const { exitCode } = await exec.wait(signal);
      done.abort();
      if (await isOverdue) return finish(-1, `Health check exceeded timeout (${plan.timeoutMs}ms): ${output}`);
      return finish(exitCode, output);
    } catch (error) {
      // A check that cannot be run counts as failed, and says why (Docker does the same).
      return finish(-1, error instanceof Error ? error.message : String(error));
    }
  }
}

function killExec(pid: number): boolean {
  const identity = identifyProcess(pid);
  return identity !== undefined && signalProcess(identity, 9);
}

async function collect(output: AsyncIterable<{ readonly data: Buffer }>): Promise<string> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const { data } of output) {
    if (sizeBytes < longestOutputBytes) chunks.push(data);
    sizeBytes += data.length;
  }
  return Buffer.concat(chunks).subarray(0, longestOutputBytes).toString();
}
