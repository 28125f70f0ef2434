import type { RegisterTaskDefinitionRequest } from '@aws-sdk/client-ecs';
import { checkContainer, type TaskShape } from './container-checks.ts';
import { checkDependencies } from './dependency-checks.ts';
import { checkFargateSize, parseCpu, parseMemory } from './fargate-sizes.ts';
import { clientException } from './names.ts';

/** The task's own size; absent on EC2 where containers have theirs. */
export interface TaskSize {
  readonly cpuUnits?: number;
  readonly memoryMiB?: number;
}

/** Throws `ClientException` unless the definition is one that ECS would register; returns its size. */
export function checkTaskDefinition(input: RegisterTaskDefinitionRequest): TaskSize {
  checkFamily(input.family);
  const size = sizeOf(input);
  const isFargate = input.requiresCompatibilities?.includes('FARGATE') ?? false;
  if (isFargate) checkFargate(input, size);
  const containers = input.containerDefinitions ?? [];
  if (!containers.length) throw clientException('Container list cannot be empty.');
  if (containers.length > 10) throw clientException('Too many containers: a task definition has at most 10.');
  checkVolumes(input, isFargate);
  const shape: TaskShape = {
    isFargate,
    networkMode: input.networkMode ?? 'bridge',
    executionRoleArn: input.executionRoleArn,
    hasTaskMemory: size.memoryMiB !== undefined,
    volumes: input.volumes ?? [],
    containers,
  };
  for (const container of containers) checkContainer(container, shape);
  checkTogether(input, size);
  checkDependencies(containers);
  return size;
}

function checkFamily(family: string | undefined): void {
  if (!family) throw clientException('Family should not be null or empty.');
  if (family.length > 255) throw clientException('Family should not be longer than 255 characters.');
  if (!/^[A-Za-z0-9_-]+$/.test(family)) throw clientException('Family contains invalid characters.');
}

function sizeOf({ cpu, memory }: RegisterTaskDefinitionRequest): TaskSize {
  const cpuUnits = cpu === undefined ? undefined : parseCpu(cpu);
  const memoryMiB = memory === undefined ? undefined : parseMemory(memory);
  if (cpu !== undefined && cpuUnits === undefined) throw clientException(`Invalid 'cpu' setting for task: ${cpu}`);
  if (memory !== undefined && memoryMiB === undefined)
    throw clientException(`Invalid 'memory' setting for task: ${memory}`);
  return { ...(cpuUnits ? { cpuUnits } : {}), ...(memoryMiB ? { memoryMiB } : {}) };
}

function checkFargate(input: RegisterTaskDefinitionRequest, { cpuUnits, memoryMiB }: TaskSize): void {
  if (cpuUnits === undefined) throw clientException("Fargate requires that 'cpu' be defined at the task level.");
  if (memoryMiB === undefined) throw clientException("Fargate requires that 'memory' be defined at the task level.");
  checkFargateSize(cpuUnits, memoryMiB);
  if (input.networkMode !== 'awsvpc') throw clientException("Fargate only supports network mode 'awsvpc'.");
  if (input.pidMode === 'host') throw clientException("Fargate only supports pidMode 'task'.");
  if (input.ipcMode) throw clientException("'ipcMode' is not supported on Fargate.");
  if (input.placementConstraints?.length) throw clientException('Placement constraints are not supported on Fargate.');
  const storage = input.ephemeralStorage?.sizeInGiB;
  if (storage !== undefined && (storage < 21 || storage > 200))
    throw clientException(`Ephemeral storage must be between 21 and 200 GiB, not ${storage}.`);
}

function checkVolumes({ volumes = [] }: RegisterTaskDefinitionRequest, isFargate: boolean): void {
  const names = new Set<string>();
  for (const { name, host, dockerVolumeConfiguration } of volumes) {
    if (!name || !/^[A-Za-z0-9_-]{1,255}$/.test(name)) throw clientException(`Invalid volume name '${name ?? ''}'.`);
    if (names.has(name)) throw clientException(`Volume name '${name}' is used more than once.`);
    names.add(name);
    if (isFargate && (host?.sourcePath || dockerVolumeConfiguration))
      throw clientException(
        `Volume '${name}': Fargate does not support 'host.sourcePath' or 'dockerVolumeConfiguration'.`,
      );
  }
}

/** Rules between containers. */
function checkTogether(
  { containerDefinitions = [], networkMode }: RegisterTaskDefinitionRequest,
  size: TaskSize,
): void {
  const names = containerDefinitions.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw clientException(`Container name '${twice}' is used more than once.`);
  if (containerDefinitions.every(({ essential }) => essential === false))
    throw clientException('At least one container of the task definition must be essential.');
  const total = (member: 'memory' | 'cpu') =>
    containerDefinitions.reduce((sum, container) => sum + (container[member] ?? 0), 0);
  for (const { name, memory } of containerDefinitions)
    if (memory !== undefined && size.memoryMiB !== undefined && memory > size.memoryMiB)
      throw clientException(
        `Invalid setting for container '${name}'. 'memory' (${memory} MiB) is greater than the memory of the task (${size.memoryMiB} MiB).`,
      );
  if (size.cpuUnits !== undefined && total('cpu') > size.cpuUnits)
    throw clientException(
      `The containers' cpu units together (${total('cpu')}) exceed those of the task (${size.cpuUnits}).`,
    );
  if (networkMode !== 'awsvpc') return;
  const ports = containerDefinitions.flatMap(({ portMappings = [] }) =>
    portMappings.map(({ containerPort, protocol = 'tcp' }) => `${containerPort}/${protocol}`),
  );
  const taken = ports.find((port, index) => ports.indexOf(port) !== index);
  if (taken) throw clientException(`Container port ${taken} is mapped more than once.`);
}
