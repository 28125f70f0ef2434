import type { Container } from '#engine';
import { exitCodeOf, isOver, isRunning } from '../../status/container-status.ts';
import { durationText, restartPause } from '../backoff.ts';
import { containersOf, isRestarted, type PodContainer } from '../containers.ts';
import type { PodRun } from '../run.ts';
import { attemptOf, newestRun, type Runs } from '../runs.ts';
import { ensureImage, ensureVolumeImages } from './image.ts';
import { beginKill } from './kill.ts';
import { startContainer } from './start.ts';

/** How soon what could not be configured or made is tried again: nothing may announce that it can be now. */
const retryMs = 10_000;

/** What a pass over the containers came to. */
export interface Advanced {
  /** A container was started: there is more to see. */
  readonly hasStarted: boolean;
  /** When there is something to do at the latest. */
  readonly wakeAt: number | undefined;
}

/**
 * Starts the containers whose turn it is ("Init Containers", "Sidecar Containers", Kubernetes documentation): init containers one after the other, each to its end, sidecars until
 * they have started, then all others in order; and again those that ended and are to be restarted.
 */
export async function advance(run: PodRun, runs: Runs): Promise<Advanced> {
  const pass = new Pass(run, runs);
  const containers = containersOf(run.pod);
  const of = (role: PodContainer['role']) => containers.filter((each) => each.role === role);
  endDoomed(run, containers, runs);
  const isBegun = of('main').some(({ spec }) => newestRun(runs, spec.name));
  if (isBegun || (await initialise(pass, containers))) {
    if (isBegun) for (const sidecar of of('sidecar')) await pass.keepRunning(sidecar);
    for (const main of of('main')) {
      await pass.keepRunning(main);
      // What comes next waits for the hook, which is seen at the next look.
      const newest = newestRun(runs, main.spec.name);
      if (pass.hasStarted && main.spec.lifecycle?.postStart) break;
      if (newest && run.hooks.has(newest.id)) break;
    }
  }
  for (const ephemeral of of('ephemeral')) await pass.keepRunning(ephemeral);
  return pass;
}

/** Brings init containers and sidecars one step on. True when all are done. */
async function initialise(pass: Pass, containers: readonly PodContainer[]): Promise<boolean> {
  for (const container of containers) {
    if (container.role !== 'init' && container.role !== 'sidecar') continue;
    const newest = newestRun(pass.runs, container.spec.name);
    if (container.role === 'init' && newest && isOver(newest) && exitCodeOf(newest) === 0) continue;
    await pass.keepRunning(container);
    const isUp = container.role === 'sidecar' && newest && isRunning(newest) && pass.run.probes.isStarted(newest);
    if (!isUp || pass.run.hooks.has(newest.id)) return false;
  }
  return true;
}

function endDoomed(run: PodRun, containers: readonly PodContainer[], runs: Runs): void {
  for (const container of containers) {
    const newest = newestRun(runs, container.spec.name);
    const doom = newest && run.doomed.get(newest.id);
    if (doom && isRunning(newest)) beginKill(run, container, newest, doom);
  }
}

/** One look at every container. */
class Pass implements Advanced {
  readonly run: PodRun;
  readonly runs: Runs;
  hasStarted = false;
  wakeAt: number | undefined;

  constructor(run: PodRun, runs: Runs) {
    this.run = run;
    this.runs = runs;
  }

  /** Sees to it that a container runs, if it has not run or is to be restarted. */
  async keepRunning(container: PodContainer): Promise<void> {
    const newest = newestRun(this.runs, container.spec.name);
    if (!newest) return await this.#start(container, { attempt: 0, nextBackoffMs: 0 });
    if (isRunning(newest)) return;
    // Made, and not started: its maker did not live to do it.
    if (!isOver(newest)) return await this.#start(container, { attempt: attemptOf(newest), nextBackoffMs: 0 });
    if (!isRestarted(this.run.pod, container, exitCodeOf(newest))) return;
    await this.#restart(container, newest);
  }

  async #restart(container: PodContainer, over: Container): Promise<void> {
    const { run } = this;
    const { pauseMs, nextBackoffMs } = restartPause(over);
    const dueAt = (over.state.finishedAt ?? over.createdAt) + pauseMs;
    if (run.context.clock.now() >= dueAt)
      return await this.#start(container, { attempt: attemptOf(over) + 1, nextBackoffMs });
    const { name, namespace, uid } = run.ref;
    const where = `${container.spec.name} in pod ${name}_${namespace}(${uid})`;
    if (run.waiting.get(container.spec.name)?.reason !== 'CrashLoopBackOff')
      run.event('Warning', 'BackOff', `Back-off restarting failed container ${where}`, container);
    run.waiting.set(container.spec.name, {
      reason: 'CrashLoopBackOff',
      message: `back-off ${durationText(pauseMs)} restarting failed container=${container.spec.name} pod=${name}_${namespace}(${uid})`,
    });
    this.#wake(dueAt);
  }

  async #start(
    container: PodContainer,
    next: { readonly attempt: number; readonly nextBackoffMs: number },
  ): Promise<void> {
    const volumes = await ensureVolumeImages(this.run, container);
    const answer = volumes === true ? await ensureImage(this.run, container, next.attempt) : volumes;
    if (!('image' in answer)) {
      if (answer.retryAt !== undefined) this.#wake(answer.retryAt);
      return;
    }
    const { image } = answer;
    this.run.imageNames.set(image.id, imageName(image.repoDigests, container.spec.image ?? '') ?? image.id);
    if (await startContainer(this.run, container, { ...next, image }, this.runs)) this.hasStarted = true;
    else this.#wake(this.run.context.clock.now() + retryMs);
  }

  #wake(at: number): void {
    this.wakeAt = Math.min(this.wakeAt ?? Infinity, at);
  }
}

/** `repository@digest` of the manifest that `reference` was pulled by. */
function imageName(repoDigests: readonly string[], reference: string): string | undefined {
  const repository = reference.split('@')[0]!.replace(/:[^/]*$/, '');
  return repoDigests.find((name) => name.slice(0, name.indexOf('@')).endsWith(repository)) ?? repoDigests[0];
}
