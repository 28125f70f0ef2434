import type { NetworkInterface as ApiInterface } from '@aws-sdk/client-ec2';
import type { NetworkInterface, SecurityGroup } from '#network';
import { AwsError } from '../errors.ts';
import type { Handlers } from '../service.ts';
import { select } from './describe.ts';
import { privateDnsName, publicDnsName } from './dns-names.ts';
import type { FilterFields } from './filters.ts';
import type { Interfaces } from './interfaces.ts';
import { mustGet } from './kinds.ts';
import { allIn, type Ec2State } from './scope.ts';
import { tagsFor, toTags } from './tags.ts';
import type { Uses } from './uses.ts';
import { zoneId } from './zones.ts';

const ATTEMPTS = 16;

const fields: FilterFields<NetworkInterface> = {
  'network-interface-id': (eni) => eni.id,
  'subnet-id': (eni) => eni.subnetId,
  'vpc-id': (eni) => eni.vpcId,
  'availability-zone': (eni) => eni.zone,
  'availability-zone-id': (eni) => zoneId(eni.zone),
  description: (eni) => eni.description,
  'group-id': (eni) => eni.securityGroupIds,
  'mac-address': (eni) => eni.macAddress,
  'owner-id': (eni) => eni.tenant,
  'private-dns-name': (eni) => privateDnsName(eni.region, eni.privateIp),
  'private-ip-address': (eni) => eni.privateIp,
  'addresses.private-ip-address': (eni) => eni.privateIp,
  'addresses.primary': () => true,
  'addresses.association.public-ip': (eni) => eni.publicIp,
  'addresses.association.owner-id': (eni) => ipOwner(eni),
  'association.public-ip': (eni) => eni.publicIp,
  'association.association-id': (eni) => eni.publicIpAssociationId,
  'association.allocation-id': (eni) => eni.publicIpAllocationId,
  'association.ip-owner-id': (eni) => ipOwner(eni),
  'association.public-dns-name': (eni) => eni.publicIp && publicDnsName(eni.region, eni.publicIp),
  'attachment.attachment-id': (eni) => eni.attachment?.id,
  'attachment.status': (eni) => (eni.attachment ? 'attached' : undefined),
  'interface-type': () => 'interface',
  'requester-id': (eni) => eni.managedBy,
  'requester-managed': (eni) => eni.managedBy !== undefined,
  'source-dest-check': (eni) => eni.sourceDestCheck,
  status: (eni) => statusOf(eni),
};

/** An address of the pool belongs to Amazon until it is an elastic address of the account. */
function ipOwner(eni: NetworkInterface): string | undefined {
  if (!eni.publicIp) return undefined;
  return eni.publicIpAllocationId ? eni.tenant : 'amazon';
}

function statusOf(eni: NetworkInterface): 'in-use' | 'available' {
  return eni.attachment ? 'in-use' : 'available';
}

function toInterface(eni: NetworkInterface, groups: ReadonlyMap<string, SecurityGroup>): ApiInterface {
  const association = eni.publicIp
    ? {
        PublicIp: eni.publicIp,
        PublicDnsName: publicDnsName(eni.region, eni.publicIp),
        IpOwnerId: ipOwner(eni),
        AssociationId: eni.publicIpAssociationId,
        AllocationId: eni.publicIpAllocationId,
      }
    : undefined;
  const dnsName = privateDnsName(eni.region, eni.privateIp);
  return {
    NetworkInterfaceId: eni.id,
    OwnerId: eni.tenant,
    VpcId: eni.vpcId,
    SubnetId: eni.subnetId,
    AvailabilityZone: eni.zone,
    AvailabilityZoneId: zoneId(eni.zone),
    Description: eni.description,
    InterfaceType: 'interface',
    Groups: eni.securityGroupIds.map((GroupId) => ({ GroupId, GroupName: groups.get(GroupId)?.name })),
    MacAddress: eni.macAddress,
    PrivateDnsName: dnsName,
    PrivateIpAddress: eni.privateIp,
    PrivateIpAddresses: [
      { Primary: true, PrivateIpAddress: eni.privateIp, PrivateDnsName: dnsName, Association: association },
    ],
    Ipv6Addresses: [],
    Association: association,
    Attachment: eni.attachment && {
      AttachmentId: eni.attachment.id,
      AttachTime: new Date(eni.attachment.attachedAt),
      DeleteOnTermination: false,
      DeviceIndex: 1,
      NetworkCardIndex: 0,
      InstanceOwnerId: eni.managedBy ?? eni.tenant,
      Status: 'attached',
    },
    RequesterId: eni.managedBy,
    RequesterManaged: eni.managedBy !== undefined,
    SourceDestCheck: eni.sourceDestCheck,
    Status: statusOf(eni),
    TagSet: toTags(eni.tags),
  };
}

export function networkInterfaceHandlers(state: Ec2State, interfaces: Interfaces, uses: Uses) {
  const { records } = state;

  async function groupsIn(scope: { account: string; region: string }): Promise<Map<string, SecurityGroup>> {
    return new Map((await records.securityGroups.list(allIn(scope))).map(({ value }) => [value.id, value]));
  }

  return {
    async CreateNetworkInterface(input, context) {
      if (input.SecondaryPrivateIpAddressCount || input.Ipv6AddressCount || input.Ipv6Addresses?.length)
        throw new AwsError('UnsupportedOperation', 'Network interfaces have one IPv4 address', { status: 501 });
      const groups = await groupsIn(context);
      const outputOf = (eni: NetworkInterface) => ({ NetworkInterface: toInterface(eni, groups) });
      const request = {
        account: context.account,
        region: context.region,
        subnetId: input.SubnetId ?? '',
        securityGroupIds: input.Groups,
        description: input.Description ?? '',
        privateIp: input.PrivateIpAddress ?? input.PrivateIpAddresses?.[0]?.PrivateIpAddress,
        tags: tagsFor('network-interface', input.TagSpecifications),
      };
      return outputOf(await interfaces.create(request, (eni) => context.remember(outputOf(eni))));
    },

    async DescribeNetworkInterfaces(input, context) {
      const groups = await groupsIn(context);
      const page = await select(records.networkInterfaces, context, {
        kind: 'network-interface',
        fields: {
          ...fields,
          'group-name': (eni) => eni.securityGroupIds.map((id) => groups.get(id)?.name),
        },
        selection: {
          ids: input.NetworkInterfaceIds,
          filters: input.Filters,
          maxResults: input.MaxResults,
          nextToken: input.NextToken,
        },
      });
      return { NetworkInterfaces: page.items.map((eni) => toInterface(eni, groups)), NextToken: page.nextToken };
    },

    async DeleteNetworkInterface(input, context) {
      const { value } = await mustGet(
        records.networkInterfaces,
        context,
        'network-interface',
        input.NetworkInterfaceId,
      );
      if (value.managedBy)
        throw new AwsError(
          'OperationNotPermitted',
          `You are not allowed to manage '${value.id}': it belongs to ${value.managedBy}.`,
        );
      if (value.attachment)
        throw new AwsError('InvalidParameterValue', `Network interface '${value.id}' is currently in use.`);
      await interfaces.delete(context, value.id);
      return {};
    },

    async ModifyNetworkInterfaceAttribute(input, context) {
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        const seen = await mustGet(records.networkInterfaces, context, 'network-interface', input.NetworkInterfaceId);
        const groups = await Promise.all(
          [...new Set(input.Groups)].map((id) => mustGet(records.securityGroups, context, 'security-group', id)),
        );
        const stranger = groups.find(({ value }) => value.vpcId !== seen.value.vpcId)?.value.id;
        if (stranger)
          throw new AwsError(
            'InvalidGroup.NotFound',
            `The security group '${stranger}' does not exist in VPC '${seen.value.vpcId}'`,
          );
        const eni: NetworkInterface = {
          ...seen.value,
          description: input.Description?.Value ?? seen.value.description,
          securityGroupIds: groups.length ? groups.map(({ value }) => value.id) : seen.value.securityGroupIds,
          sourceDestCheck: input.SourceDestCheck?.Value ?? seen.value.sourceDestCheck,
        };
        // A group that is being deleted meanwhile learns that it is used.
        const { succeeded } = await state.store.txn({
          compare: [
            records.networkInterfaces.ifUnchanged(seen),
            ...groups.map(({ id }) => records.securityGroups.ifPresent(id)),
          ],
          success: [
            records.networkInterfaces.put(seen.id, eni),
            ...groups.map(({ value }) => uses.touch(context, value.id)),
          ],
        });
        if (succeeded) return {};
      }
      throw new AwsError('RequestLimitExceeded', 'The interface changes faster than the request can be carried out.');
    },
  } satisfies Handlers<typeof import('@aws-sdk/client-ec2')>;
}
