import type { Subnet as ApiSubnet } from '@aws-sdk/client-ec2';
import { cidrContains, overlaps, type Subnet } from '#network';
import { AwsError } from '../errors.ts';
import type { Handlers } from '../service.ts';
import { blockOf, cidrOf } from './cidr.ts';
import { select } from './describe.ts';
import type { FilterFields } from './filters.ts';
import { freeAddresses } from './interface-addresses.ts';
import { mustGet } from './kinds.ts';
import { allIn, ec2Arn, keyIn, newId, type Ec2State } from './scope.ts';
import { tagsFor, toTags } from './tags.ts';
import type { Uses } from './uses.ts';
import { zoneId, zonesOf } from './zones.ts';

const fields: FilterFields<Subnet> = {
  'subnet-id': (subnet) => subnet.id,
  'vpc-id': (subnet) => subnet.vpcId,
  'availability-zone': (subnet) => subnet.zone,
  availabilityZone: (subnet) => subnet.zone,
  'availability-zone-id': (subnet) => zoneId(subnet.zone),
  availabilityZoneId: (subnet) => zoneId(subnet.zone),
  cidr: (subnet) => subnet.cidr,
  'cidr-block': (subnet) => subnet.cidr,
  cidrBlock: (subnet) => subnet.cidr,
  'default-for-az': (subnet) => subnet.isDefaultForZone,
  defaultForAz: (subnet) => subnet.isDefaultForZone,
  'map-public-ip-on-launch': (subnet) => subnet.mapPublicIpOnLaunch,
  'owner-id': (subnet) => subnet.tenant,
  'subnet-arn': (subnet) => arnOf(subnet),
  state: () => 'available',
};

function arnOf(subnet: Subnet): string {
  return ec2Arn({ account: subnet.tenant, region: subnet.region }, 'subnet', subnet.id);
}

async function toSubnet(state: Ec2State, subnet: Subnet): Promise<ApiSubnet> {
  return {
    SubnetId: subnet.id,
    SubnetArn: arnOf(subnet),
    OwnerId: subnet.tenant,
    VpcId: subnet.vpcId,
    State: 'available',
    CidrBlock: subnet.cidr,
    AvailabilityZone: subnet.zone,
    AvailabilityZoneId: zoneId(subnet.zone),
    AvailableIpAddressCount: await freeAddresses(state.records, subnet),
    DefaultForAz: subnet.isDefaultForZone,
    MapPublicIpOnLaunch: subnet.mapPublicIpOnLaunch,
    AssignIpv6AddressOnCreation: false,
    Ipv6CidrBlockAssociationSet: [],
    Ipv6Native: false,
    EnableDns64: false,
    MapCustomerOwnedIpOnLaunch: false,
    PrivateDnsNameOptionsOnLaunch: {
      HostnameType: 'ip-name',
      EnableResourceNameDnsARecord: false,
      EnableResourceNameDnsAAAARecord: false,
    },
    Tags: toTags(subnet.tags),
  };
}

export function subnetHandlers(state: Ec2State, uses: Uses) {
  const { records, random, clock } = state;
  return {
    async CreateSubnet(input, context) {
      const vpc = await mustGet(records.vpcs, context, 'vpc', input.VpcId);
      const cidr = cidrOf('cidrBlock', input.CidrBlock);
      const zones = zonesOf(context.region);
      const zone = input.AvailabilityZone ?? zones.find((name) => zoneId(name) === input.AvailabilityZoneId);
      if (input.AvailabilityZone && !zones.includes(input.AvailabilityZone))
        throw new AwsError(
          'InvalidParameterValue',
          `Value (${input.AvailabilityZone}) for parameter availabilityZone is invalid. Subnets can currently only be created in the following availability zones: ${zones.join(', ')}.`,
        );
      if (blockOf('cidrBlock', cidr).prefixLength > 28 || !cidrContains(vpc.value.cidr, cidr))
        throw new AwsError('InvalidSubnet.Range', `The CIDR '${input.CidrBlock}' is invalid.`);
      const subnet: Subnet = {
        id: newId(random, 'subnet'),
        tenant: context.account,
        region: context.region,
        tags: tagsFor('subnet', input.TagSpecifications),
        createdAt: clock.now(),
        vpcId: vpc.value.id,
        zone: zone ?? zones[0]!,
        cidr,
        isDefaultForZone: false,
        mapPublicIpOnLaunch: false,
      };
      await uses.add(context, vpc.value.id, async () => {
        const siblings = (await records.subnets.list(allIn(context))).filter(
          ({ value }) => value.vpcId === subnet.vpcId,
        );
        if (siblings.some(({ value }) => overlaps(value.cidr, cidr)))
          throw new AwsError('InvalidSubnet.Conflict', `The CIDR '${input.CidrBlock}' conflicts with another subnet`);
        return {
          compare: [records.vpcs.ifPresent(vpc.id)],
          success: [records.subnets.put(keyIn(context, subnet.id), subnet)],
        };
      });
      return { Subnet: await toSubnet(state, subnet) };
    },

    async DescribeSubnets(input, context) {
      const page = await select(records.subnets, context, {
        kind: 'subnet',
        fields,
        selection: {
          ids: input.SubnetIds,
          filters: input.Filters,
          maxResults: input.MaxResults,
          nextToken: input.NextToken,
        },
      });
      return {
        Subnets: await Promise.all(page.items.map((subnet) => toSubnet(state, subnet))),
        NextToken: page.nextToken,
      };
    },

    async DeleteSubnet(input, context) {
      const subnet = await mustGet(records.subnets, context, 'subnet', input.SubnetId);
      await uses.remove(
        context,
        { id: subnet.value.id, refusal: `The subnet '${subnet.value.id}' has dependencies and cannot be deleted.` },
        async () => {
          const interfaces = await records.networkInterfaces.list(allIn(context));
          return interfaces.some(({ value }) => value.subnetId === subnet.value.id);
        },
        () => ({ success: [records.subnets.remove(subnet.id)] }),
      );
      await forgetAssociations(subnet.value.id, context);
      return {};
    },

    async ModifySubnetAttribute(input, context) {
      await mustGet(records.subnets, context, 'subnet', input.SubnetId);
      const mapPublicIpOnLaunch = input.MapPublicIpOnLaunch?.Value;
      if (mapPublicIpOnLaunch === undefined)
        throw new AwsError(
          'UnsupportedOperation',
          'Of the attributes of a subnet only MapPublicIpOnLaunch can be modified',
          {
            status: 501,
          },
        );
      await records.subnets.update(keyIn(context, input.SubnetId!), (subnet) => ({ ...subnet, mapPublicIpOnLaunch }));
      return {};
    },
  } satisfies Handlers<typeof import('@aws-sdk/client-ec2')>;

  async function forgetAssociations(subnetId: string, scope: { account: string; region: string }): Promise<void> {
    for (const { id, value } of await records.routeTables.list(allIn(scope)))
      if (value.associations.some((association) => association.subnetId === subnetId))
        await records.routeTables.update(id, (table) => ({
          ...table,
          associations: table.associations.filter((association) => association.subnetId !== subnetId),
        }));
  }
}
