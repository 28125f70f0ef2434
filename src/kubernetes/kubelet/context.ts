import type { Clock, Logger, Random } from '#base';
import type { Engine } from '#engine';
import type { SandboxCgroups } from '#node/worker';
import type { ApiClient } from '../client/client.ts';
import type { Informer } from '../client/informer.ts';
import type { EventRecorder } from '../events.ts';
import type * as types from '../types.ts';
import type { BlockDevices } from './block-devices.ts';
import type { Allocatable } from './container/resource-field.ts';
import type { LocalPods } from './local.ts';
import type { MemoryFiles } from './memory-files.ts';
import type { PodNetworks } from './network.ts';
import type { IdRanges } from './pod/id-ranges.ts';
import type { WatchedObjects } from './objects.ts';
import type { KubeletRecord, NodeServices } from './ports.ts';

/** Directories of one cluster on this machine, shared by its nodes. */
export interface ClusterPlaces {
  /** Volumes that outlive their node. */
  readonly storage: string;
  /** Likewise those that are block devices, a file each. No pod sees the files. */
  readonly blocks: string;
}

/** Directories of one node on this machine. */
export interface NodePlaces extends ClusterPlaces {
  /** The node's own file system, as hostPath volumes see it. */
  readonly root: string;
  /** A tmpfs for what must not reach a disk. */
  readonly memory: string;
}

/** What every step of a pod's life works with. */
export interface KubeletContext {
  readonly node: KubeletRecord;
  readonly client: ApiClient;
  /** Services of the cluster, for their variables. */
  readonly clusterServices: Informer<types.Service>;
  readonly objects: WatchedObjects;
  readonly events: EventRecorder;
  readonly engine: Engine;
  readonly networks: PodNetworks;
  readonly services: NodeServices;
  readonly cgroups: SandboxCgroups;
  /** Pods of the node that its room is held for, but the one of that uid. */
  others(uid: string): readonly types.Pod[];
  /** The cgroup that holds every pod of this node. */
  readonly cgroup: string;
  readonly local: LocalPods;
  readonly places: NodePlaces;
  readonly memoryFiles: MemoryFiles;
  readonly idRanges: IdRanges;
  readonly blockDevices: BlockDevices;
  readonly allocatable: Allocatable;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Aborts when the kubelet lets go: what runs goes on, and the next kubelet finds it. */
  readonly signal: AbortSignal;
}
