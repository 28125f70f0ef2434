import type { ContainerDefinition, ContainerOverride, TaskOverride } from '@aws-sdk/client-ecs';
import type { ContainerSpec, HealthCheck, SandboxSpec } from '#node';
import { clusterArn, taskArn } from './names.ts';
import type { TaskDefinitionRecord, TaskPlacement, TaskRecord } from './records.ts';

type Definition = TaskDefinitionRecord['definition'];

/** How long a container may take to stop when its definition does not say: ContainerDefinition, "stopTimeout". */
const STOP_TIMEOUT_S = 30;

/** The sandbox a node runs for a task. Throws `Error` for what the definition asks and we cannot give: see `unsupported`. */
export function sandboxSpec(task: TaskRecord, placement: TaskPlacement, definition: Definition): SandboxSpec {
  return {
    id: task.id,
    nodeId: placement.nodeId,
    tenant: task.account,
    region: task.region,
    desired: 'running',
    networkInterfaceId: placement.networkInterfaceId,
    hostname: placement.privateDnsName,
    cpuUnits: Number(task.cpu),
    memoryMiB: Number(task.memory),
    volumes: (definition.volumes ?? []).map(({ name }) => ({ name: name! })),
    containers: definition.containerDefinitions.map((container) => containerSpec(task, definition, container)),
    identity: taskArn(task, task.id),
    facts: factsOf(task, placement, definition),
  };
}

/** What the agent tells a task of itself: see `agent/metadata.ts`. */
function factsOf(task: TaskRecord, placement: TaskPlacement, definition: Definition): { [name: string]: string } {
  return {
    cluster: clusterArn(task, task.cluster),
    family: definition.family,
    revision: String(definition.revision),
    launchType: task.launchType,
    availabilityZone: placement.zone,
    macAddress: placement.macAddress,
    privateIp: placement.privateIp,
    privateDnsName: placement.privateDnsName,
    createdAt: String(task.createdAt),
    ...(task.taskRoleArn ? { taskRole: task.taskRoleArn } : {}),
    ...(task.group.startsWith('service:') ? { service: task.group.slice('service:'.length) } : {}),
  };
}

/** What a definition asks that tasks here cannot have, in words; undefined if they can have everything. */
export function unsupported(definition: Definition): string | undefined {
  const volume = definition.volumes?.find(
    ({ efsVolumeConfiguration, fsxWindowsFileServerVolumeConfiguration, configuredAtLaunch }) =>
      efsVolumeConfiguration ?? fsxWindowsFileServerVolumeConfiguration ?? configuredAtLaunch,
  );
  if (volume) return `volume '${volume.name}' is not a plain volume`;
  if (definition.proxyConfiguration) return 'proxyConfiguration';
  for (const container of definition.containerDefinitions) {
    const wish = unsupportedWish(container);
    if (wish) return `${wish} of container '${container.name}'`;
  }
  return undefined;
}

function unsupportedWish(container: ContainerDefinition): string | undefined {
  const linux = container.linuxParameters;
  const wishes: { readonly [what: string]: boolean | undefined } = {
    secrets: Boolean(container.secrets?.length),
    environmentFiles: Boolean(container.environmentFiles?.length),
    repositoryCredentials: Boolean(container.repositoryCredentials),
    restartPolicy: container.restartPolicy?.enabled,
    resourceRequirements: Boolean(container.resourceRequirements?.length),
    systemControls: Boolean(container.systemControls?.length),
    extraHosts: Boolean(container.extraHosts?.length),
    firelensConfiguration: Boolean(container.firelensConfiguration),
    credentialSpecs: Boolean(container.credentialSpecs?.length),
    'devices, tmpfs or shared memory': Boolean(
      linux?.devices?.length || linux?.tmpfs?.length || linux?.sharedMemorySize,
    ),
    [`log driver ${container.logConfiguration?.logDriver}`]:
      container.logConfiguration !== undefined && container.logConfiguration.logDriver !== 'awslogs',
    'secretOptions of the log': Boolean(container.logConfiguration?.secretOptions?.length),
  };
  return Object.keys(wishes).find((what) => wishes[what]);
}

function containerSpec(
  task: TaskRecord,
  definition: Definition,
  container: Definition['containerDefinitions'][number],
): ContainerSpec {
  const over = overrideOf(task.overrides, container.name);
  const command = over?.command ?? container.command;
  const { log, healthCheck, ...optional } = {
    entryPoint: container.entryPoint,
    command,
    workingDirectory: container.workingDirectory,
    user: container.user,
    cpuUnits: (over?.cpu ?? container.cpu) || undefined,
    memoryMiB: over?.memory ?? container.memory,
    memoryReservationMiB: over?.memoryReservation ?? container.memoryReservation,
    isReadOnlyRoot: container.readonlyRootFilesystem,
    isInitEnabled: container.linuxParameters?.initProcessEnabled,
    isTty: container.pseudoTerminal,
    capabilities: capabilitiesOf(container),
    ulimits: container.ulimits?.map(({ name, softLimit, hardLimit }) => ({
      name: name!,
      soft: softLimit!,
      hard: hardLimit!,
    })),
    startTimeoutMs: container.startTimeout === undefined ? undefined : container.startTimeout * 1000,
    healthCheck: healthCheckOf(container),
    log: logOf(container),
  };
  return {
    name: container.name,
    image: container.image,
    isEssential: container.essential ?? true,
    environment: environmentOf(container, over),
    mounts: mountsOf(container, definition),
    dependsOn: (container.dependsOn ?? []).map(({ containerName, condition }) => ({
      container: containerName!,
      condition: condition!,
    })),
    stopTimeoutMs: (container.stopTimeout ?? STOP_TIMEOUT_S) * 1000,
    labels: labelsOf(task, definition, container),
    ...present(optional),
    ...present({ log, healthCheck }),
  };
}

/** The members that are there: an absent member of a record is left out, never undefined. */
function present<T extends object>(members: T): { [Name in keyof T]?: Exclude<T[Name], undefined> } {
  const entries = Object.entries(members).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [Name in keyof T]?: Exclude<T[Name], undefined> };
}

function overrideOf(overrides: TaskOverride, name: string): ContainerOverride | undefined {
  return overrides.containerOverrides?.find((override) => override.name === name);
}

function environmentOf(
  container: ContainerDefinition,
  over: ContainerOverride | undefined,
): { [name: string]: string } {
  const pairs = [...(container.environment ?? []), ...(over?.environment ?? [])];
  return Object.fromEntries(pairs.map(({ name = '', value = '' }) => [name, value]));
}

function capabilitiesOf({ linuxParameters }: ContainerDefinition): ContainerSpec['capabilities'] {
  const { add = [], drop = [] } = linuxParameters?.capabilities ?? {};
  return add.length || drop.length ? { add, drop } : undefined;
}

function mountsOf(container: ContainerDefinition, definition: Definition): ContainerSpec['mounts'] {
  const own = (container.mountPoints ?? []).map(({ sourceVolume, containerPath, readOnly }) => ({
    volume: sourceVolume!,
    path: containerPath!,
    isReadOnly: readOnly ?? false,
  }));
  const shared = (container.volumesFrom ?? []).flatMap(({ sourceContainer, readOnly }) => {
    const source = definition.containerDefinitions.find(({ name }) => name === sourceContainer);
    return (source?.mountPoints ?? []).map(({ sourceVolume, containerPath, readOnly: isSourceReadOnly }) => ({
      volume: sourceVolume!,
      path: containerPath!,
      isReadOnly: (readOnly ?? false) || (isSourceReadOnly ?? false),
    }));
  });
  return [...own, ...shared];
}

/** Defaults of HealthCheck: API Reference. */
function healthCheckOf({ healthCheck }: ContainerDefinition): HealthCheck | undefined {
  const command = healthCheck?.command;
  if (!command || command[0] === 'NONE') return undefined;
  return {
    command,
    intervalMs: (healthCheck.interval ?? 30) * 1000,
    timeoutMs: (healthCheck.timeout ?? 5) * 1000,
    retries: healthCheck.retries ?? 3,
    startPeriodMs: (healthCheck.startPeriod ?? 0) * 1000,
  };
}

function logOf({ logConfiguration }: ContainerDefinition): ContainerSpec['log'] {
  if (!logConfiguration) return undefined;
  return { driver: logConfiguration.logDriver!, options: logConfiguration.options ?? {} };
}

/** Labels that the ECS agent gives to every container of a task: ECS Developer Guide, "Container metadata". */
function labelsOf(
  task: TaskRecord,
  definition: Definition,
  container: ContainerDefinition,
): { [name: string]: string } {
  return {
    ...container.dockerLabels,
    'com.amazonaws.ecs.cluster': task.cluster,
    'com.amazonaws.ecs.container-name': container.name!,
    'com.amazonaws.ecs.task-arn': taskArn(task, task.id),
    'com.amazonaws.ecs.task-definition-family': definition.family,
    'com.amazonaws.ecs.task-definition-version': String(definition.revision),
  };
}
