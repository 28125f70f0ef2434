import type * as types from '../../types.ts';
import { isRestarted, type PodContainer } from '../pod/containers.ts';

type Phase = 'Pending' | 'Running' | 'Succeeded' | 'Failed';

/** A container with its status. */
export interface Judged {
  readonly container: PodContainer;
  readonly status: types.ContainerStatus;
}

/** Where a pod stands in its life, by its containers' statuses. Behaviour: kubelet `getPhase`. */
export function phaseOf(pod: types.Pod, containers: readonly Judged[]): Phase {
  const inits = containers.filter(({ container }) => container.role === 'init');
  const sidecars = containers.filter(({ container }) => container.role === 'sidecar');
  const mains = containers.filter(({ container }) => container.role === 'main');
  const isBegun = mains.some(
    ({ status }) => status.state?.running || status.state?.terminated || status.lastState?.terminated,
  );
  if (!isBegun) {
    if (inits.some((init) => hasFailedForGood(pod, init))) return 'Failed';
    if (inits.some(({ status }) => status.state?.terminated?.exitCode !== 0)) return 'Pending';
    if (sidecars.some(({ status }) => !status.started)) return 'Pending';
  }
  const isNew = ({ status }: Judged) => status.state?.waiting !== undefined && !status.lastState?.terminated;
  if (mains.some(isNew)) return 'Pending';
  if (mains.some(({ status }) => status.state?.running)) return 'Running';
  const ended = mains.map(({ container, status }) => ({
    container,
    exitCode: status.state?.terminated?.exitCode ?? status.lastState?.terminated?.exitCode ?? 0,
  }));
  if (ended.some(({ container, exitCode }) => isRestarted(pod, container, exitCode))) return 'Running';
  if (sidecars.some(({ status }) => status.state?.running)) return 'Running';
  return ended.every(({ exitCode }) => exitCode === 0) ? 'Succeeded' : 'Failed';
}

function hasFailedForGood(pod: types.Pod, { container, status }: Judged): boolean {
  const exitCode = status.state?.terminated?.exitCode;
  return exitCode !== undefined && exitCode !== 0 && !isRestarted(pod, container, exitCode);
}
