import type { UpdateServiceRequest } from '@aws-sdk/client-ecs';
import type { Operation, Versioned } from '#store';
import { AwsError } from '../errors.ts';
import type { CallContext, Handlers } from '../service.ts';
import { readTags } from '../tags.ts';
import { findCluster } from './clusters.ts';
import { checkLaunchable, launchOf } from './launch.ts';
import { idIn, invalidParameter, notSupported, serviceArn, shortName, type ClusterScope } from './names.ts';
import { pageOf } from './pages.ts';
import { passRoles } from './pass-role.ts';
import type { DeploymentRecord, ServiceRecord, TaskDefinitionRecord, TaskNetwork } from './records.ts';
import { checkDesiredCount, checkServiceName, checkSupported, deploymentConfiguration } from './service-checks.ts';
import { tasksOf } from './service-scheduler.ts';
import { toService } from './service-view.ts';
import type { EcsState } from './state.ts';
import { taskNetwork } from './task-network.ts';
import { mustFindDefinition } from './tasks.ts';

/** `default` limit of ListServices. */
const LIST_LIMIT = 10;

function newDeployment(
  state: EcsState,
  definition: TaskDefinitionRecord['definition'],
  network: TaskNetwork,
): DeploymentRecord {
  const now = state.clock.now();
  const id = `ecs-svc/${state.random.text(1, '123456789')}${state.random.text(18, '0123456789')}`;
  return {
    id,
    status: 'PRIMARY',
    taskDefinitionArn: definition.taskDefinitionArn,
    network,
    rolloutState: 'IN_PROGRESS',
    rolloutStateReason: `ECS deployment ${id} in progress.`,
    createdAt: now,
    updatedAt: now,
  };
}

function checkActive({ status }: ServiceRecord): void {
  if (status !== 'ACTIVE') throw new AwsError('ServiceNotActiveException', 'Service was not ACTIVE.');
}

export function serviceHandlers(state: EcsState) {
  const { services, store, clock } = state;

  async function shown(service: ServiceRecord, withTags = true) {
    return toService(
      service,
      (await tasksOf(state, service)).map(({ value }) => value),
      { withTags },
    );
  }

  async function mustFind(
    context: CallContext,
    cluster: string | undefined,
    name: string | undefined,
  ): Promise<Versioned<ServiceRecord>> {
    const scope = await findCluster(state, context, cluster);
    const service = await services.get(idIn(scope, shortName(name ?? '')));
    if (!service) throw new AwsError('ServiceNotFoundException', 'Service not found.');
    return service;
  }

  /** The network of a deployment; a definition without `awsvpc` has none. */
  async function networkFor(
    context: CallContext,
    definition: TaskDefinitionRecord['definition'],
    configuration: UpdateServiceRequest['networkConfiguration'],
  ): Promise<TaskNetwork> {
    if (definition.networkMode !== 'awsvpc') return { subnetIds: [], securityGroupIds: [], assignPublicIp: false };
    return taskNetwork(state, context, configuration);
  }

  return {
    async CreateService(input, context) {
      const { record: cluster, ...scope } = await findCluster(state, context, input.cluster);
      const name = checkServiceName(input.serviceName);
      checkSupported(input);
      checkDesiredCount(input.desiredCount);
      const launch = launchOf(input, cluster);
      if (input.schedulingStrategy === 'DAEMON') {
        if (launch.launchType === 'FARGATE')
          throw invalidParameter('The daemon scheduling strategy is not supported for the Fargate launch type.');
        throw notSupported('the scheduling strategy DAEMON');
      }
      if (input.desiredCount === undefined) throw invalidParameter('desiredCount cannot be null.');
      const taskDefinition = await mustFindDefinition(state, context, input.taskDefinition);
      checkLaunchable(taskDefinition, launch.launchType);
      await passRoles(context, [taskDefinition.definition.taskRoleArn, taskDefinition.definition.executionRoleArn]);
      const network = await networkFor(context, taskDefinition.definition, input.networkConfiguration);
      const service: ServiceRecord = {
        account: scope.account,
        region: scope.region,
        cluster: scope.cluster,
        name,
        status: 'ACTIVE',
        desiredCount: input.desiredCount,
        launchType: launch.launchType,
        ...(launch.strategy ? { capacityProviderStrategy: launch.strategy } : {}),
        deploymentConfiguration: deploymentConfiguration(input.deploymentConfiguration),
        enableExecuteCommand: input.enableExecuteCommand ?? false,
        enableECSManagedTags: input.enableECSManagedTags ?? false,
        propagateTags: input.propagateTags ?? 'NONE',
        ...(input.healthCheckGracePeriodSeconds === undefined
          ? {}
          : { healthCheckGracePeriodSeconds: input.healthCheckGracePeriodSeconds }),
        tags: readTags(input.tags),
        deployments: [newDeployment(state, taskDefinition.definition, network)],
        events: [],
        isSteady: false,
        createdAt: clock.now(),
        createdBy: 'arn' in context.principal ? context.principal.arn : '',
      };
      const output = { service: await shown(service) };
      await create(scope, service, context.remember(output));
      return output;
    },

    async UpdateService(input, context) {
      const { value: before, id } = await mustFind(context, input.cluster, input.service);
      checkActive(before);
      checkSupported(input);
      checkDesiredCount(input.desiredCount);
      if (input.capacityProviderStrategy?.length) throw notSupported('a changed capacityProviderStrategy');
      const [primary] = before.deployments;
      const taskDefinition =
        input.taskDefinition || !primary ? await mustFindDefinition(state, context, input.taskDefinition) : undefined;
      if (taskDefinition) {
        checkLaunchable(taskDefinition, before.launchType);
        await passRoles(context, [taskDefinition.definition.taskRoleArn, taskDefinition.definition.executionRoleArn]);
      }
      const network = input.networkConfiguration
        ? await taskNetwork(state, context, input.networkConfiguration)
        : undefined;
      const definition = taskDefinition?.definition;
      const { value } = await services.update(id, (service) => {
        checkActive(service);
        return changedService(service, input, definition, network);
      });
      return { service: await shown(value) };
    },

    async DeleteService(input, context) {
      const { id } = await mustFind(context, input.cluster, input.service);
      const { value } = await services.update(id, (service) => {
        if (service.status !== 'ACTIVE') throw new AwsError('ServiceNotFoundException', 'Service not found.');
        if (service.desiredCount > 0 && !input.force)
          throw invalidParameter('The service cannot be stopped while it is scaled above 0.');
        return { ...service, status: 'DRAINING', desiredCount: 0, isSteady: false };
      });
      return { service: await shown(value) };
    },

    async DescribeServices(input, context) {
      const scope = await findCluster(state, context, input.cluster);
      const names = input.services ?? [];
      if (!names.length) throw invalidParameter('Services cannot be empty.');
      if (names.length > 10) throw invalidParameter('Services cannot be more than 10.');
      const found = await Promise.all(names.map((name) => services.get(idIn(scope, shortName(name)))));
      const withTags = input.include?.includes('TAGS') ?? false;
      return {
        services: await Promise.all(found.flatMap((seen) => (seen ? [shown(seen.value, withTags)] : []))),
        failures: names
          .filter((_name, index) => !found[index])
          .map((name) => ({ arn: serviceArn(scope, shortName(name)), reason: 'MISSING' })),
      };
    },

    async ListServices(input, context) {
      const scope = await findCluster(state, context, input.cluster);
      const rows = (await services.list(idIn(scope, '')))
        .map(({ value }) => value)
        .filter(
          ({ status, launchType }) =>
            status !== 'INACTIVE' &&
            (input.launchType === undefined || launchType === input.launchType) &&
            input.schedulingStrategy !== 'DAEMON',
        );
      const arns = rows.map(({ name }) => serviceArn(scope, name));
      const { items, nextToken } = pageOf(arns, input, LIST_LIMIT);
      return { serviceArns: items, nextToken };
    },
  } satisfies Handlers<typeof import('@aws-sdk/client-ecs')>;

  async function create(scope: ClusterScope, service: ServiceRecord, beside: readonly Operation[]): Promise<void> {
    const id = idIn(scope, service.name);
    const existing = await services.get(id);
    if (existing?.value.status === 'DRAINING')
      throw invalidParameter('Unable to Start a service that is still Draining.');
    const { succeeded } =
      existing?.value.status === 'ACTIVE'
        ? { succeeded: false }
        : await store.txn({
            compare: [
              existing ? services.ifUnchanged(existing) : services.ifAbsent(id),
              state.clusters.ifPresent(`${scope.account}/${scope.region}/${scope.cluster}`),
            ],
            success: [services.put(id, service), ...beside],
          });
    if (!succeeded) throw invalidParameter('Creation of service was not idempotent.');
  }

  /** The service after an update: a change of what its copies are begins a new deployment. */
  function changedService(
    service: ServiceRecord,
    input: UpdateServiceRequest,
    definition: TaskDefinitionRecord['definition'] | undefined,
    network: TaskNetwork | undefined,
  ): ServiceRecord {
    const next: ServiceRecord = {
      ...service,
      desiredCount: input.desiredCount ?? service.desiredCount,
      deploymentConfiguration: deploymentConfiguration(input.deploymentConfiguration, service.deploymentConfiguration),
      enableExecuteCommand: input.enableExecuteCommand ?? service.enableExecuteCommand,
      enableECSManagedTags: input.enableECSManagedTags ?? service.enableECSManagedTags,
      propagateTags: input.propagateTags ?? service.propagateTags,
      ...(input.healthCheckGracePeriodSeconds === undefined
        ? {}
        : { healthCheckGracePeriodSeconds: input.healthCheckGracePeriodSeconds }),
    };
    const primary = service.deployments[0]!;
    const isNewDefinition = definition && definition.taskDefinitionArn !== primary.taskDefinitionArn;
    const isNewNetwork = network && JSON.stringify(network) !== JSON.stringify(primary.network);
    if (!isNewDefinition && !isNewNetwork && !input.forceNewDeployment)
      return next.desiredCount === service.desiredCount ? next : { ...next, isSteady: false };
    const deployment: DeploymentRecord = {
      ...newDeployment(state, { ...(definition as TaskDefinitionRecord['definition']) }, network ?? primary.network),
      taskDefinitionArn: definition?.taskDefinitionArn ?? primary.taskDefinitionArn,
    };
    const older = service.deployments.map((one) => ({ ...one, status: 'ACTIVE' as const, updatedAt: clock.now() }));
    return { ...next, deployments: [deployment, ...older], isSteady: false };
  }
}
