import type { ContainerCreate, ContainerNetwork, DeviceMapping, IdMapping, Image, Mount } from '#engine';
import { milliValue, quantityValue } from '../../quantity.ts';
import type * as types from '../../types.ts';
import { type ContainerIdentity, engineName, identityLabels } from '../identity.ts';
import { oomScoreAdjOf } from '../pod/resources.ts';
import { expand } from './expand.ts';
import { podNames } from './hosts.ts';
import type { NameResolution } from './resolution.ts';
import { securityRequest, sysctlsOf } from './security.ts';

const [sharesOfCore, fewestShares] = [1024, 2] as const;
const logLimits = { maxSizeBytes: 10 * 2 ** 20, maxFiles: 5 } as const;

/** What a container is to be put into. */
export interface ContainerSurroundings {
  readonly identity: ContainerIdentity;
  readonly image: Image;
  readonly variables: ReadonlyMap<string, string>;
  readonly mounts: readonly Mount[];
  readonly devices: readonly DeviceMapping[];
  /** The pod's namespace, or undefined for the machine's. */
  readonly netnsPath: string;
  readonly resolution: NameResolution;
  readonly cgroupParent: string;
  readonly domain: string;
  readonly nodeName: string;
  readonly nodeMemoryBytes: number;
  /** The text of a seccomp profile of the node's own. */
  readonly localProfile: (name: string) => string;
  /** The IPC namespace that it shares with others, by its path. */
  readonly ipcPath?: string;
  /** What its ids are on the machine, in a user namespace of the pod. */
  readonly ids?: IdMapping;
  /** The engine's container whose processes it sees. */
  readonly processesOf?: string;
}

/** A run of a pod's container in the engine's words. Throws `FailedPrecondition` for what cannot be configured. */
export function containerRequest(
  pod: types.Pod,
  container: types.Container,
  surroundings: ContainerSurroundings,
): ContainerCreate {
  const { identity, image, variables, mounts, resolution, cgroupParent, ids } = surroundings;
  const { spec } = pod;
  const words = (list: readonly string[] | undefined) => list?.map((text) => expand(text, variables)) ?? [];
  return {
    image: image.id,
    name: engineName(identity),
    ...(container.command?.length && { entrypoint: words(container.command) }),
    ...(container.args?.length && { command: words(container.args) }),
    environment: Array.from(variables, ([name, value]) => `${name}=${value}`),
    ...(container.workingDir && { workingDirectory: container.workingDir }),
    hostname: hostnameOf(pod, surroundings),
    labels: identityLabels(identity),
    isTty: container.tty ?? false,
    isStdinOpen: container.stdin ?? false,
    isStdinOnce: container.stdinOnce ?? false,
    network: networkOf(surroundings),
    resolution: { options: resolution.options },
    // As upstream (KEP-127): a volume's files have the ids that the pod sees.
    mounts: ids ? mounts.map((mount) => (mount.kind === 'bind' ? { ...mount, isMapped: true } : mount)) : mounts,
    devices: surroundings.devices,
    resources: engineResources(container),
    ...securityRequest(pod, container, { imageUser: image.config.User ?? '', localProfile: surroundings.localProfile }),
    ...(spec?.hostNetwork !== true && { sysctls: sysctlsOf(pod) }),
    namespaces: {
      ...(ids && { user: ids }),
      ...(spec?.hostPID && { pid: 'host' as const }),
      ...(surroundings.ipcPath !== undefined && { ipc: { path: surroundings.ipcPath } }),
      ...(spec?.hostIPC && { ipc: 'host' as const }),
      ...(surroundings.processesOf !== undefined && { pid: { container: surroundings.processesOf } }),
    },
    restartPolicy: { name: 'no' },
    cgroupParent,
    healthCheck: { Test: ['NONE'] },
    oomScoreAdj: oomScoreAdjOf(pod, container, surroundings.nodeMemoryBytes),
    log: logLimits,
  };
}

function hostnameOf(pod: types.Pod, { domain, nodeName }: ContainerSurroundings): string {
  // An instance is called by its whole private name, as its /etc/hostname says.
  if (pod.spec?.hostNetwork) return nodeName.slice(0, 63);
  const { hostname, fqdn } = podNames(pod, domain);
  return pod.spec?.setHostnameAsFQDN && fqdn !== undefined ? fqdn : hostname;
}

function networkOf({ netnsPath, resolution }: ContainerSurroundings): ContainerNetwork {
  const { nameservers, searchDomains } = resolution;
  return { mode: 'namespace', path: netnsPath, nameservers, searchDomains, hosts: [] };
}

/** "Resource Management for Pods and Containers", Kubernetes documentation: requests are weights, limits are caps. */
export function engineResources({ resources }: types.Container): NonNullable<ContainerCreate['resources']> {
  const { requests, limits } = resources ?? {};
  const cpuRequest = requests?.['cpu'] ?? limits?.['cpu'];
  const shares = Math.floor((milliValue(cpuRequest ?? '0') * sharesOfCore) / 1000);
  const cpuMillis = limits?.['cpu'] === undefined ? 0 : milliValue(limits['cpu']);
  const memoryBytes = limits?.['memory'] === undefined ? 0 : quantityValue(limits['memory']);
  return {
    cpuShares: Math.max(fewestShares, shares),
    ...(cpuMillis > 0 && { cpuMillis }),
    ...(memoryBytes > 0 && { memoryBytes }),
  };
}
