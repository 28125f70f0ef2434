import type { NatGateway as ApiGateway } from '@aws-sdk/client-ec2';
import type { NatGateway } from '#network';
import type { Store } from '#store';
import { AwsError } from '../errors.ts';
import type { Handlers } from '../service.ts';
import { selectFrom } from './describe.ts';
import type { FilterFields } from './filters.ts';
import type { Interfaces } from './interfaces.ts';
import { mustGet } from './kinds.ts';
import { allIn, keyIn, newId, type Ec2State, type Scope } from './scope.ts';
import { tagsFor, toTags } from './tags.ts';
import type { Uses } from './uses.ts';

/** Deleted gateways are shown for about an hour: Amazon VPC User Guide, "Work with NAT gateways". */
const SHOWN_MS = 3_600_000;
const ATTEMPTS = 16;

const fields: FilterFields<NatGateway> = {
  'nat-gateway-id': (gateway) => gateway.id,
  state: (gateway) => stateOf(gateway),
  'subnet-id': (gateway) => gateway.subnetId,
  'vpc-id': (gateway) => gateway.vpcId,
};

function stateOf({ deletedAt }: NatGateway): 'available' | 'deleted' {
  return deletedAt === undefined ? 'available' : 'deleted';
}

function toGateway(gateway: NatGateway): ApiGateway {
  return {
    NatGatewayId: gateway.id,
    VpcId: gateway.vpcId,
    SubnetId: gateway.subnetId,
    State: stateOf(gateway),
    ConnectivityType: 'public',
    CreateTime: new Date(gateway.createdAt),
    DeleteTime: gateway.deletedAt === undefined ? undefined : new Date(gateway.deletedAt),
    NatGatewayAddresses: [
      {
        AllocationId: gateway.publicIpAllocationId,
        AssociationId: gateway.publicIpAssociationId,
        NetworkInterfaceId: gateway.networkInterfaceId,
        PrivateIp: gateway.privateIp,
        PublicIp: gateway.publicIp,
        IsPrimary: true,
        Status: 'succeeded',
      },
    ],
    Tags: toTags(gateway.tags),
  };
}

export function natGatewayHandlers(state: Ec2State, interfaces: Interfaces, uses: Uses) {
  const { records, random, clock, store } = state;

  async function requireInternet(scope: Scope, vpcId: string): Promise<void> {
    const gateways = await records.internetGateways.list(allIn(scope));
    if (!gateways.some(({ value }) => value.vpcId === vpcId))
      throw new AwsError('Gateway.NotAttached', `Network ${vpcId} has no Internet gateway attached`);
  }

  return {
    async CreateNatGateway(input, context) {
      refuseUnbuilt(input);
      const { value: subnet } = await mustGet(records.subnets, context, 'subnet', input.SubnetId);
      if (!input.AllocationId)
        throw new AwsError('MissingParameter', 'The request must contain the parameter AllocationId');
      await requireInternet(context, subnet.vpcId);
      const id = newId(random, 'nat');
      const tags = tagsFor('natgateway', input.TagSpecifications);
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        const { networkInterface: eni, ...writes } = await interfaces.plan({
          account: context.account,
          region: context.region,
          subnetId: subnet.id,
          isUngrouped: true,
          elasticIpId: input.AllocationId,
          description: `Interface for NAT Gateway ${id}`,
          privateIp: input.PrivateIpAddress,
          managedBy: 'amazon-nat-gateway',
        });
        const gateway: NatGateway = {
          id,
          tenant: context.account,
          region: context.region,
          tags,
          createdAt: clock.now(),
          vpcId: subnet.vpcId,
          subnetId: subnet.id,
          networkInterfaceId: eni.id,
          privateIp: eni.privateIp,
          // The plan took the elastic address.
          publicIp: eni.publicIp!,
          publicIpAllocationId: input.AllocationId,
          publicIpAssociationId: eni.publicIpAssociationId!,
        };
        const output = { NatGateway: toGateway(gateway), ClientToken: input.ClientToken };
        const { succeeded } = await store.txn({
          compare: writes.compare,
          success: [
            ...writes.success,
            records.natGateways.put(keyIn(context, id), gateway),
            uses.touch(context, subnet.vpcId),
            ...context.remember(output),
          ],
        });
        if (succeeded) return output;
        if (input.PrivateIpAddress)
          throw new AwsError('InvalidIPAddress.InUse', `Address ${input.PrivateIpAddress} is in use.`);
      }
      throw new AwsError('RequestLimitExceeded', 'Addresses are taken faster than they can be chosen.');
    },

    async DescribeNatGateways(input, context) {
      // A tag that was put on a deleted one keeps its record beyond its time.
      const isShown = ({ deletedAt }: NatGateway) => deletedAt === undefined || clock.now() - deletedAt < SHOWN_MS;
      const all = (await records.natGateways.list(allIn(context))).map(({ value }) => value).filter(isShown);
      const unknown = input.NatGatewayIds?.find((id) => !all.some((gateway) => gateway.id === id));
      if (unknown) throw wasNotFound(unknown);
      const { items, nextToken } = selectFrom(all, {
        kind: 'natgateway',
        fields,
        selection: {
          ids: input.NatGatewayIds,
          filters: input.Filter,
          maxResults: input.MaxResults,
          nextToken: input.NextToken,
        },
      });
      return { NatGateways: items.map(toGateway), NextToken: nextToken };
    },

    async DeleteNatGateway(input, context) {
      const id = input.NatGatewayId ?? '';
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        const seen = await records.natGateways.get(keyIn(context, id));
        if (!seen) throw wasNotFound(id);
        if (seen.value.deletedAt !== undefined) return { NatGatewayId: id };
        const deleted = records.natGateways.put(seen.id, { ...seen.value, deletedAt: clock.now() });
        const { succeeded } = await store.txn({
          compare: [records.natGateways.ifUnchanged(seen)],
          success: [
            await forAWhile(store, deleted),
            ...(await interfaces.planDelete(context, seen.value.networkInterfaceId)),
          ],
        });
        if (succeeded) return { NatGatewayId: id };
      }
      throw new AwsError('RequestLimitExceeded', 'The gateway changes faster than the request can be carried out.');
    },
  } satisfies Handlers<typeof import('@aws-sdk/client-ec2')>;
}

/** The write, of a record that goes by itself. */
async function forAWhile(store: Store, operation: ReturnType<Ec2State['records']['natGateways']['put']>) {
  if (operation.kind !== 'put') return operation;
  const { id: leaseId } = await store.grantLease(SHOWN_MS);
  return { ...operation, leaseId };
}

function wasNotFound(id: string): AwsError {
  return new AwsError('NatGatewayNotFound', `NAT gateway ${id} was not found`);
}

function refuseUnbuilt(input: object): void {
  const asked = input as {
    readonly ConnectivityType?: string;
    readonly AvailabilityMode?: string;
    readonly SecondaryAllocationIds?: readonly string[];
    readonly SecondaryPrivateIpAddresses?: readonly string[];
    readonly SecondaryPrivateIpAddressCount?: number;
  };
  const isPlain =
    (asked.ConnectivityType ?? 'public') === 'public' &&
    (asked.AvailabilityMode ?? 'zonal') === 'zonal' &&
    !asked.SecondaryAllocationIds?.length &&
    !asked.SecondaryPrivateIpAddresses?.length &&
    !asked.SecondaryPrivateIpAddressCount;
  if (!isPlain)
    throw new AwsError(
      'UnsupportedOperation',
      'NAT gateways are public, in the zone of their subnet, with one address each',
      { status: 501 },
    );
}
