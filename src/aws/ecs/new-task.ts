import type { LaunchType, TaskOverride } from '@aws-sdk/client-ecs';
import type { Operation } from '#store';
import type { Tags } from '../tags.ts';
import { idIn, type ClusterScope } from './names.ts';
import type { TaskContainer, TaskDefinitionRecord, TaskNetwork, TaskRecord } from './records.ts';
import type { EcsState } from './state.ts';

export interface NewTask extends ClusterScope {
  readonly taskDefinition: TaskDefinitionRecord['definition'];
  readonly launchType: LaunchType;
  readonly capacityProviderName?: string | undefined;
  readonly network: TaskNetwork;
  readonly group: string;
  readonly startedBy?: string | undefined;
  readonly overrides?: TaskOverride | undefined;
  readonly enableExecuteCommand: boolean;
  readonly tags: Tags;
}

/** A task that waits for a place. */
export function newTask(state: EcsState, request: NewTask): TaskRecord {
  const { taskDefinition: definition, overrides = {}, startedBy, capacityProviderName } = request;
  const taskRoleArn = overrides.taskRoleArn ?? definition.taskRoleArn;
  const executionRoleArn = overrides.executionRoleArn ?? definition.executionRoleArn;
  return {
    account: request.account,
    region: request.region,
    cluster: request.cluster,
    id: state.random.hex(32),
    taskDefinitionArn: definition.taskDefinitionArn,
    group: request.group,
    ...(startedBy === undefined ? {} : { startedBy }),
    launchType: request.launchType,
    ...(capacityProviderName === undefined ? {} : { capacityProviderName }),
    cpu: overrides.cpu ?? definition.cpu ?? '0',
    memory: overrides.memory ?? definition.memory ?? '0',
    ...(taskRoleArn ? { taskRoleArn } : {}),
    ...(executionRoleArn ? { executionRoleArn } : {}),
    overrides,
    enableExecuteCommand: request.enableExecuteCommand,
    tags: request.tags,
    network: request.network,
    containers: definition.containerDefinitions.map((container) => newContainer(state, container, overrides)),
    lastStatus: 'PROVISIONING',
    desiredStatus: 'RUNNING',
    version: 1,
    createdAt: state.clock.now(),
  };
}

function newContainer(
  state: EcsState,
  container: TaskDefinitionRecord['definition']['containerDefinitions'][number],
  overrides: TaskOverride,
): TaskContainer {
  const { name, image, cpu, memory, memoryReservation, essential = true, healthCheck } = container;
  const over = overrides.containerOverrides?.find((override) => override.name === name);
  const text = (member: string, value: number | undefined) => (value === undefined ? {} : { [member]: String(value) });
  return {
    id: state.random.uuid(),
    name,
    image,
    lastStatus: 'PENDING',
    healthStatus: 'UNKNOWN',
    isJudged: essential && healthCheck !== undefined && healthCheck.command?.[0] !== 'NONE',
    ...text('cpu', over?.cpu ?? cpu),
    ...text('memory', over?.memory ?? memory),
    ...text('memoryReservation', over?.memoryReservation ?? memoryReservation),
  };
}

/** What writes a new task and puts it up for placement. */
export function writesOf(state: EcsState, task: TaskRecord): readonly Operation[] {
  const id = idIn(task, task.id);
  return [state.tasks.put(id, task), state.unplaced.put(id, { since: task.createdAt })];
}

/** The task with changes; every change counts. */
export function changed(task: TaskRecord, changes: Partial<TaskRecord>): TaskRecord {
  return { ...task, ...changes, version: task.version + 1 };
}

/** Asks a task to stop, unless it stops already: its code and reason stay those of the first who asked. */
export function asked(task: TaskRecord, why: Pick<TaskRecord, 'stopCode' | 'stoppedReason'>, now: number): TaskRecord {
  if (task.desiredStatus === 'STOPPED') return task;
  return changed(task, { desiredStatus: 'STOPPED', ...why, stoppingAt: now });
}
