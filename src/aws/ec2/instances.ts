import type { Random } from '#base';
import {
  instanceKey,
  instanceRecords,
  nodeRecords,
  type InstanceRecords,
  type InstanceSpec,
  type Node,
  type NodeRecords,
} from '#node';
import { Collection, type Compare, type Operation, type Versioned } from '#store';
import { AwsError } from '../errors.ts';
import { lightImageId, machineArchitecture } from './images.ts';
import type { InstanceRecord } from './instance-records.ts';
import { findInstanceType, type InstanceType } from './instance-types.ts';
import type { Interfaces } from './interfaces.ts';
import { mustGet } from './kinds.ts';
import { defaultMetadataOptions, type MetadataOptions } from './metadata/options.ts';
import { keyIn, newId, type Ec2State, type Scope } from './scope.ts';

/** One CPU in the units of nodes. */
const CPU_UNITS = 1024;

/** What instances are made from. Absent security groups mean the VPC's default group. */
export interface InstanceRequest extends Scope {
  readonly instanceType: string;
  readonly imageId?: string;
  readonly subnetId: string;
  readonly securityGroupIds?: readonly string[] | undefined;
  readonly privateIp?: string | undefined;
  /** Default: what the subnet says. */
  readonly assignPublicIp?: boolean | undefined;
  readonly tags: { readonly [key: string]: string };
  readonly instanceProfile?: InstanceRecord['instanceProfile'] | undefined;
  readonly roleArn?: string;
  /** Default: those of the image. */
  readonly metadataOptions?: MetadataOptions;
  readonly isTerminationProtected?: boolean;
  readonly isEbsOptimized?: boolean;
  readonly managedBy?: string;
  /** The Kubernetes cluster it is to be a node of. */
  readonly clusterId?: string;
  readonly reservationId?: string;
  readonly launchIndex?: number;
  readonly clientToken?: string | undefined;
}

/** An instance that is not there yet, and what a transaction must compare and write for it to be. */
export interface PlannedInstance {
  readonly instance: InstanceRecord;
  readonly compare: readonly Compare[];
  readonly success: readonly Operation[];
}

const ATTEMPTS = 16;

/** The life of instances, for the API here and for other services. */
export class Instances {
  readonly records: Collection<InstanceRecord>;
  readonly specs: InstanceRecords['specs'];
  readonly statuses: InstanceRecords['statuses'];
  readonly #state: Ec2State;
  readonly #interfaces: Interfaces;
  readonly #nodes: NodeRecords['nodes'];

  constructor(state: Ec2State, interfaces: Interfaces) {
    this.#state = state;
    this.#interfaces = interfaces;
    this.records = new Collection(state.store, 'ec2/instances/');
    this.#nodes = nodeRecords(state.store).nodes;
    const { specs, statuses } = instanceRecords(state.store);
    this.specs = specs;
    this.statuses = statuses;
  }

  /**
   * Chooses a machine and addresses and checks what the request names, without writing. Throws as `Interfaces.plan` does, `InvalidParameterValue` for an unknown
   * type, and `InsufficientInstanceCapacity` for one that is larger than any machine.
   */
  async plan(request: InstanceRequest): Promise<PlannedInstance> {
    const { records, random, clock } = this.#state;
    const type = checkType(request.instanceType);
    const { value: subnet } = await mustGet(records.subnets, request, 'subnet', request.subnetId);
    const node = await this.#place(type, subnet.zone);
    const id = newId(random, 'i');
    const planned = await this.#interfaces.plan({
      account: request.account,
      region: request.region,
      subnetId: subnet.id,
      securityGroupIds: request.securityGroupIds,
      assignPublicIp: request.assignPublicIp ?? subnet.mapPublicIpOnLaunch,
      description: '',
      privateIp: request.privateIp,
      managedBy: 'ec2',
      nodeId: node.id,
      cluster: request.clusterId === undefined ? undefined : { id: request.clusterId },
    });
    const { networkInterface } = planned;
    const now = clock.now();
    const instance: InstanceRecord = {
      id,
      tenant: request.account,
      region: request.region,
      tags: request.tags,
      createdAt: now,
      reservationId: request.reservationId ?? newReservation(random),
      launchIndex: request.launchIndex ?? 0,
      ...(request.clientToken && { clientToken: request.clientToken }),
      imageId: request.imageId ?? lightImageId,
      instanceType: type.name,
      vpcId: subnet.vpcId,
      subnetId: subnet.id,
      zone: subnet.zone,
      networkInterfaceId: networkInterface.id,
      privateIp: networkInterface.privateIp,
      ...(networkInterface.publicIp && { publicIp: networkInterface.publicIp }),
      securityGroupIds: networkInterface.securityGroupIds,
      ...(request.instanceProfile && { instanceProfile: request.instanceProfile }),
      ...(request.roleArn && { roleArn: request.roleArn }),
      metadataOptions: request.metadataOptions ?? defaultMetadataOptions,
      isTerminationProtected: request.isTerminationProtected ?? false,
      ...(request.isEbsOptimized && { isEbsOptimized: true }),
      ...(request.managedBy && { managedBy: request.managedBy }),
      nodeId: node.id,
      machineId: node.machineId,
      state: 'pending',
      stateChangedAt: now,
      launchedAt: now,
    };
    return {
      instance,
      compare: planned.compare,
      success: [
        ...planned.success,
        this.records.put(keyIn(request, id), instance),
        this.specs.put(instanceKey(instance), specOf(instance)),
      ],
    };
  }

  /** Makes instances, all or none, and writes with them what `beside` says. Throws as `plan` does. */
  async run(
    requests: readonly InstanceRequest[],
    beside: (made: readonly InstanceRecord[]) => readonly Operation[] = () => [],
  ): Promise<readonly InstanceRecord[]> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const plans = await Promise.all(requests.map((request) => this.plan(request)));
      // Drawn apart from one another, two of them may have met.
      const addresses = plans.flatMap(({ instance: { privateIp, publicIp } }) => [
        privateIp,
        ...(publicIp ? [publicIp] : []),
      ]);
      if (new Set(addresses).size < addresses.length) continue;
      const made = plans.map(({ instance }) => instance);
      const { succeeded } = await this.#state.store.txn({
        compare: plans.flatMap(({ compare }) => compare),
        success: [...distinct(plans.flatMap(({ success }) => success)), ...beside(made)],
      });
      if (succeeded) return made;
    }
    throw new AwsError('RequestLimitExceeded', 'Addresses are taken faster than they can be chosen.');
  }

  async find(scope: Scope, id: string): Promise<Versioned<InstanceRecord> | undefined> {
    return await this.records.get(keyIn(scope, id));
  }

  /** Begins to end an instance; ending one that is ended or ending already changes nothing. */
  async terminate(scope: Scope, id: string, stateReason: NonNullable<InstanceRecord['stateReason']>): Promise<void> {
    await this.#begin(scope, id, (instance) =>
      instance.state === 'terminated' ? instance : { ...instance, state: 'shutting-down', stateReason },
    );
  }

  /** Begins to stop a running instance. */
  async stop(scope: Scope, id: string, stateReason: NonNullable<InstanceRecord['stateReason']>): Promise<void> {
    await this.#begin(scope, id, (instance) =>
      instance.state === 'running' || instance.state === 'pending'
        ? { ...instance, state: 'stopping', stateReason }
        : instance,
    );
  }

  /** Begins to start a stopped instance. */
  async start(scope: Scope, id: string): Promise<void> {
    const { clock } = this.#state;
    await this.#begin(scope, id, (instance) => {
      const { stateReason: _gone, ...rest } = instance;
      return instance.state === 'stopped' ? { ...rest, state: 'pending', launchedAt: clock.now() } : instance;
    });
  }

  async #begin(scope: Scope, id: string, change: (instance: InstanceRecord) => InstanceRecord): Promise<void> {
    const now = this.#state.clock.now();
    await this.records.update(keyIn(scope, id), (instance) => {
      const changed = change(instance);
      return changed.state === instance.state ? instance : { ...changed, stateChangedAt: now };
    });
  }

  /** A machine's node in the zone, if the machine as a whole has so much memory. */
  async machineFor(zone: string, leastMiB: number): Promise<Node | undefined> {
    const nodes = (await this.#nodes.list()).map(({ value }) => value);
    return nodes
      .filter(({ zoneLetter }) => zone.endsWith(zoneLetter))
      .find(({ machineId }) => {
        const whole = nodes.filter((node) => node.machineId === machineId);
        return whole.reduce((sum, { memoryMiB }) => sum + memoryMiB, 0) >= leastMiB;
      });
  }

  /**
   * A node of the subnet's zone on a machine that is large enough for the type. Memory may be promised
   * more than once: instances of a development machine stand mostly empty, and each is held to its own size.
   */
  async #place(type: InstanceType, zone: string): Promise<Node> {
    const fitting = await this.machineFor(zone, type.memoryMiB);
    if (!fitting)
      throw new AwsError(
        'InsufficientInstanceCapacity',
        `We currently do not have sufficient ${type.name} capacity in the Availability Zone you requested (${zone}).`,
      );
    return fitting;
  }
}

/** What the machine makes of an instance. */
export function specOf(instance: InstanceRecord): InstanceSpec {
  const { id, machineId, tenant, region, networkInterfaceId, instanceType } = instance;
  const { vcpus, memoryMiB } = checkType(instanceType);
  return { id, machineId, tenant, region, networkInterfaceId, cpuUnits: vcpus * CPU_UNITS, memoryMiB };
}

export function newReservation(random: Random): string {
  return newId(random, 'r');
}

function checkType(name: string): InstanceType {
  const type = findInstanceType(name);
  if (!type) throw new AwsError('InvalidInstanceType', `The instance type '${name}' does not exist`);
  if (type.architecture !== machineArchitecture)
    throw new AwsError(
      'InvalidParameterValue',
      `The architecture '${type.architecture}' of the instance type '${name}' is not the one of this machine, '${machineArchitecture}'`,
    );
  return type;
}

/** Plans of one transaction touch the same marks; one touch is enough. */
function distinct(operations: readonly Operation[]): readonly Operation[] {
  const byKey = new Map(
    operations.map((operation) => ['key' in operation ? operation.key : operation.prefix, operation]),
  );
  return [...byKey.values()];
}
