import type { Image } from '#engine';
import type * as types from '../../types.ts';
import type { Allocatable } from '../container/resource-field.ts';
import type { KubeletRecord } from '../ports.ts';
import type { MachineFacts } from './facts.ts';
import type { Pressures } from './pressures.ts';

type NodeStatus = NonNullable<types.Node['status']>;
type Condition = NonNullable<NodeStatus['conditions']>[number];

export const kubeletVersion = 'v1.34.2';
const [mostImages, mostNames] = [50, 5] as const;
const bytesPerKib = 1024;
/** What has to stay free, so that the kernel need not choose whom to kill: the kubelet's `memory.available<100Mi`. */
export const reservedMemoryBytes = 100 * 2 ** 20;

export interface NodeFacts {
  readonly node: KubeletRecord;
  readonly machine: MachineFacts;
  readonly allocatable: Allocatable;
  readonly address: { readonly privateIp: string; readonly publicIp: string | undefined };
  readonly images: readonly Image[];
  readonly pressures: Pressures;
  readonly now: string;
}

/** What a node says of itself, over the status it has: conditions of others are kept, and a transition's time changes only with its condition. */
export function nodeStatus(before: NodeStatus | undefined, facts: NodeFacts): NodeStatus {
  const { node, allocatable } = facts;
  // What others advertise on the node, as by `kubectl patch --subresource=status`: "Extended resources", Kubernetes documentation.
  const extended = Object.fromEntries(Object.entries(before?.capacity ?? {}).filter(([name]) => name.includes('/')));
  const amounts = (memoryBytes: number) => ({
    ...extended,
    cpu: node.cpuMillis % 1000 === 0 ? String(node.cpuMillis / 1000) : `${node.cpuMillis}m`,
    'ephemeral-storage': `${Math.floor(allocatable.ephemeralStorageBytes / bytesPerKib)}Ki`,
    memory: `${Math.floor(memoryBytes / bytesPerKib)}Ki`,
    pods: String(node.maxPods),
  });
  const mine = conditions(before?.conditions ?? [], facts);
  const others = (before?.conditions ?? []).filter(({ type }) => !mine.some((each) => each.type === type));
  return {
    ...before,
    capacity: amounts(node.memoryMiB * 2 ** 20),
    allocatable: amounts(allocatable.memoryBytes),
    conditions: [...others, ...mine],
    addresses: addresses(facts),
    daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
    nodeInfo: nodeInfo(facts),
    // As CRI runtimes tell of the default handler and of each by name.
    runtimeHandlers: ['', 'runc'].map((name) => ({
      name,
      features: { recursiveReadOnlyMounts: false, userNamespaces: mapsIds(facts.machine) },
    })),
    images: facts.images
      .toSorted((a, b) => b.sizeBytes - a.sizeBytes)
      .slice(0, mostImages)
      .map(({ repoDigests, references, sizeBytes }) => ({
        names: [...repoDigests, ...references].slice(0, mostNames),
        sizeBytes,
      })),
  };
}

function conditions(before: readonly Condition[], { pressures, now }: NodeFacts): readonly Condition[] {
  const say = (type: string, isTrue: boolean, [reason, message]: readonly [string, string]): Condition => {
    const status = isTrue ? 'True' : 'False';
    const known = before.find((each) => each.type === type);
    const since = known?.status === status ? known.lastTransitionTime : undefined;
    return { type, status, reason, message, lastHeartbeatTime: now, lastTransitionTime: since ?? now };
  };
  const { memory, disk, pids } = pressures;
  return [
    say(
      'MemoryPressure',
      memory,
      memory
        ? ['KubeletHasInsufficientMemory', 'kubelet has insufficient memory available']
        : ['KubeletHasSufficientMemory', 'kubelet has sufficient memory available'],
    ),
    say(
      'DiskPressure',
      disk,
      disk
        ? ['KubeletHasDiskPressure', 'kubelet has disk pressure']
        : ['KubeletHasNoDiskPressure', 'kubelet has no disk pressure'],
    ),
    say(
      'PIDPressure',
      pids,
      pids
        ? ['KubeletHasInsufficientPID', 'kubelet has insufficient PID available']
        : ['KubeletHasSufficientPID', 'kubelet has sufficient PID available'],
    ),
    say('Ready', true, ['KubeletReady', 'kubelet is posting ready status']),
  ];
}

/** tmpfs maps ids from Linux 6.3 on, and volumes of Secrets lie in one. */
function mapsIds({ kernelVersion }: MachineFacts): boolean {
  const [major = 0, minor = 0] = kernelVersion.split('.').map(Number);
  return major > 6 || (major === 6 && minor >= 3);
}

function addresses({ node, address }: NodeFacts): NonNullable<NodeStatus['addresses']> {
  return [
    { type: 'InternalIP', address: address.privateIp },
    ...(address.publicIp === undefined ? [] : [{ type: 'ExternalIP', address: address.publicIp }]),
    { type: 'InternalDNS', address: node.nodeName },
    { type: 'Hostname', address: node.nodeName },
  ];
}

function nodeInfo({ node, machine }: NodeFacts): NonNullable<NodeStatus['nodeInfo']> {
  return {
    machineID: node.id,
    systemUUID: node.id,
    bootID: machine.bootId,
    kernelVersion: machine.kernelVersion,
    osImage: machine.osImage,
    containerRuntimeVersion: 'dabba://0.1.0',
    kubeletVersion,
    kubeProxyVersion: kubeletVersion,
    operatingSystem: 'linux',
    architecture: machine.architecture,
  };
}
