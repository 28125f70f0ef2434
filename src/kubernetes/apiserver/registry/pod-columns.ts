/** `kubectl get pods`. Source: `pkg/printers/internalversion/printers.go`, "printPod". */
import type { ContainerStatus, Pod } from '../../types.ts';
import type { Column } from '../resource.ts';
import { age, nameColumn, since } from './columns.ts';
import { column } from './row.ts';

export const podColumns: readonly Column<Pod>[] = [
  nameColumn,
  column('Ready', readyCount, { description: 'The aggregate readiness state of this pod for accepting traffic.' }),
  column('Status', podReason, { description: 'The aggregate status of the containers in this pod.' }),
  column('Restarts', restarts, {
    description:
      'The number of times the containers in this pod have been restarted and when the last container in this pod has restarted.',
  }),
  age,
  column('IP', ({ status }) => status?.podIPs?.[0]?.ip ?? status?.podIP ?? '<none>', {
    priority: 1,
    description: 'IP address allocated to the pod.',
  }),
  column('Node', ({ spec }) => spec?.nodeName ?? '<none>', {
    priority: 1,
    description: 'Node to which this pod is scheduled.',
  }),
  column('Nominated Node', ({ status }) => status?.nominatedNodeName ?? '<none>', {
    priority: 1,
    description: 'Node proposed to this pod by the scheduler.',
  }),
  column('Readiness Gates', readinessGates, { priority: 1, description: 'The readiness gates of this pod.' }),
];

type InitContainer = NonNullable<NonNullable<Pod['spec']>['initContainers']>[number];

function isSidecar(container: InitContainer | undefined): boolean {
  return container?.restartPolicy === 'Always';
}

function initContainer(pod: Pod, { name }: ContainerStatus): InitContainer | undefined {
  return pod.spec?.initContainers?.find((container) => container.name === name);
}

function readyCount(pod: Pod): string {
  const sidecars = (pod.spec?.initContainers ?? []).filter(isSidecar);
  const total = (pod.spec?.containers.length ?? 0) + sidecars.length;
  const readyInit = (pod.status?.initContainerStatuses ?? []).filter(
    (status) => isSidecar(initContainer(pod, status)) && status.ready && status.started,
  );
  const ready = (pod.status?.containerStatuses ?? []).filter((status) => status.ready && status.state?.running);
  return `${ready.length + readyInit.length}/${total}`;
}

/** One word for what a pod is at: of its phase, its containers, its deletion. */
export function podReason(pod: Pod): string {
  const { status, metadata } = pod;
  let reason = status?.reason || status?.phase || 'Unknown';
  if ((status?.conditions ?? []).some(({ type, reason }) => type === 'PodScheduled' && reason === 'SchedulingGated'))
    reason = 'SchedulingGated';
  const initial = initReason(pod);
  reason = initial ?? reason;
  if (initial === undefined || isInitialized(pod)) reason = containersReason(pod, reason);
  if (metadata?.deletionTimestamp) {
    if (status?.reason === 'NodeLost') return 'Unknown';
    if (status?.phase !== 'Succeeded' && status?.phase !== 'Failed') return 'Terminating';
  }
  return reason;
}

function isInitialized({ status }: Pod): boolean {
  return (status?.conditions ?? []).some(({ type, status }) => type === 'Initialized' && status === 'True');
}

/** What the first init container that is not done says; undefined when all are. */
function initReason(pod: Pod): string | undefined {
  const statuses = pod.status?.initContainerStatuses ?? [];
  for (const [index, status] of statuses.entries()) {
    const { terminated, waiting } = status.state ?? {};
    if (terminated?.exitCode === 0) continue;
    if (isSidecar(initContainer(pod, status)) && status.started) continue;
    if (terminated) return `Init:${terminated.reason || endOf(terminated)}`;
    if (waiting?.reason && waiting.reason !== 'PodInitializing') return `Init:${waiting.reason}`;
    return `Init:${index}/${pod.spec?.initContainers?.length ?? 0}`;
  }
  return undefined;
}

function containersReason(pod: Pod, reason: string): string {
  let hasRunning = false;
  let shown = reason;
  // The first container's word wins.
  for (const { state, ready } of (pod.status?.containerStatuses ?? []).toReversed()) {
    if (state?.waiting?.reason) shown = state.waiting.reason;
    else if (state?.terminated) shown = state.terminated.reason || endOf(state.terminated);
    else if (ready && state?.running) hasRunning = true;
  }
  if (shown !== 'Completed' || !hasRunning) return shown;
  const isReady = (pod.status?.conditions ?? []).some(({ type, status }) => type === 'Ready' && status === 'True');
  return isReady ? 'Running' : 'NotReady';
}

function endOf({ signal, exitCode }: { readonly signal?: number; readonly exitCode: number }): string {
  return signal ? `Signal:${signal}` : `ExitCode:${exitCode}`;
}

function restarts(pod: Pod, now: number): string {
  const statuses = [
    ...(pod.status?.initContainerStatuses ?? []).filter((status) => isSidecar(initContainer(pod, status))),
    ...(pod.status?.containerStatuses ?? []),
  ];
  const isWaitingForInit = initReason(pod) !== undefined && !isInitialized(pod);
  const counted = isWaitingForInit ? (pod.status?.initContainerStatuses ?? []) : statuses;
  const count = counted.reduce((sum, { restartCount }) => sum + restartCount, 0);
  const last = counted
    .flatMap(({ lastState }) => lastState?.terminated?.finishedAt ?? [])
    .toSorted()
    .at(-1);
  return count && last ? `${count} (${since(last, now)} ago)` : String(count);
}

function readinessGates({ spec, status }: Pod): string {
  const gates = spec?.readinessGates ?? [];
  if (!gates.length) return '<none>';
  const isTrue = (name: string) =>
    (status?.conditions ?? []).some(({ type, status }) => type === name && status === 'True');
  return `${gates.filter(({ conditionType }) => isTrue(conditionType)).length}/${gates.length}`;
}
