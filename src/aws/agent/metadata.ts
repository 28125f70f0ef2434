import type { ContainerSpec, SandboxStatus } from '#node';
import { taskIdOf } from './addresses.ts';
import type { FoundSandbox } from './sandboxes.ts';

/** One CPU in the units of task definitions. */
const CPU_UNITS = 1024;

const date = (at: number | undefined) => (at === undefined ? undefined : new Date(at).toISOString());

const containerStates = { pending: 'PENDING', running: 'RUNNING', stopped: 'STOPPED' } as const;
const healthStates = { unknown: undefined, healthy: 'HEALTHY', unhealthy: 'UNHEALTHY' } as const;

/** The answer to `${ECS_CONTAINER_METADATA_URI_V4}/task`: ECS Developer Guide, "Task metadata v4 response". */
export function taskMetadata(found: FoundSandbox): object {
  const { spec, status } = found;
  const facts = spec.facts ?? {};
  return {
    Cluster: facts.cluster,
    TaskARN: spec.identity,
    Family: facts.family,
    Revision: facts.revision,
    ServiceName: facts.service,
    DesiredStatus: spec.desired === 'running' ? 'RUNNING' : 'STOPPED',
    KnownStatus: knownStatus(status),
    Limits: { CPU: spec.cpuUnits && spec.cpuUnits / CPU_UNITS, Memory: spec.memoryMiB },
    PullStartedAt: date(status?.pullStartedAt),
    PullStoppedAt: date(status?.pullStoppedAt),
    AvailabilityZone: facts.availabilityZone,
    LaunchType: facts.launchType,
    Containers: spec.containers.map((container) => containerMetadata(found, container)),
  };
}

function knownStatus(status: SandboxStatus | undefined): string {
  if (status?.phase === 'running') return 'RUNNING';
  return status?.phase === 'stopping' || status?.phase === 'stopped' ? 'STOPPED' : 'PENDING';
}

/** The answer to `${ECS_CONTAINER_METADATA_URI_V4}` itself. */
export function containerMetadata({ spec, status }: FoundSandbox, container: ContainerSpec): object {
  const facts = spec.facts ?? {};
  const state = status?.containers.find(({ name }) => name === container.name);
  const health = healthStates[state?.health ?? 'unknown'];
  return {
    DockerId: state?.runtimeId,
    Name: container.name,
    DockerName: `${spec.id}-${container.name}`,
    Image: container.image,
    ImageID: state?.imageDigest,
    Labels: container.labels,
    DesiredStatus: spec.desired === 'running' ? 'RUNNING' : 'STOPPED',
    KnownStatus: containerStates[state?.phase ?? 'pending'],
    ExitCode: state?.exitCode,
    Limits: { CPU: container.cpuUnits ?? 0, Memory: container.memoryMiB },
    CreatedAt: date(facts.createdAt === undefined ? undefined : Number(facts.createdAt)),
    StartedAt: date(state?.startedAt),
    FinishedAt: date(state?.stoppedAt),
    Health: health && { status: health },
    Type: 'NORMAL',
    LogDriver: container.log?.driver,
    LogOptions: container.log && { ...container.log.options, 'awslogs-stream': streamOf(spec, container) },
    Networks: [
      {
        NetworkMode: 'awsvpc',
        IPv4Addresses: [facts.privateIp],
        AttachmentIndex: 0,
        MACAddress: facts.macAddress,
        PrivateDNSName: facts.privateDnsName,
      },
    ],
  };
}

function streamOf(spec: FoundSandbox['spec'], container: ContainerSpec): string {
  return `${container.log?.options['awslogs-stream-prefix']}/${container.name}/${taskIdOf(spec)}`;
}
