import { readFile } from 'node:fs/promises';
import { systemCode, isoSeconds } from '#base';
import type { Container } from '#engine';
import type * as types from '../../types.ts';
import { containerIdOf, identityOf } from '../identity.ts';
import type { PodContainer } from '../pod/containers.ts';

type State = NonNullable<types.ContainerStatus['state']>;
type Terminated = NonNullable<State['terminated']>;

/** Why a container is not running though it should be. */
export interface Waiting {
  readonly reason: string;
  readonly message?: string;
}

/** All that a container's status is made from. Runs are the newest first. */
export interface ContainerFacts {
  readonly container: PodContainer;
  readonly runs: readonly Container[];
  readonly waiting: Waiting | undefined;
  /** As shown while nothing of it runs or waits for a reason of its own. */
  readonly defaultWaiting: Waiting;
  /** `repository@digest`, once it is known. */
  readonly imageId: string | undefined;
  readonly isReady: boolean;
  readonly isStarted: boolean;
  /** What it runs with; undefined of one that does not. */
  readonly resources: types.Container['resources'];
  /** What the container left at its termination message path, by engine id. */
  readonly messages: ReadonlyMap<string, string>;
  /** What was told before, for runs that the engine has forgotten. */
  readonly before: types.ContainerStatus | undefined;
}

/** True when a run's process lives. */
export function isRunning({ state }: Container): boolean {
  return state.status === 'running' || state.status === 'paused' || state.status === 'restarting';
}

/** True when a run is over: its process ended, or could not be started. */
export function isOver(container: Container): boolean {
  const { status, exitCode } = container.state;
  return status === 'exited' || status === 'dead' || (status === 'created' && exitCode !== undefined);
}

/** The exit code of a run that is over. */
export function exitCodeOf({ state }: Container): number {
  // A process that could not be started has none; containerd says 128.
  return state.startedAt === undefined ? 128 : (state.exitCode ?? 255);
}

/** A container's status as kubectl prints it. */
export function containerStatus(facts: ContainerFacts): types.ContainerStatus {
  const { container, runs, waiting, defaultWaiting, imageId, isReady, isStarted, messages, before, resources } = facts;
  const [newest, older] = runs;
  const attempt = newest ? identityOf(newest.create.labels)!.attempt : (before?.restartCount ?? 0);
  const state = stateOf(newest, { waiting, defaultWaiting, messages });
  // While it waits for the next run, the run that is over is the last state.
  const last = state.waiting && newest && isOver(newest) ? newest : older;
  const lastState = last && isOver(last) ? { terminated: terminated(last, messages) } : (before?.lastState ?? {});
  const live = newest && isRunning(newest);
  return {
    name: container.spec.name,
    state,
    lastState,
    ready: container.role === 'init' ? newest !== undefined && isOver(newest) && exitCodeOf(newest) === 0 : isReady,
    restartCount: attempt,
    image: container.spec.image ?? '',
    imageID: imageId ?? before?.imageID ?? '',
    ...(newest ? { containerID: containerIdOf(newest) } : before?.containerID && { containerID: before.containerID }),
    started: live ? isStarted : false,
    ...(resources && { resources }),
    ...(container.spec.volumeMounts?.length && {
      volumeMounts: container.spec.volumeMounts.map(({ name, mountPath, readOnly }) => ({
        name,
        mountPath,
        ...(readOnly && { readOnly, recursiveReadOnly: 'Disabled' }),
      })),
    }),
  };
}

function stateOf(
  newest: Container | undefined,
  { waiting, defaultWaiting, messages }: Pick<ContainerFacts, 'waiting' | 'defaultWaiting' | 'messages'>,
): State {
  if (newest && isRunning(newest)) return { running: { startedAt: isoSeconds(newest.state.startedAt ?? 0) } };
  if (waiting) return { waiting };
  if (newest && isOver(newest)) return { terminated: terminated(newest, messages) };
  return { waiting: defaultWaiting };
}

function terminated(run: Container, messages: ReadonlyMap<string, string>): Terminated {
  const { isOutOfMemory, error, startedAt, finishedAt } = run.state;
  const exitCode = exitCodeOf(run);
  const hasRun = startedAt !== undefined;
  const message = messages.get(run.id) || (hasRun ? undefined : error);
  const reason = isOutOfMemory ? 'OOMKilled' : !hasRun ? 'StartError' : exitCode === 0 ? 'Completed' : 'Error';
  return {
    exitCode,
    reason,
    ...(message !== undefined && { message }),
    startedAt: isoSeconds(startedAt ?? 0),
    finishedAt: isoSeconds(finishedAt ?? run.createdAt),
    containerID: containerIdOf(run),
  };
}

const [longestMessageBytes, longestFallbackBytes] = [4096, 2048] as const;
const fallbackLines = 80;

/** What a container wrote to its termination message path; a link or a device there says nothing. */
export async function terminationMessage(path: string): Promise<string> {
  if (path === '') return '';
  try {
    const text = await readFile(path);
    return text.subarray(0, longestMessageBytes).toString();
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return '';
    throw error;
  }
}

/** The end of a log, for `terminationMessagePolicy: FallbackToLogsOnError`. */
export function lastLines(lines: readonly string[]): string {
  const text = lines.slice(-fallbackLines).join('\n');
  return Buffer.from(text).subarray(-longestFallbackBytes).toString();
}
