import type { Attachment, Container, HealthStatus, Task } from '@aws-sdk/client-ecs';
import { lowerCaseTags } from '../tags.ts';
import { clusterArn, containerArn, taskArn } from './names.ts';
import type { TaskContainer, TaskRecord } from './records.ts';

const date = (at: number | undefined) => (at === undefined ? undefined : new Date(at));

/** The task as the API shows it; tags only when asked for. */
export function toTask(task: TaskRecord, options: { readonly withTags: boolean }): Task {
  return {
    taskArn: taskArn(task, task.id),
    clusterArn: clusterArn(task, task.cluster),
    taskDefinitionArn: task.taskDefinitionArn,
    group: task.group,
    startedBy: task.startedBy,
    launchType: task.launchType,
    capacityProviderName: task.capacityProviderName,
    platformVersion: task.launchType === 'FARGATE' ? '1.4.0' : undefined,
    platformFamily: task.launchType === 'FARGATE' ? 'Linux' : undefined,
    cpu: task.cpu,
    memory: task.memory,
    ephemeralStorage:
      task.launchType === 'FARGATE' ? (task.overrides.ephemeralStorage ?? { sizeInGiB: 20 }) : undefined,
    availabilityZone: task.placement?.zone,
    attachments: attachmentsOf(task),
    attributes: [{ name: 'ecs.cpu-architecture', value: process.arch === 'arm64' ? 'arm64' : 'x86_64' }],
    connectivity: task.connectivityAt === undefined ? undefined : 'CONNECTED',
    connectivityAt: date(task.connectivityAt),
    containers: task.containers.map((container) => toContainer(task, container)),
    healthStatus: healthOf(task),
    lastStatus: task.lastStatus,
    desiredStatus: task.desiredStatus,
    enableExecuteCommand: task.enableExecuteCommand,
    inferenceAccelerators: [],
    overrides: {
      ...task.overrides,
      containerOverrides: task.overrides.containerOverrides ?? task.containers.map(({ name }) => ({ name })),
      inferenceAcceleratorOverrides: [],
    },
    stopCode: task.stopCode,
    stoppedReason: task.stoppedReason,
    version: task.version,
    createdAt: date(task.createdAt),
    pullStartedAt: date(task.pullStartedAt),
    pullStoppedAt: date(task.pullStoppedAt),
    startedAt: date(task.startedAt),
    stoppingAt: date(task.stoppingAt),
    executionStoppedAt: date(task.executionStoppedAt),
    stoppedAt: date(task.stoppedAt),
    tags: options.withTags ? lowerCaseTags(task.tags) : [],
  };
}

/**
 * The health of the essential containers that are checked, worst first: one unhealthy makes the task unhealthy, one without a verdict
 * unknown, as does having none (ECS Developer Guide, "Container health checks").
 */
export function healthOf(task: TaskRecord): HealthStatus {
  const judged = task.containers.filter(({ isJudged }) => isJudged).map(({ healthStatus }) => healthStatus);
  if (judged.includes('UNHEALTHY')) return 'UNHEALTHY';
  return judged.length && !judged.includes('UNKNOWN') ? 'HEALTHY' : 'UNKNOWN';
}

function toContainer(task: TaskRecord, container: TaskContainer): Container {
  const { placement } = task;
  return {
    containerArn: containerArn(task, task.id, container.id),
    taskArn: taskArn(task, task.id),
    name: container.name,
    image: container.image,
    imageDigest: container.imageDigest,
    runtimeId: container.runtimeId,
    lastStatus: container.lastStatus,
    exitCode: container.exitCode,
    reason: container.reason,
    healthStatus: container.healthStatus,
    cpu: container.cpu,
    memory: container.memory,
    memoryReservation: container.memoryReservation,
    networkBindings: [],
    networkInterfaces: placement
      ? [{ attachmentId: placement.attachmentId, privateIpv4Address: placement.privateIp }]
      : [],
  };
}

function attachmentsOf({ placement, lastStatus }: TaskRecord): Attachment[] {
  if (!placement) return [];
  const detail = (name: string, value: string) => ({ name, value });
  const isGone = lastStatus === 'STOPPED' || lastStatus === 'DEPROVISIONING';
  return [
    {
      id: placement.attachmentId,
      type: 'ElasticNetworkInterface',
      status: isGone ? 'DELETED' : lastStatus === 'PENDING' ? 'ATTACHING' : 'ATTACHED',
      details: [
        detail('subnetId', placement.subnetId),
        detail('networkInterfaceId', placement.networkInterfaceId),
        detail('macAddress', placement.macAddress),
        detail('privateDnsName', placement.privateDnsName),
        detail('privateIPv4Address', placement.privateIp),
      ],
    },
  ];
}
