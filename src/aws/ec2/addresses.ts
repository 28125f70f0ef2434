import type { Address as ApiAddress } from '@aws-sdk/client-ec2';
import type { ElasticIp, NetworkInterface } from '#network';
import type { Versioned } from '#store';
import { AwsError } from '../errors.ts';
import type { Handlers } from '../service.ts';
import { paginate } from './describe.ts';
import { applyFilters, type FilterFields } from './filters.ts';
import type { Instances } from './instances.ts';
import { drawPublicAddress } from './interface-addresses.ts';
import { mustGet, notFound } from './kinds.ts';
import { allIn, keyIn, newId, type Ec2State, type Scope } from './scope.ts';
import { tagsFor, toTags } from './tags.ts';

const fields: FilterFields<ElasticIp> = {
  'allocation-id': (address) => address.id,
  'association-id': (address) => address.associationId,
  'network-interface-id': (address) => address.networkInterfaceId,
  'network-interface-owner-id': (address) => (address.networkInterfaceId ? address.tenant : undefined),
  'public-ip': (address) => address.ip,
  domain: () => 'vpc',
  'network-border-group': (address) => address.region,
};

function toAddress(address: ElasticIp, interfaces: ReadonlyMap<string, NetworkInterface>): ApiAddress {
  const eni = address.networkInterfaceId ? interfaces.get(address.networkInterfaceId) : undefined;
  return {
    AllocationId: address.id,
    PublicIp: address.ip,
    Domain: 'vpc',
    PublicIpv4Pool: 'amazon',
    NetworkBorderGroup: address.region,
    AssociationId: address.associationId,
    NetworkInterfaceId: address.networkInterfaceId,
    NetworkInterfaceOwnerId: eni?.tenant,
    PrivateIpAddress: eni?.privateIp,
    Tags: toTags(address.tags),
  };
}

/** A service knows its interfaces by the addresses they have: a load balancer is published with them. */
function checkOwn({ id, managedBy }: NetworkInterface): void {
  if (managedBy && managedBy !== 'ec2')
    throw new AwsError('OperationNotPermitted', `You are not allowed to manage '${id}': it belongs to ${managedBy}.`);
}

export function addressHandlers(state: Ec2State, instances: Pick<Instances, 'records'>) {
  const { records, random, clock, store, publicCidr } = state;

  async function byIp(scope: Scope, ip: string): Promise<Versioned<ElasticIp>> {
    const found = (await records.elasticIps.list(allIn(scope))).find(({ value }) => value.ip === ip);
    if (!found) throw new AwsError('InvalidAddress.NotFound', `Address '${ip}' not found.`);
    return found;
  }

  /** An interface without the public address that an association gave it. */
  function withoutAddress(eni: NetworkInterface): NetworkInterface {
    const { publicIp: _ip, publicIpAssociationId: _association, publicIpAllocationId: _allocation, ...rest } = eni;
    return rest;
  }

  /** Takes an address off its interface, in one transaction with whatever else `success` holds. */
  async function disassociate(scope: Scope, address: Versioned<ElasticIp>): Promise<void> {
    const { networkInterfaceId, associationId: _id, ...rest } = address.value;
    const eni = networkInterfaceId ? await records.networkInterfaces.get(keyIn(scope, networkInterfaceId)) : undefined;
    if (eni) checkOwn(eni.value);
    const { succeeded } = await store.txn({
      compare: [records.elasticIps.ifUnchanged(address), ...(eni ? [records.networkInterfaces.ifUnchanged(eni)] : [])],
      success: [
        records.elasticIps.put(address.id, rest),
        ...(eni ? [records.networkInterfaces.put(eni.id, withoutAddress(eni.value))] : []),
      ],
    });
    if (!succeeded) throw new AwsError('IncorrectState', `The address ${address.value.ip} was changed meanwhile`);
  }

  async function requireRoute(scope: Scope, eni: NetworkInterface): Promise<void> {
    const gateways = await records.internetGateways.list(allIn(scope));
    if (!gateways.some(({ value }) => value.vpcId === eni.vpcId))
      throw new AwsError('Gateway.NotAttached', `Network ${eni.vpcId} is not attached to any internet gateway`);
  }

  return {
    async AllocateAddress(input, context) {
      const tags = tagsFor('elastic-ip', input.TagSpecifications);
      for (let attempt = 0; attempt < 16; attempt++) {
        const ip = await drawPublicAddress(records, random, publicCidr);
        if (!ip)
          throw new AwsError('InsufficientAddressCapacity', `The pool ${publicCidr} has no free public address.`);
        const address: ElasticIp = {
          id: newId(random, 'eipalloc'),
          tenant: context.account,
          region: context.region,
          tags,
          createdAt: clock.now(),
          ip,
        };
        const { succeeded } = await store.txn({
          compare: [records.publicAddresses.ifAbsent(ip)],
          success: [
            records.publicAddresses.put(ip, { tenant: context.account, holder: address.id }),
            records.elasticIps.put(keyIn(context, address.id), address),
          ],
        });
        if (succeeded)
          return {
            AllocationId: address.id,
            PublicIp: ip,
            Domain: 'vpc',
            PublicIpv4Pool: 'amazon',
            NetworkBorderGroup: context.region,
          };
      }
      throw new AwsError('RequestLimitExceeded', 'Addresses are taken faster than they can be chosen.');
    },

    async DescribeAddresses(input, context) {
      const interfaces = new Map(
        (await records.networkInterfaces.list(allIn(context))).map(({ value }) => [value.id, value]),
      );
      const all = (await records.elasticIps.list(allIn(context))).map(({ value }) => value);
      for (const id of input.AllocationIds ?? [])
        if (!all.some((address) => address.id === id)) throw notFound('elastic-ip', id);
      for (const ip of input.PublicIps ?? [])
        if (!all.some((address) => address.ip === ip))
          throw new AwsError('InvalidAddress.NotFound', `Address '${ip}' not found.`);
      const named = all.filter(
        ({ id, ip }) =>
          (!input.AllocationIds?.length || input.AllocationIds.includes(id)) &&
          (!input.PublicIps?.length || input.PublicIps.includes(ip)),
      );
      const filtered = applyFilters(named, input.Filters, {
        ...fields,
        'private-ip-address': ({ networkInterfaceId }) => interfaces.get(networkInterfaceId ?? '')?.privateIp,
      });
      return { Addresses: filtered.map((address) => toAddress(address, interfaces)) };
    },

    /** Names of addresses in reverse lookups, of which none has one: what is asked is whether the address is there. */
    async DescribeAddressesAttribute(input, context) {
      const all = (await records.elasticIps.list(allIn(context))).map(({ value }) => value);
      const unknown = input.AllocationIds?.find((id) => !all.some((address) => address.id === id));
      if (unknown) throw notFound('elastic-ip', unknown);
      const named = all.filter(({ id }) => !input.AllocationIds?.length || input.AllocationIds.includes(id));
      const page = paginate(named, { maxResults: input.MaxResults, nextToken: input.NextToken });
      return {
        Addresses: page.items.map(({ id, ip }) => ({ AllocationId: id, PublicIp: ip })),
        NextToken: page.nextToken,
      };
    },

    async AssociateAddress(input, context) {
      const address = input.AllocationId
        ? await mustGet(records.elasticIps, context, 'elastic-ip', input.AllocationId)
        : await byIp(context, input.PublicIp ?? '');
      const networkInterfaceId = input.InstanceId
        ? (await mustGet(instances.records, context, 'instance', input.InstanceId)).value.networkInterfaceId
        : input.NetworkInterfaceId;
      const eni = await mustGet(records.networkInterfaces, context, 'network-interface', networkInterfaceId);
      checkOwn(eni.value);
      await requireRoute(context, eni.value);
      if (address.value.networkInterfaceId === eni.value.id) return { AssociationId: address.value.associationId };
      if (address.value.networkInterfaceId) {
        if (input.AllowReassociation === false)
          throw new AwsError(
            'Resource.AlreadyAssociated',
            `resource ${address.value.id} is already associated with associate-id ${address.value.associationId}`,
          );
        await disassociate(context, address);
      }
      if (eni.value.publicIpAllocationId)
        throw new AwsError(
          'Resource.AlreadyAssociated',
          `resource ${eni.value.id} is already associated with address ${eni.value.publicIp}`,
        );
      const seen = await mustGet(records.elasticIps, context, 'elastic-ip', address.value.id);
      const associationId = newId(random, 'eipassoc');
      const { succeeded } = await store.txn({
        compare: [records.elasticIps.ifUnchanged(seen), records.networkInterfaces.ifUnchanged(eni)],
        success: [
          records.elasticIps.put(seen.id, { ...seen.value, networkInterfaceId: eni.value.id, associationId }),
          records.networkInterfaces.put(eni.id, {
            ...eni.value,
            publicIp: seen.value.ip,
            publicIpAssociationId: associationId,
            publicIpAllocationId: seen.value.id,
          }),
          // An address of the pool that the interface had until now goes back.
          ...(eni.value.publicIp ? [records.publicAddresses.remove(eni.value.publicIp)] : []),
        ],
      });
      if (!succeeded) throw new AwsError('IncorrectState', `The address ${seen.value.ip} was changed meanwhile`);
      return { AssociationId: associationId };
    },

    async DisassociateAddress(input, context) {
      const all = await records.elasticIps.list(allIn(context));
      const address = all.find(({ value }) =>
        input.AssociationId ? value.associationId === input.AssociationId : value.ip === input.PublicIp,
      );
      if (!address)
        throw new AwsError(
          'InvalidAssociationID.NotFound',
          `The association ID '${input.AssociationId}' does not exist`,
        );
      await disassociate(context, address);
      return {};
    },

    async ReleaseAddress(input, context) {
      const address = input.AllocationId
        ? await mustGet(records.elasticIps, context, 'elastic-ip', input.AllocationId)
        : await byIp(context, input.PublicIp ?? '');
      if (address.value.associationId)
        throw new AwsError('InvalidIPAddress.InUse', `Address ${address.value.ip} is in use.`);
      const { succeeded } = await store.txn({
        compare: [records.elasticIps.ifUnchanged(address)],
        success: [records.elasticIps.remove(address.id), records.publicAddresses.remove(address.value.ip)],
      });
      if (!succeeded) throw new AwsError('InvalidIPAddress.InUse', `Address ${address.value.ip} is in use.`);
      return {};
    },
  } satisfies Handlers<typeof import('@aws-sdk/client-ec2')>;
}
