import type * as types from '../../types.ts';
import type { ResizeState } from '../pod/resize.ts';
import type { Judged } from './phase.ts';

export type PodCondition = NonNullable<types.PodStatus['conditions']>[number];
type Draft = Pick<PodCondition, 'type' | 'status' | 'reason' | 'message'>;

/** Conditions that the kubelet owns; all others are others' and stay as they are. */
const owned = new Set([
  'PodReadyToStartContainers',
  'Initialized',
  'ContainersReady',
  'Ready',
  'PodResizePending',
  'PodResizeInProgress',
]);

/** What a pod's conditions say ("Pod conditions", Kubernetes documentation). Behaviour: kubelet `status/generate.go`. */
export function conditionsOf(
  pod: types.Pod,
  {
    phase,
    containers,
    hasSandbox,
    resize,
  }: {
    readonly phase: string;
    readonly containers: readonly Judged[];
    readonly hasSandbox: boolean;
    readonly resize?: ResizeState | undefined;
  },
): readonly Draft[] {
  const ready = readyOf(containers, phase);
  return [
    { type: 'PodReadyToStartContainers', status: hasSandbox ? 'True' : 'False' },
    initialized(containers, phase),
    { ...gated(pod, ready), type: 'Ready' },
    { ...ready, type: 'ContainersReady' },
    ...(resize ? [{ status: 'True', ...resize }] : []),
  ];
}

function initialized(containers: readonly Judged[], phase: string): Draft {
  const type = 'Initialized';
  if (phase === 'Succeeded') return { type, status: 'True', reason: 'PodCompleted' };
  const isBegun = containers.some(
    ({ container, status }) => container.role === 'main' && (status.containerID ?? '') !== '',
  );
  const waiting = containers.filter(({ container, status }) => {
    if (isBegun) return false;
    if (container.role === 'sidecar') return !status.started;
    return container.role === 'init' && status.state?.terminated?.exitCode !== 0;
  });
  if (!waiting.length) return { type, status: 'True' };
  return {
    type,
    status: 'False',
    reason: 'ContainersNotInitialized',
    message: `containers with incomplete status: [${names(waiting)}]`,
  };
}

function readyOf(containers: readonly Judged[], phase: string): Omit<Draft, 'type'> {
  if (phase === 'Succeeded') return { status: 'False', reason: 'PodCompleted' };
  if (phase === 'Failed') return { status: 'False', reason: 'PodFailed' };
  const unready = containers.filter(
    ({ container, status }) => (container.role === 'main' || container.role === 'sidecar') && !status.ready,
  );
  if (!unready.length) return { status: 'True' };
  return {
    status: 'False',
    reason: 'ContainersNotReady',
    message: `containers with unready status: [${names(unready)}]`,
  };
}

/** A pod with readiness gates is ready when those hold too. */
function gated({ spec, status }: types.Pod, ready: Omit<Draft, 'type'>): Omit<Draft, 'type'> {
  if (ready.status !== 'True') return ready;
  const messages = (spec?.readinessGates ?? []).flatMap(({ conditionType }) => {
    const condition = status?.conditions?.find(({ type }) => type === conditionType);
    if (!condition) return [`corresponding condition of pod readiness gate "${conditionType}" does not exist.`];
    if (condition.status === 'True') return [];
    return [`the status of pod readiness gate "${conditionType}" is not "True", but ${condition.status}`];
  });
  if (!messages.length) return ready;
  return { status: 'False', reason: 'ReadinessGatesNotReady', message: messages.join(', ') };
}

function names(containers: readonly Judged[]): string {
  return containers.map(({ container }) => container.spec.name).join(' ');
}

/** Joins what the kubelet says with what others say. The time of a transition changes only with the status of its condition. */
export function mergeConditions(
  stored: readonly PodCondition[],
  drafts: readonly Draft[],
  now: string,
): readonly PodCondition[] {
  const mine = drafts.map((draft): PodCondition => {
    const before = stored.find(({ type }) => type === draft.type);
    const isSame = before?.status === draft.status;
    return {
      ...draft,
      lastTransitionTime: isSame && before.lastTransitionTime ? before.lastTransitionTime : now,
    };
  });
  const foreign = stored.filter(({ type }) => !owned.has(type) && !drafts.some((draft) => draft.type === type));
  return [...mine, ...foreign];
}
