import type { RequestLaunchTemplateData, RunInstancesRequest } from '@aws-sdk/client-ec2';

/** What an instance here cannot have, since it is an address and a share of the machine, without a system, disks or login of its own. */
const unbuilt = [
  'UserData',
  'KeyName',
  'BlockDeviceMappings',
  'InstanceMarketOptions',
  'InstanceRequirements',
  'SecurityGroups',
  'Ipv6AddressCount',
  'Ipv6Addresses',
  'ElasticGpuSpecification',
  'ElasticGpuSpecifications',
  'CapacityReservationSpecification',
  'HibernationOptions',
  'EnclaveOptions',
  'SecondaryInterfaces',
] as const;

/** The first member of a request, or of a template's data, that asks for something an instance here cannot have: to be refused, never accepted and ignored. */
export function unbuiltMember(asked: RunInstancesRequest | RequestLaunchTemplateData): string | undefined {
  const members: { readonly [Name in (typeof unbuilt)[number]]?: unknown } = asked;
  const found = unbuilt.find((member) => {
    const value = members[member];
    return Array.isArray(value) ? value.length > 0 : value !== undefined && value !== '';
  });
  return found ?? unbuiltPlacement(asked.Placement) ?? unbuiltChoice(asked);
}

/** Choices of which one alone holds here, which is what is told of every instance. */
function unbuiltChoice(asked: RunInstancesRequest | RequestLaunchTemplateData): string | undefined {
  if (asked.DisableApiStop) return 'DisableApiStop';
  if ((asked.InstanceInitiatedShutdownBehavior ?? 'stop') !== 'stop') return 'InstanceInitiatedShutdownBehavior';
  return (asked.CreditSpecification?.CpuCredits ?? 'unlimited') === 'unlimited' ? undefined : 'CreditSpecification';
}

/** Of a placement, only the zone is chosen. */
function unbuiltPlacement(placement: RunInstancesRequest['Placement']): string | undefined {
  const { GroupName, GroupId, HostId, HostResourceGroupArn, PartitionNumber, Tenancy } = placement ?? {};
  if (Tenancy && Tenancy !== 'default') return 'Placement.Tenancy';
  const named = { GroupName, GroupId, HostId, HostResourceGroupArn, PartitionNumber };
  const member = Object.entries(named).find(([, value]) => value !== undefined && value !== '')?.[0];
  return member && `Placement.${member}`;
}
