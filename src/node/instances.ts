/**
 * Instances: places on this machine that are nothing but an address in a network namespace and a cgroup of a certain size. Whoever offers them (EC2) writes an `InstanceSpec`, the
 * worker of that machine alone writes the `InstanceStatus`. Deleting the spec ends the instance; its status goes when nothing is left of it.
 */
import { Collection, type Store } from '#store';

export interface InstanceSpec {
  readonly id: string;
  /** The machine that carries it: `Node.machineId`. */
  readonly machineId: string;
  /** The account that owns it. */
  readonly tenant: string;
  readonly region: string;
  /** Id of the network interface record to attach, looked up under `tenant/region`. */
  readonly networkInterfaceId: string;
  /** Hard limits. 1024 CPU units are one core. */
  readonly cpuUnits: number;
  readonly memoryMiB: number;
}

export interface InstanceStatus {
  readonly id: string;
  readonly phase: 'preparing' | 'running';
  /** What must be let go of even when the spec is gone. */
  readonly networkInterfaceId: string;
}

/** Spec and status ids are `<machineId>/<tenant>/<instanceId>`. */
export interface InstanceRecords {
  readonly specs: Collection<InstanceSpec>;
  readonly statuses: Collection<InstanceStatus>;
}

export function instanceRecords(store: Store): InstanceRecords {
  return {
    specs: new Collection(store, 'node/instances/'),
    statuses: new Collection(store, 'node/instance-statuses/'),
  };
}

/** The id of an instance's spec and status within their collections. */
export function instanceKey({ machineId, tenant, id }: Pick<InstanceSpec, 'machineId' | 'tenant' | 'id'>): string {
  return `${machineId}/${tenant}/${id}`;
}
