import type { ElasticIp, NetworkInterface, SecurityGroup, Subnet } from '#network';
import { macAddressOf } from '#network';
import type { Compare, Operation, Versioned } from '#store';
import { AwsError } from '../errors.ts';
import { privateDnsName } from './dns-names.ts';
import { drawPrivateAddress, drawPublicAddress } from './interface-addresses.ts';
import { mustGet } from './kinds.ts';
import { allIn, keyIn, newId, type Ec2State, type Scope } from './scope.ts';
import { isUsableAddress } from '#network';
import type { Uses } from './uses.ts';

/** What a network interface is made from. Absent security groups mean the VPC's default group. */
export interface InterfaceRequest extends Scope {
  readonly subnetId: string;
  readonly securityGroupIds?: readonly string[] | undefined;
  /** No group at all, where that is possible: a load balancer's. */
  readonly isUngrouped?: boolean;
  readonly assignPublicIp?: boolean;
  /** An elastic address that is to be its public one, until it is deleted. */
  readonly elasticIpId?: string | undefined;
  readonly description: string;
  readonly managedBy?: string;
  readonly privateIp?: string | undefined;
  readonly tags?: { readonly [key: string]: string };
  /** Set when the interface is made for a node at once. */
  readonly nodeId?: string;
  /**
   * Set for a node's or pod's of a Kubernetes cluster. `node` is the node's name; a node's own interface gives it its name by the address it gets, behind
   * `nodePrefix`.
   */
  readonly cluster?: { readonly id: string; readonly node?: string; readonly nodePrefix?: string } | undefined;
}

/** An interface that is not there yet, and what a transaction must compare and write for it to be. */
export interface PlannedInterface {
  readonly networkInterface: NetworkInterface;
  readonly compare: readonly Compare[];
  readonly success: readonly Operation[];
}

const ATTEMPTS = 16;

/**
 * The life of network interfaces, for the API here and for other services. An address is unique because reserving it is part of the
 * transaction that makes the interface.
 */
export class Interfaces {
  readonly #state: Ec2State;
  readonly #uses: Uses;

  constructor(state: Ec2State, uses: Uses) {
    this.#state = state;
    this.#uses = uses;
  }

  /**
   * Chooses addresses and checks what the request names, without writing. The caller joins `compare` and `success` to its own transaction
   * and plans again when that fails. Throws `InsufficientFreeAddressesInSubnet`, or NotFound for the subnet or a group.
   */
  async plan(request: InterfaceRequest): Promise<PlannedInterface> {
    const { records, random, clock } = this.#state;
    const { value: subnet } = await mustGet(records.subnets, request, 'subnet', request.subnetId);
    const groups = await this.#groups(request, subnet);
    const id = newId(random, 'eni');
    const privateIp = request.privateIp ?? (await drawPrivateAddress(records, random, subnet));
    if (!privateIp)
      throw new AwsError(
        'InsufficientFreeAddressesInSubnet',
        `The specified subnet '${subnet.id}' does not have enough free addresses to satisfy the request.`,
      );
    if (request.privateIp && !isUsableAddress(subnet.cidr, request.privateIp))
      throw new AwsError(
        'InvalidParameterValue',
        `invalid value for parameter address: Address ${request.privateIp} does not fall within the subnet's address range or is reserved`,
      );
    const elastic = request.elasticIpId === undefined ? undefined : await this.#elastic(request, request.elasticIpId);
    const publicIp = elastic?.value.ip ?? (request.assignPublicIp ? await this.#drawPublic() : undefined);
    const networkInterface: NetworkInterface = {
      id,
      tenant: request.account,
      region: request.region,
      tags: request.tags ?? {},
      createdAt: clock.now(),
      vpcId: subnet.vpcId,
      subnetId: subnet.id,
      zone: subnet.zone,
      description: request.description,
      privateIp,
      macAddress: macAddressOf(id),
      securityGroupIds: groups.map((group) => group.id),
      sourceDestCheck: true,
      ...(publicIp ? { publicIp, publicIpAssociationId: newId(random, 'eipassoc') } : {}),
      ...(elastic ? { publicIpAllocationId: elastic.value.id } : {}),
      ...(request.managedBy ? { managedBy: request.managedBy } : {}),
      ...(request.nodeId ? { attachment: this.#attachment(request.nodeId) } : {}),
      ...(request.cluster
        ? { cluster: { id: request.cluster.id, node: nodeNameOf(request, request.cluster, privateIp) } }
        : {}),
    };
    return { networkInterface, ...this.#writes(networkInterface, elastic) };
  }

  /** Makes an interface, and writes with it what `beside` says. Throws as `plan` does. */
  async create(
    request: InterfaceRequest,
    beside: (made: NetworkInterface) => readonly Operation[] = () => [],
  ): Promise<NetworkInterface> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const { networkInterface, compare, success } = await this.plan(request);
      const { succeeded } = await this.#state.store.txn({
        compare,
        success: [...success, ...beside(networkInterface)],
      });
      if (succeeded) return networkInterface;
      if (request.privateIp) throw new AwsError('InvalidIPAddress.InUse', `Address ${request.privateIp} is in use.`);
    }
    throw new AwsError(
      'RequestLimitExceeded',
      `Addresses of ${request.subnetId} are taken faster than they can be chosen.`,
    );
  }

  /** Records that a node makes the interface real. Repeatable. */
  async attach(scope: Scope, id: string, nodeId: string): Promise<NetworkInterface> {
    const { value } = await this.#state.records.networkInterfaces.update(keyIn(scope, id), (networkInterface) =>
      networkInterface.attachment?.nodeId === nodeId
        ? networkInterface
        : { ...networkInterface, attachment: this.#attachment(nodeId) },
    );
    return value;
  }

  /** What removes an interface and frees its addresses; nothing if it is gone. For a caller's own transaction. */
  async planDelete(scope: Scope, id: string): Promise<readonly Operation[]> {
    const { records } = this.#state;
    const seen = await records.networkInterfaces.get(keyIn(scope, id));
    if (!seen) return [];
    const { tenant, vpcId, privateIp, publicIp, publicIpAllocationId } = seen.value;
    const elastic = publicIpAllocationId ? await records.elasticIps.get(keyIn(scope, publicIpAllocationId)) : undefined;
    const { networkInterfaceId: _id, associationId: _association, ...released } = elastic?.value ?? {};
    return [
      records.networkInterfaces.remove(seen.id),
      records.privateAddresses.remove(`${tenant}/${vpcId}/${privateIp}`),
      ...(publicIp && !publicIpAllocationId ? [records.publicAddresses.remove(publicIp)] : []),
      // The rest of the record is the elastic address as it was before it was associated.
      ...(elastic ? [records.elasticIps.put(elastic.id, released as typeof elastic.value)] : []),
    ];
  }

  /** Deletes an interface; deleting an absent one succeeds. */
  async delete(scope: Scope, id: string): Promise<void> {
    const success = await this.planDelete(scope, id);
    if (success.length) await this.#state.store.txn({ success });
  }

  #attachment(nodeId: string) {
    return { id: newId(this.#state.random, 'eni-attach'), nodeId, attachedAt: this.#state.clock.now() };
  }

  async #drawPublic(): Promise<string> {
    const { records, random, publicCidr } = this.#state;
    const ip = await drawPublicAddress(records, random, publicCidr);
    if (!ip) throw new AwsError('InsufficientAddressCapacity', `The pool ${publicCidr} has no free public address.`);
    return ip;
  }

  async #groups(request: InterfaceRequest, subnet: Subnet): Promise<readonly SecurityGroup[]> {
    const { records } = this.#state;
    if (request.isUngrouped) return [];
    if (!request.securityGroupIds?.length) {
      const all = await records.securityGroups.list(allIn(request));
      return all.map(({ value }) => value).filter(({ vpcId, name }) => vpcId === subnet.vpcId && name === 'default');
    }
    const ids = [...new Set(request.securityGroupIds)];
    const groups = await Promise.all(ids.map((id) => mustGet(records.securityGroups, request, 'security-group', id)));
    for (const { value } of groups)
      if (value.vpcId !== subnet.vpcId)
        throw new AwsError(
          'InvalidGroup.NotFound',
          `You have specified two resources that belong to different networks: ${value.id} and ${subnet.id}.`,
        );
    return groups.map(({ value }) => value);
  }

  /** One that is free, as it is now. */
  async #elastic(scope: Scope, id: string): Promise<Versioned<ElasticIp>> {
    const seen = await mustGet(this.#state.records.elasticIps, scope, 'elastic-ip', id);
    if (seen.value.associationId)
      throw new AwsError(
        'Resource.AlreadyAssociated',
        `resource ${id} is already associated with associate-id ${seen.value.associationId}`,
      );
    return seen;
  }

  #writes(
    networkInterface: NetworkInterface,
    elastic: Versioned<ElasticIp> | undefined,
  ): Omit<PlannedInterface, 'networkInterface'> {
    const { records } = this.#state;
    const { id, tenant, region, vpcId, subnetId, privateIp, securityGroupIds } = networkInterface;
    const publicIp = elastic ? undefined : networkInterface.publicIp;
    const scope = { account: tenant, region };
    const addressKey = `${tenant}/${vpcId}/${privateIp}`;
    return {
      compare: [
        records.subnets.ifPresent(keyIn(scope, subnetId)),
        ...securityGroupIds.map((groupId) => records.securityGroups.ifPresent(keyIn(scope, groupId))),
        records.privateAddresses.ifAbsent(addressKey),
        ...(publicIp ? [records.publicAddresses.ifAbsent(publicIp)] : []),
        ...(elastic ? [records.elasticIps.ifUnchanged(elastic)] : []),
      ],
      success: [
        records.networkInterfaces.put(keyIn(scope, id), networkInterface),
        records.privateAddresses.put(addressKey, { networkInterfaceId: id }),
        ...(publicIp ? [records.publicAddresses.put(publicIp, { tenant, holder: id })] : []),
        ...(elastic ? [records.elasticIps.put(elastic.id, associated(elastic.value, networkInterface))] : []),
        this.#uses.touch(scope, subnetId),
        ...securityGroupIds.map((groupId) => this.#uses.touch(scope, groupId)),
      ],
    };
  }
}

function associated(elastic: ElasticIp, { id, publicIpAssociationId }: NetworkInterface): ElasticIp {
  return {
    ...elastic,
    networkInterfaceId: id,
    ...(publicIpAssociationId && { associationId: publicIpAssociationId }),
  };
}

function nodeNameOf(
  { region }: Scope,
  { node, nodePrefix = '' }: NonNullable<InterfaceRequest['cluster']>,
  privateIp: string,
): string {
  return node ?? nodePrefix + privateDnsName(region, privateIp);
}
