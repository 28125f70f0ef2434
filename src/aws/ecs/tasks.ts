import type { RunTaskRequest, TaskOverride } from '@aws-sdk/client-ecs';
import { AwsError } from '../errors.ts';
import type { CallContext, Handlers } from '../service.ts';
import { readTags, type Tags } from '../tags.ts';
import { dealOut } from './capacity-providers.ts';
import { findCluster } from './clusters.ts';
import { checkFargateSize, parseCpu, parseMemory } from './fargate-sizes.ts';
import { checkLaunchable, launchOf } from './launch.ts';
import { idIn, invalidParameter, notSupported, shortName, taskArn, type ClusterScope } from './names.ts';
import { asked, newTask, writesOf } from './new-task.ts';
import { pageOf } from './pages.ts';
import { passRoles } from './pass-role.ts';
import type { TaskDefinitionRecord, TaskRecord } from './records.ts';
import type { EcsState } from './state.ts';
import { findTaskDefinition } from './task-definitions.ts';
import { taskNetwork } from './task-network.ts';
import { toTask } from './task-view.ts';

/** At most so many tasks in one call. */
const MAX_COUNT = 10;

export function taskHandlers(state: EcsState) {
  const { tasks, services, store, clock } = state;

  async function inCluster(scope: ClusterScope): Promise<TaskRecord[]> {
    return (await tasks.list(idIn(scope, ''))).map(({ value }) => value);
  }

  return {
    async RunTask(input, context) {
      const { record: cluster, ...scope } = await findCluster(state, context, input.cluster);
      const taskDefinition = await mustFindDefinition(state, context, input.taskDefinition);
      const launch = launchOf(input, cluster);
      checkLaunchable(taskDefinition, launch.launchType);
      const { definition } = taskDefinition;
      const { count = 1 } = input;
      if (count < 1 || count > MAX_COUNT)
        throw invalidParameter(`count must be between 1 and ${MAX_COUNT}, not ${count}.`);
      if (input.startedBy && input.startedBy.length > 128)
        throw invalidParameter('startedBy must have at most 128 characters.');
      if (input.volumeConfigurations?.length) throw notSupported('volumeConfigurations');
      // Container instances cannot be registered yet, so no cluster has any.
      if (launch.launchType !== 'FARGATE') throw invalidParameter('No Container Instances were found in your cluster.');
      if (input.placementConstraints?.length || input.placementStrategy?.length)
        throw invalidParameter('Placement strategies and constraints are not supported with FARGATE launch type.');
      const overrides = checkOverrides(input.overrides, definition);
      await passRoles(context, [
        overrides.taskRoleArn ?? definition.taskRoleArn,
        overrides.executionRoleArn ?? definition.executionRoleArn,
      ]);
      const network = await taskNetwork(state, context, input.networkConfiguration);
      const providers = launch.strategy ? dealOut(launch.strategy, count) : [];
      const made = Array.from({ length: count }, (_, index) =>
        newTask(state, {
          ...scope,
          taskDefinition: definition,
          launchType: launch.launchType,
          capacityProviderName: providers[index],
          network,
          group: input.group ?? `family:${definition.family}`,
          startedBy: input.startedBy,
          overrides,
          enableExecuteCommand: input.enableExecuteCommand ?? false,
          tags: tagsOf(input, taskDefinition),
        }),
      );
      const output = { tasks: made.map((task) => toTask(task, { withTags: true })), failures: [] };
      await store.txn({ success: [...made.flatMap((task) => writesOf(state, task)), ...context.remember(output)] });
      return output;
    },

    async StopTask(input, context) {
      const scope = await findCluster(state, context, input.cluster);
      const id = idIn(scope, shortName(input.task ?? ''));
      const isHere = !input.task?.startsWith('arn:') || input.task === taskArn(scope, shortName(input.task));
      if (!isHere || !(await tasks.get(id))) throw invalidParameter('The referenced task was not found.');
      const why = { stopCode: 'UserInitiated', stoppedReason: input.reason ?? 'Task stopped by user' } as const;
      const { value } = await tasks.update(id, (task) => asked(task, why, clock.now()));
      return { task: toTask(value, { withTags: true }) };
    },

    async DescribeTasks(input, context) {
      const scope = await findCluster(state, context, input.cluster);
      const names = input.tasks ?? [];
      if (!names.length) throw invalidParameter('Tasks cannot be empty.');
      if (names.length > 100) throw invalidParameter('Tasks cannot be more than 100.');
      const found = await Promise.all(
        names.map(async (name) => {
          const arn = taskArn(scope, shortName(name));
          if (name.startsWith('arn:') && name !== arn) return undefined;
          return (await tasks.get(idIn(scope, shortName(name))))?.value;
        }),
      );
      const withTags = input.include?.includes('TAGS') ?? false;
      return {
        tasks: found.flatMap((task) => (task ? [toTask(task, { withTags })] : [])),
        failures: names
          .filter((_name, index) => !found[index])
          .map((name) => ({ arn: name.startsWith('arn:') ? name : taskArn(scope, name), reason: 'MISSING' })),
      };
    },

    async ListTasks(input, context) {
      const scope = await findCluster(state, context, input.cluster);
      const serviceName = input.serviceName === undefined ? undefined : shortName(input.serviceName);
      if (serviceName !== undefined && !(await services.get(idIn(scope, serviceName))))
        throw new AwsError('ServiceNotFoundException', 'Service not found.');
      if (input.containerInstance) throw invalidParameter('Invalid container instance.');
      const desired = input.desiredStatus ?? 'RUNNING';
      const rows = (await inCluster(scope)).filter(
        (task) =>
          task.desiredStatus === desired &&
          (serviceName === undefined || task.group === `service:${serviceName}`) &&
          (input.family === undefined || task.taskDefinitionArn.includes(`:task-definition/${input.family}:`)) &&
          (input.startedBy === undefined || task.startedBy === input.startedBy) &&
          (input.launchType === undefined || task.launchType === input.launchType),
      );
      const { items, nextToken } = pageOf(
        rows.map(({ id }) => taskArn(scope, id)),
        input,
      );
      return { taskArns: items, nextToken };
    },
  } satisfies Handlers<typeof import('@aws-sdk/client-ecs')>;
}

/** The definition a task or service is to run. Throws `InvalidParameterException` as RunTask does. */
export async function mustFindDefinition(
  state: EcsState,
  context: CallContext,
  identifier: string | undefined,
): Promise<TaskDefinitionRecord> {
  if (!identifier) throw invalidParameter('Task definition can not be blank.');
  const found = await findTaskDefinition(state, context, identifier);
  if (!found || found.value.definition.status === 'DELETE_IN_PROGRESS')
    throw invalidParameter('TaskDefinition not found.');
  return found.value;
}

function checkOverrides(
  overrides: TaskOverride | undefined,
  definition: TaskDefinitionRecord['definition'],
): TaskOverride {
  for (const { name } of overrides?.containerOverrides ?? [])
    if (!definition.containerDefinitions.some((container) => container.name === name))
      throw invalidParameter(`Override for container named ${name} is not a container in the TaskDefinition.`);
  if (!overrides?.cpu && !overrides?.memory) return overrides ?? {};
  const cpuUnits = parseCpu(overrides.cpu ?? definition.cpu ?? '');
  const memoryMiB = parseMemory(overrides.memory ?? definition.memory ?? '');
  if (cpuUnits === undefined || memoryMiB === undefined)
    throw invalidParameter(`Invalid size in overrides: cpu '${overrides.cpu}', memory '${overrides.memory}'`);
  checkFargateSize(cpuUnits, memoryMiB);
  return { ...overrides, cpu: String(cpuUnits), memory: String(memoryMiB) };
}

function tagsOf(input: RunTaskRequest, taskDefinition: TaskDefinitionRecord): Tags {
  const own = readTags(input.tags);
  if (input.propagateTags === 'TASK_DEFINITION') return { ...taskDefinition.tags, ...own };
  if (input.propagateTags === 'SERVICE') throw invalidParameter('propagateTags SERVICE is not valid for RunTask.');
  return own;
}
