import type { ContainerDefinition, HealthCheck, Volume } from '@aws-sdk/client-ecs';
import { clientException } from './names.ts';

/** What a container is checked against: the rest of its task definition. */
export interface TaskShape {
  readonly isFargate: boolean;
  readonly networkMode: string;
  readonly executionRoleArn: string | undefined;
  readonly hasTaskMemory: boolean;
  readonly volumes: readonly Volume[];
  readonly containers: readonly ContainerDefinition[];
}

type Check = (container: ContainerDefinition, shape: TaskShape) => void;

/** The rules for one container of a definition, each with the sentence of its refusal. Messages are the service's where they are known. */
const checks: readonly Check[] = [
  checkIdentity,
  checkResources,
  checkPorts,
  checkLog,
  checkFargateLimits,
  checkEnvironment,
  checkMounts,
  checkTimeouts,
  checkHealthCheck,
];

export function checkContainer(container: ContainerDefinition, shape: TaskShape): void {
  for (const check of checks) check(container, shape);
}

function refuse(container: ContainerDefinition, message: string): never {
  throw clientException(`Invalid setting for container '${container.name}'. ${message}`);
}

function checkIdentity({ name, image }: ContainerDefinition): void {
  if (!name) throw clientException('Container.name should not be null or empty.');
  if (!/^[A-Za-z0-9_-]{1,255}$/.test(name)) throw clientException('Container.name contains invalid characters.');
  if (!image) throw clientException('Container.image should not be null or empty.');
  if (!/^[^\s\p{Cc}]{1,255}$/u.test(image)) throw clientException('Container.image contains invalid characters.');
}

function checkResources(container: ContainerDefinition, { hasTaskMemory }: TaskShape): void {
  const { memory, memoryReservation, cpu } = container;
  if (memory === undefined && memoryReservation === undefined && !hasTaskMemory)
    refuse(container, "At least one of 'memory' or 'memoryReservation' must be specified.");
  for (const [member, value] of Object.entries({ memory, memoryReservation }))
    if (value !== undefined && value < 6) refuse(container, `'${member}' must be at least 6 MiB, not ${value}.`);
  if (memory !== undefined && memoryReservation !== undefined && memoryReservation > memory)
    refuse(container, "'memory' must be greater than or equal to 'memoryReservation'.");
  if (cpu !== undefined && cpu < 0) refuse(container, `'cpu' must not be negative, not ${cpu}.`);
}

function checkPorts(container: ContainerDefinition, { networkMode }: TaskShape): void {
  const isShared = networkMode === 'awsvpc' || networkMode === 'host';
  for (const { containerPort, hostPort, protocol } of container.portMappings ?? []) {
    for (const port of [containerPort, hostPort])
      if (port !== undefined && (port < 0 || port > 65_535)) refuse(container, `Port ${port} is out of range.`);
    if (isShared && hostPort && containerPort && hostPort !== containerPort)
      throw clientException(
        `When networkMode=${networkMode}, the host ports and container ports in port mappings must match.`,
      );
    if (protocol !== undefined && protocol !== 'tcp' && protocol !== 'udp')
      refuse(container, `Protocol '${String(protocol)}' in port mappings must be tcp or udp.`);
  }
  if (networkMode === 'awsvpc' && container.links?.length)
    throw clientException('Links are not supported when networkMode=awsvpc.');
  if (networkMode === 'awsvpc' && container.hostname)
    throw clientException('hostname is not supported on container when networkMode=awsvpc.');
}

const fargateLogDrivers = ['awslogs', 'splunk', 'awsfirelens'];

function checkLog(container: ContainerDefinition, { isFargate, executionRoleArn }: TaskShape): void {
  const { logDriver, options = {} } = container.logConfiguration ?? {};
  if (!container.logConfiguration) return;
  if (isFargate && !fargateLogDrivers.includes(logDriver ?? ''))
    throw clientException(`Fargate only supports log drivers [${fargateLogDrivers.join(', ')}].`);
  if (logDriver !== 'awslogs') return;
  for (const option of ['awslogs-group', 'awslogs-region', ...(isFargate ? ['awslogs-stream-prefix'] : [])])
    if (!options[option]) throw clientException(`Log driver awslogs requires options: ${option}`);
  if (isFargate && !executionRoleArn)
    throw clientException('Fargate requires task definition to have execution role ARN to support log driver awslogs.');
}

const ECR_HOST = /^\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com\//;

function checkFargateLimits(container: ContainerDefinition, { isFargate, executionRoleArn }: TaskShape): void {
  if (!isFargate) return;
  if (container.privileged) refuse(container, "'privileged' is not supported on Fargate.");
  if (ECR_HOST.test(container.image ?? '') && !executionRoleArn)
    throw clientException('Fargate requires task definition to have execution role ARN to support ECR images.');
  const added = container.linuxParameters?.capabilities?.add ?? [];
  for (const capability of added)
    if (capability !== 'SYS_PTRACE')
      refuse(container, `Fargate only supports adding the capability SYS_PTRACE, not ${capability}.`);
  if (container.dnsServers?.length || container.dnsSearchDomains?.length || container.dockerSecurityOptions?.length)
    refuse(container, "'dnsServers', 'dnsSearchDomains' and 'dockerSecurityOptions' are not supported on Fargate.");
}

function checkEnvironment(container: ContainerDefinition, { executionRoleArn }: TaskShape): void {
  for (const { name } of container.environment ?? [])
    if (!name) refuse(container, 'The name of an environment variable must not be empty.');
  const names = new Set((container.environment ?? []).map(({ name }) => name));
  for (const { name, valueFrom } of container.secrets ?? []) {
    if (!name || !valueFrom) refuse(container, "Secrets need 'name' and 'valueFrom'.");
    if (names.has(name))
      throw clientException(
        `The secret name must be unique and not shared with any new or existing environment variables set on the container, such as '${name}'.`,
      );
    names.add(name);
  }
  if (container.secrets?.length && !executionRoleArn)
    throw clientException(
      "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'.",
    );
}

function checkMounts(container: ContainerDefinition, { volumes, containers }: TaskShape): void {
  for (const { sourceVolume, containerPath } of container.mountPoints ?? []) {
    if (!volumes.some(({ name }) => name === sourceVolume)) throw clientException(`Unknown volume '${sourceVolume}'.`);
    if (!containerPath?.startsWith('/')) refuse(container, `Mount path '${containerPath}' must be absolute.`);
  }
  for (const { sourceContainer } of container.volumesFrom ?? [])
    if (!containers.some(({ name }) => name === sourceContainer) || sourceContainer === container.name)
      refuse(container, `'volumesFrom' names an unknown container '${sourceContainer}'.`);
}

function checkTimeouts(container: ContainerDefinition, { isFargate }: TaskShape): void {
  for (const member of ['startTimeout', 'stopTimeout'] as const) {
    const value = container[member];
    if (value !== undefined && (value < 2 || (isFargate && value > 120)))
      refuse(container, `'${member}' must be between 2 and 120 seconds, not ${value}.`);
  }
}

/** HealthCheck: API Reference, in seconds. */
const healthRanges = { interval: [5, 300], timeout: [2, 120], retries: [1, 10], startPeriod: [0, 300] } as const;

function checkHealthCheck(container: ContainerDefinition): void {
  const { healthCheck } = container;
  if (!healthCheck) return;
  const [form, ...rest] = healthCheck.command ?? [];
  if (form === undefined) refuse(container, 'The health check needs a command.');
  if (form !== 'NONE' && (!['CMD', 'CMD-SHELL'].includes(form) || !rest.length))
    refuse(container, "The command of the health check must begin with 'CMD' or 'CMD-SHELL', followed by what to run.");
  for (const [member, [least, most]] of Object.entries(healthRanges)) {
    const value = healthCheck[member as keyof HealthCheck] as number | undefined;
    if (value !== undefined && (value < least || value > most))
      refuse(container, `'${member}' of the health check must be between ${least} and ${most}, not ${value}.`);
  }
}
