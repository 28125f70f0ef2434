import type { ContainerDefinition, RegisterTaskDefinitionRequest, TaskDefinition } from '@aws-sdk/client-ecs';
import type { Versioned } from '#store';
import type { CallContext, Handlers } from '../service.ts';
import { lowerCaseTags, readTags } from '../tags.ts';
import { isFargateSize } from '../fargate-sizes.ts';
import { clientException, parseTaskDefinition, taskDefinitionArn, type Scope } from './names.ts';
import { pageOf } from './pages.ts';
import { passRoles } from './pass-role.ts';
import type { TaskDefinitionRecord } from './records.ts';
import type { EcsState } from './state.ts';
import { checkTaskDefinition, type TaskSize } from './task-definition-checks.ts';

/** Id of a revision; padded, so that a family's revisions are in order. */
export function revisionId(scope: Scope, family: string, revision: number): string {
  return `${scope.account}/${scope.region}/${family}/${String(revision).padStart(9, '0')}`;
}

/** The revision an identifier names, or the latest ACTIVE one of a bare family; undefined if there is none. */
export async function findTaskDefinition(
  state: EcsState,
  scope: Scope,
  identifier: string,
): Promise<Versioned<TaskDefinitionRecord> | undefined> {
  const { family, revision } = parseTaskDefinition(identifier);
  if (revision !== undefined) return state.taskDefinitions.get(revisionId(scope, family, revision));
  const revisions = await state.taskDefinitions.list(`${scope.account}/${scope.region}/${family}/`);
  return revisions.findLast(({ value }) => value.definition.status === 'ACTIVE');
}

export function toTaskDefinition(record: TaskDefinitionRecord): TaskDefinition {
  const { definition, registeredAt, deregisteredAt, deleteRequestedAt } = record;
  return {
    ...definition,
    containerDefinitions: [...definition.containerDefinitions],
    registeredAt: new Date(registeredAt),
    deregisteredAt: deregisteredAt === undefined ? undefined : new Date(deregisteredAt),
    deleteRequestedAt: deleteRequestedAt === undefined ? undefined : new Date(deleteRequestedAt),
  };
}

/** A container as the API shows it: what was given, with the service's defaults. */
function withDefaults(container: ContainerDefinition, networkMode: string | undefined) {
  const isShared = networkMode === 'awsvpc' || networkMode === 'host';
  return {
    ...container,
    // Both were checked to be there.
    name: container.name!,
    image: container.image!,
    cpu: container.cpu ?? 0,
    essential: container.essential ?? true,
    portMappings: (container.portMappings ?? []).map((mapping) => ({
      ...mapping,
      hostPort: mapping.hostPort ?? (isShared ? mapping.containerPort : 0),
      protocol: mapping.protocol ?? ('tcp' as const),
    })),
    environment: container.environment ?? [],
    mountPoints: container.mountPoints ?? [],
    volumesFrom: container.volumesFrom ?? [],
    systemControls: container.systemControls ?? [],
  };
}

/** Where the definition could run, whatever it was asked to be compatible with. */
function compatibilities({ networkMode }: RegisterTaskDefinitionRequest, size: TaskSize): ('EC2' | 'FARGATE')[] {
  const fits = networkMode === 'awsvpc' && isFargateSize({ cpuUnits: 0, memoryMiB: 0, ...size });
  return fits ? ['EC2', 'FARGATE'] : ['EC2'];
}

function definitionOf(
  input: RegisterTaskDefinitionRequest,
  context: CallContext,
  numbers: { readonly revision: number; readonly size: TaskSize },
): TaskDefinitionRecord['definition'] {
  const { tags: _tags, cpu: _cpu, memory: _memory, ...given } = input;
  const { revision, size } = numbers;
  const family = input.family!;
  return {
    ...given,
    taskDefinitionArn: taskDefinitionArn(context, family, revision),
    family,
    revision,
    status: 'ACTIVE',
    ...(size.cpuUnits === undefined ? {} : { cpu: String(size.cpuUnits) }),
    ...(size.memoryMiB === undefined ? {} : { memory: String(size.memoryMiB) }),
    containerDefinitions: input.containerDefinitions!.map((container) => withDefaults(container, input.networkMode)),
    volumes: input.volumes ?? [],
    placementConstraints: input.placementConstraints ?? [],
    compatibilities: compatibilities(input, size),
    requiresAttributes: requiredAttributes(input).map((name) => ({ name })),
    registeredBy: 'arn' in context.principal ? context.principal.arn : undefined,
  };
}

/** Attributes that a container instance needs, in the words of the agent's capabilities. */
function requiredAttributes(input: RegisterTaskDefinitionRequest): string[] {
  const containers = input.containerDefinitions ?? [];
  const names = [
    ...containers.flatMap(({ logConfiguration }) =>
      logConfiguration ? [`com.amazonaws.ecs.capability.logging-driver.${logConfiguration.logDriver}`] : [],
    ),
    ...(input.executionRoleArn
      ? ['ecs.capability.execution-role-awslogs', 'ecs.capability.execution-role-ecr-pull']
      : []),
    ...(input.taskRoleArn ? ['com.amazonaws.ecs.capability.task-iam-role'] : []),
    ...(input.networkMode === 'awsvpc' ? ['ecs.capability.task-eni'] : []),
    ...(containers.some(({ healthCheck }) => healthCheck) ? ['ecs.capability.container-health-check'] : []),
    'com.amazonaws.ecs.capability.docker-remote-api.1.18',
  ];
  return [...new Set(names)].sort();
}

export function taskDefinitionHandlers(state: EcsState) {
  const { store, families, taskDefinitions, clock } = state;

  async function mustFind(scope: Scope, identifier: string | undefined): Promise<Versioned<TaskDefinitionRecord>> {
    const found = await findTaskDefinition(state, scope, identifier ?? '');
    if (!found) throw clientException('Unable to describe task definition.');
    return found;
  }

  /** All revisions of a scope whose family starts with `prefix`, in order. */
  async function all(scope: Scope, prefix = ''): Promise<TaskDefinitionRecord[]> {
    return (await taskDefinitions.list(`${scope.account}/${scope.region}/${prefix}`)).map(({ value }) => value);
  }

  return {
    async RegisterTaskDefinition(input, context) {
      const size = checkTaskDefinition(input);
      await passRoles(context, [input.taskRoleArn, input.executionRoleArn]);
      const tags = readTags(input.tags);
      const familyId = `${context.account}/${context.region}/${input.family}`;
      for (;;) {
        const family = await families.get(familyId);
        const revision = (family?.value.lastRevision ?? 0) + 1;
        const record: TaskDefinitionRecord = {
          definition: definitionOf(input, context, { revision, size }),
          tags,
          registeredAt: clock.now(),
        };
        const { succeeded } = await store.txn({
          compare: [family ? families.ifUnchanged(family) : families.ifAbsent(familyId)],
          success: [
            families.put(familyId, { lastRevision: revision }),
            taskDefinitions.put(revisionId(context, input.family!, revision), record),
          ],
        });
        if (succeeded) return { taskDefinition: toTaskDefinition(record), tags: lowerCaseTags(tags) };
      }
    },

    async DescribeTaskDefinition(input, context) {
      const { value } = await mustFind(context, input.taskDefinition);
      return {
        taskDefinition: toTaskDefinition(value),
        tags: input.include?.includes('TAGS') ? lowerCaseTags(value.tags) : [],
      };
    },

    async DeregisterTaskDefinition(input, context) {
      if (parseTaskDefinition(input.taskDefinition ?? '').revision === undefined)
        throw clientException('The specified task definition does not have a revision.');
      const found = await mustFind(context, input.taskDefinition);
      if (found.value.definition.status !== 'ACTIVE')
        throw clientException(
          'The specified task definition is inactive. Specify a valid task definition and try again.',
        );
      const { value } = await taskDefinitions.update(found.id, (record) => ({
        ...record,
        definition: { ...record.definition, status: 'INACTIVE' },
        deregisteredAt: clock.now(),
      }));
      return { taskDefinition: toTaskDefinition(value) };
    },

    async DeleteTaskDefinitions(input, context) {
      const deleted: TaskDefinition[] = [];
      const failures: { arn: string; reason: string }[] = [];
      for (const identifier of input.taskDefinitions ?? []) {
        const found = await findTaskDefinition(state, context, identifier);
        if (!found) failures.push({ arn: identifier, reason: 'The specified task definition was not found.' });
        else if (found.value.definition.status === 'ACTIVE')
          failures.push({
            arn: found.value.definition.taskDefinitionArn,
            reason:
              'The specified task definition is still in ACTIVE status. Please deregister the target and try again.',
          });
        else deleted.push(await remove(found));
      }
      return { taskDefinitions: deleted, failures };
    },

    async ListTaskDefinitions(input, context) {
      const wanted = input.status ?? 'ACTIVE';
      const records = await all(context, input.familyPrefix ? `${input.familyPrefix}/` : '');
      const matching = records.filter(({ definition }) => definition.status === wanted);
      // Revisions are numbers: ordered as numbers by their ids, so the page cuts the padded form.
      const rows = matching.map(({ definition }) => ({
        arn: definition.taskDefinitionArn,
        key: `${definition.family} ${String(definition.revision).padStart(9, '0')}`,
      }));
      const byKey = new Map(rows.map(({ key, arn }) => [key, arn]));
      const keys = [...byKey.keys()].sort();
      const { items, nextToken } = pageOf(keys, input);
      const arns = items.map((key) => byKey.get(key)!);
      return { taskDefinitionArns: input.sort === 'DESC' ? arns.toReversed() : arns, nextToken };
    },

    async ListTaskDefinitionFamilies(input, context) {
      const records = await all(context, input.familyPrefix ?? '');
      const isActive = new Map<string, boolean>();
      for (const { definition } of records)
        isActive.set(definition.family, (isActive.get(definition.family) ?? false) || definition.status === 'ACTIVE');
      const wanted = input.status ?? 'ACTIVE';
      const names = [...isActive].filter(([, active]) => wanted === 'ALL' || active === (wanted === 'ACTIVE'));
      const { items, nextToken } = pageOf(
        names.map(([family]) => family),
        input,
      );
      return { families: items, nextToken };
    },
  } satisfies Handlers<typeof import('@aws-sdk/client-ecs')>;

  /** A revision that something still uses stays until asked again; others are gone at once. */
  async function remove(found: Versioned<TaskDefinitionRecord>): Promise<TaskDefinition> {
    const { taskDefinitionArn } = found.value.definition;
    const [account, region] = found.id.split('/');
    const [tasks, services] = await Promise.all([
      state.tasks.list(`${account}/${region}/`),
      state.services.list(`${account}/${region}/`),
    ]);
    const isUsed =
      tasks.some(({ value }) => value.taskDefinitionArn === taskDefinitionArn && value.lastStatus !== 'STOPPED') ||
      services.some(({ value }) => value.deployments.some((one) => one.taskDefinitionArn === taskDefinitionArn));
    const record: TaskDefinitionRecord = {
      ...found.value,
      definition: { ...found.value.definition, status: 'DELETE_IN_PROGRESS' },
      deleteRequestedAt: clock.now(),
    };
    if (isUsed) await taskDefinitions.update(found.id, () => record);
    else await taskDefinitions.delete(found.id);
    return toTaskDefinition(record);
  }
}
