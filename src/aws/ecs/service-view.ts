import type { Deployment, Service } from '@aws-sdk/client-ecs';
import { lowerCaseTags } from '../tags.ts';
import { clusterArn, serviceArn } from './names.ts';
import type { DeploymentRecord, ServiceRecord, TaskRecord } from './records.ts';
import { toNetworkConfiguration } from './task-network.ts';

const pending = ['PROVISIONING', 'PENDING', 'ACTIVATING'];

function counts(tasks: readonly TaskRecord[]) {
  const alive = tasks.filter(({ desiredStatus }) => desiredStatus === 'RUNNING');
  return {
    runningCount: alive.filter(({ lastStatus }) => lastStatus === 'RUNNING').length,
    pendingCount: alive.filter(({ lastStatus }) => pending.includes(lastStatus)).length,
  };
}

/** The service as the API shows it, its counts taken from its tasks; tags only when asked for. */
export function toService(
  service: ServiceRecord,
  tasks: readonly TaskRecord[],
  options: { readonly withTags: boolean },
): Service {
  const [primary] = service.deployments;
  const isFargate = service.launchType === 'FARGATE';
  return {
    serviceArn: serviceArn(service, service.name),
    serviceName: service.name,
    clusterArn: clusterArn(service, service.cluster),
    status: service.status,
    desiredCount: service.desiredCount,
    ...counts(tasks),
    taskDefinition: primary?.taskDefinitionArn,
    ...launchOf(service),
    deploymentConfiguration: service.deploymentConfiguration,
    deploymentController: { type: 'ECS' },
    deployments: service.deployments.map((deployment) =>
      toDeployment(
        service,
        deployment,
        tasks.filter(({ startedBy }) => startedBy === deployment.id),
      ),
    ),
    networkConfiguration: primary && toNetworkConfiguration(primary.network),
    loadBalancers: [],
    serviceRegistries: [],
    placementConstraints: [],
    placementStrategy: [],
    platformVersion: isFargate ? 'LATEST' : undefined,
    platformFamily: isFargate ? 'Linux' : undefined,
    schedulingStrategy: 'REPLICA',
    roleArn: `arn:aws:iam::${service.account}:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS`,
    healthCheckGracePeriodSeconds: service.healthCheckGracePeriodSeconds,
    enableECSManagedTags: service.enableECSManagedTags,
    propagateTags: service.propagateTags,
    enableExecuteCommand: service.enableExecuteCommand,
    availabilityZoneRebalancing: 'DISABLED',
    events: service.events.map(({ id, createdAt, message }) => ({ id, createdAt: new Date(createdAt), message })),
    createdAt: new Date(service.createdAt),
    createdBy: service.createdBy,
    tags: options.withTags ? lowerCaseTags(service.tags) : [],
  };
}

function launchOf(service: ServiceRecord): Pick<Service, 'launchType' | 'capacityProviderStrategy'> {
  return service.capacityProviderStrategy
    ? { capacityProviderStrategy: [...service.capacityProviderStrategy] }
    : { launchType: service.launchType };
}

function toDeployment(service: ServiceRecord, deployment: DeploymentRecord, tasks: readonly TaskRecord[]): Deployment {
  return {
    id: deployment.id,
    status: deployment.status,
    taskDefinition: deployment.taskDefinitionArn,
    desiredCount: deployment.status === 'PRIMARY' ? service.desiredCount : 0,
    ...counts(tasks),
    failedTasks: tasks.filter(({ stopCode, startedAt }) => stopCode === 'TaskFailedToStart' && startedAt === undefined)
      .length,
    createdAt: new Date(deployment.createdAt),
    updatedAt: new Date(deployment.updatedAt),
    ...launchOf(service),
    platformVersion: service.launchType === 'FARGATE' ? '1.4.0' : undefined,
    platformFamily: service.launchType === 'FARGATE' ? 'Linux' : undefined,
    networkConfiguration: toNetworkConfiguration(deployment.network),
    rolloutState: deployment.rolloutState,
    rolloutStateReason: deployment.rolloutStateReason,
  };
}
