import type { ContainerCreate, ContainerNetwork, Mount } from '#engine';
import type { AttachedInterface } from '#network';
import { containerName, identityLabels } from './identity.ts';
import type { ContainerSpec, HealthCheck, SandboxSpec } from './sandbox.ts';

const BYTES_PER_MIB = 2 ** 20;
const NS_PER_MS = 1e6;

/** What a container is to be put into. */
export interface ContainerSurroundings {
  readonly network: AttachedInterface | undefined;
  readonly cgroupParent: string;
  /** Directories of the sandbox's volumes, by name. */
  readonly volumes: ReadonlyMap<string, string>;
  /** From the room above, e.g. the addresses of metadata and credentials. */
  readonly environment: { readonly [name: string]: string };
}

/** A container of a sandbox in the engine's words. */
export function containerRequest(
  sandbox: SandboxSpec,
  container: ContainerSpec,
  surroundings: ContainerSurroundings,
): ContainerCreate {
  const { cpuUnits, memoryMiB, memoryReservationMiB } = container;
  const hostname = sandbox.hostname ?? surroundings.network?.privateDnsName;
  return {
    image: container.image,
    name: containerName(sandbox, container),
    ...(container.entryPoint && { entrypoint: container.entryPoint }),
    ...(container.command && { command: container.command }),
    environment: Object.entries({ ...container.environment, ...surroundings.environment }).map(
      ([name, value]) => `${name}=${value}`,
    ),
    ...(container.workingDirectory !== undefined && { workingDirectory: container.workingDirectory }),
    ...(container.user !== undefined && { user: container.user }),
    ...(hostname !== undefined && { hostname }),
    labels: { ...container.labels, ...identityLabels(sandbox, container) },
    isTty: container.isTty ?? false,
    isReadOnlyRoot: container.isReadOnlyRoot ?? false,
    isPrivileged: container.isPrivileged ?? false,
    isInitEnabled: container.isInitEnabled ?? false,
    network: networkOf(surroundings.network, hostname),
    mounts: container.mounts.map((mount) => mountOf(mount, surroundings.volumes)),
    resources: {
      ...(cpuUnits !== undefined && { cpuShares: cpuUnits }),
      ...(memoryMiB !== undefined && { memoryBytes: memoryMiB * BYTES_PER_MIB }),
      ...(memoryReservationMiB !== undefined && { memoryReservationBytes: memoryReservationMiB * BYTES_PER_MIB }),
    },
    ...(container.capabilities && { capabilities: container.capabilities }),
    ...(container.ulimits && { ulimits: container.ulimits }),
    restartPolicy: { name: 'no' },
    stopTimeoutMs: container.stopTimeoutMs,
    cgroupParent: surroundings.cgroupParent,
    healthCheck: healthCheckOf(container.healthCheck),
  };
}

function networkOf(attached: AttachedInterface | undefined, hostname: string | undefined): ContainerNetwork {
  if (!attached) return { mode: 'none' };
  const { netnsPath, nameservers, searchDomains, privateIp } = attached;
  const hosts = hostname === undefined ? [] : [{ address: privateIp, names: [hostname] }];
  return { mode: 'namespace', path: netnsPath, nameservers, searchDomains, hosts };
}

function mountOf(mount: ContainerSpec['mounts'][number], volumes: ReadonlyMap<string, string>): Mount {
  const source = volumes.get(mount.volume);
  if (source === undefined) throw new Error(`volume "${mount.volume}" is mounted but not declared`);
  return { kind: 'bind', source, target: mount.path, isReadOnly: mount.isReadOnly };
}

/** The check of the spec, or none: ECS does not run the one that an image brings. */
function healthCheckOf(check: HealthCheck | undefined): NonNullable<ContainerCreate['healthCheck']> {
  if (!check) return { Test: ['NONE'] };
  return {
    Test: check.command,
    Interval: check.intervalMs * NS_PER_MS,
    Timeout: check.timeoutMs * NS_PER_MS,
    StartPeriod: check.startPeriodMs * NS_PER_MS,
    Retries: check.retries,
  };
}
