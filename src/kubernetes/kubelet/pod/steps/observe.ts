import { isDabbaError } from '#base';
import type { Container } from '#engine';
import { identityOf } from '../../identity.ts';
import { exitCodeOf, isOver, isRunning, lastLines, terminationMessage } from '../../status/container-status.ts';
import { containerIdOf } from '../../identity.ts';
import type * as types from '../../../types.ts';
import { containersOf, type PodContainer } from '../containers.ts';
import type { PodRun } from '../run.ts';
import { newestRun, type Runs } from '../runs.ts';

/** Runs kept of each container: the newest, and the one before for `kubectl logs --previous`. */
const keptRuns = 2;

/** Takes in what became of a pod's containers: last words of those that ended, probes of those that run; and clears old runs away. */
export async function observe(run: PodRun, runs: Runs): Promise<void> {
  for (const container of containersOf(run.pod)) {
    const known = runs.get(container.spec.name) ?? [];
    for (const each of known.slice(0, keptRuns))
      if (isOver(each) && !run.messages.has(each.id)) run.messages.set(each.id, await lastWords(run, container, each));
    const old = known.slice(keptRuns);
    if (old.length) run.tasks.begin(`clear/${container.spec.name}`, () => removeRuns(run, old));
  }
  if (run.isEnding) return;
  run.probes.follow(
    containersOf(run.pod).flatMap((container) => {
      const newest = newestRun(runs, container.spec.name);
      if (!newest || !isRunning(newest)) return [];
      return [{ container, run: newest, wasReady: wasReady(run.pod, newest) }];
    }),
  );
}

/** Readiness that an earlier kubelet found holds until a probe says otherwise. */
function wasReady({ status }: types.Pod, newest: Container): boolean {
  const id = containerIdOf(newest);
  const all = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
  return all.some(({ containerID, ready }) => containerID === id && ready);
}

async function lastWords({ context }: PodRun, { spec }: PodContainer, over: Container): Promise<string> {
  const message = await terminationMessage(identityOf(over.create.labels)?.terminationLog ?? '');
  const isFallback = spec.terminationMessagePolicy === 'FallbackToLogsOnError' && exitCodeOf(over) !== 0;
  if (message !== '' || !isFallback || over.state.startedAt === undefined) return message;
  const lines: string[] = [];
  const options = { stdout: true, stderr: true, follow: false, tail: 80, signal: context.signal };
  for await (const { data } of context.engine.containers.logs(over.id, options)) lines.push(data.toString());
  return lastLines(lines);
}

/** Removes runs that are over, with what they wrote. */
export async function removeRuns({ context: { engine } }: PodRun, runs: readonly Container[]): Promise<void> {
  await Promise.all(
    runs.map(async ({ id }) => {
      try {
        await engine.containers.remove(id, { force: true, removeVolumes: true });
      } catch (error) {
        if (!isDabbaError(error, 'NotFound')) throw error;
      }
    }),
  );
}
