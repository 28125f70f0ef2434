import type { TaskStopCode } from '@aws-sdk/client-ecs';
import type { ContainerStatus, SandboxFailure, SandboxStatus } from '#node';
import { asked, changed } from './new-task.ts';
import type { TaskContainer, TaskRecord, TaskStatus } from './records.ts';

/** How a sandbox's end is called, with the sentence of the ECS console. */
const stopCodes: { readonly [Kind in SandboxFailure['kind']]: TaskStopCode | undefined } = {
  'failed-to-start': 'TaskFailedToStart',
  'essential-container-exited': 'EssentialContainerExited',
  'node-lost': 'TerminationNotice',
  requested: undefined,
};

const health = { unknown: 'UNKNOWN', healthy: 'HEALTHY', unhealthy: 'UNHEALTHY' } as const;
const containerStates = { pending: 'PENDING', running: 'RUNNING', stopped: 'STOPPED' } as const;

/** The task as its node reports it; the same record when nothing is new. */
export function observed(task: TaskRecord, status: SandboxStatus, now: number): TaskRecord {
  const stopping = status.failure ? withFailure(task, status.failure, now) : task;
  const changes: Partial<TaskRecord> = {
    lastStatus: nextStatus(stopping, status),
    containers: task.containers.map((container) => withStatus(container, status)),
    ...(status.pullStartedAt === undefined ? {} : { pullStartedAt: status.pullStartedAt }),
    ...(status.pullStoppedAt === undefined ? {} : { pullStoppedAt: status.pullStoppedAt }),
    ...(status.startedAt === undefined ? {} : { startedAt: status.startedAt }),
    ...(status.stoppedAt === undefined ? {} : { executionStoppedAt: status.stoppedAt }),
  };
  const next = { ...stopping, ...changes };
  return isSame(task, next) ? task : changed(task, next);
}

function withFailure(task: TaskRecord, failure: SandboxFailure, now: number): TaskRecord {
  const stopCode = stopCodes[failure.kind];
  if (!stopCode) return task;
  const stoppedReason =
    failure.kind === 'essential-container-exited'
      ? 'Essential container in task exited'
      : [failure.reason, failure.message].filter(Boolean).join(': ');
  return asked(task, { stopCode, stoppedReason }, now);
}

/** States only move forward: what a slower report says of an earlier one is history. */
const order: readonly TaskStatus[] = [
  'PROVISIONING',
  'PENDING',
  'ACTIVATING',
  'RUNNING',
  'DEACTIVATING',
  'STOPPING',
  'DEPROVISIONING',
  'STOPPED',
];

function nextStatus(task: TaskRecord, { phase }: SandboxStatus): TaskStatus {
  const reported: TaskStatus =
    phase === 'running' ? 'RUNNING' : phase === 'stopping' || phase === 'stopped' ? 'STOPPING' : 'PENDING';
  return order.indexOf(reported) > order.indexOf(task.lastStatus) ? reported : task.lastStatus;
}

function withStatus(container: TaskContainer, { containers }: SandboxStatus): TaskContainer {
  const status = containers.find(({ name }) => name === container.name);
  if (!status) return container;
  return {
    ...container,
    lastStatus: containerStates[status.phase],
    healthStatus: health[status.health],
    ...(status.runtimeId === undefined ? {} : { runtimeId: status.runtimeId }),
    ...(status.imageDigest === undefined ? {} : { imageDigest: status.imageDigest }),
    ...(status.exitCode === undefined ? {} : { exitCode: status.exitCode }),
    ...reasonOf(status),
  };
}

function reasonOf({ isOutOfMemory, reason }: ContainerStatus): { readonly reason?: string } {
  if (isOutOfMemory) return { reason: 'OutOfMemoryError: Container killed due to memory usage' };
  return reason === undefined ? {} : { reason };
}

function isSame(a: TaskRecord, b: TaskRecord): boolean {
  return JSON.stringify(a) === JSON.stringify({ ...b, version: a.version });
}
