import type { Instance, InstanceState, InstanceStatus, InstanceTypeInfo, Reservation } from '@aws-sdk/client-ec2';
import { macAddressOf, type SecurityGroup } from '#network';
import { privateDnsName, publicDnsName } from './dns-names.ts';
import { stateCodes, type InstanceRecord, type InstanceStateName } from './instance-records.ts';
import { findInstanceType, type InstanceType } from './instance-types.ts';
import { toMetadataOptions } from './metadata/options.ts';
import { toTags } from './tags.ts';
import { zoneId } from './zones.ts';

export function toState(name: InstanceStateName): InstanceState {
  return { Code: stateCodes[name], Name: name };
}

export function toInstance(record: InstanceRecord, groups: ReadonlyMap<string, SecurityGroup>): Instance {
  const isGone = record.state === 'terminated';
  const securityGroups = isGone
    ? []
    : record.securityGroupIds.map((GroupId) => ({ GroupId, GroupName: groups.get(GroupId)?.name }));
  const dnsName = isGone ? '' : privateDnsName(record.region, record.privateIp);
  const publicIp = isGone || record.state === 'stopped' ? undefined : record.publicIp;
  return {
    InstanceId: record.id,
    ImageId: record.imageId,
    InstanceType: record.instanceType as NonNullable<Instance['InstanceType']>, // a name of `instance-types.ts`
    State: toState(record.state),
    StateTransitionReason: record.stateReason ? `User initiated (${gmt(record.stateChangedAt)})` : '',
    StateReason: record.stateReason && { Code: record.stateReason.code, Message: record.stateReason.message },
    AmiLaunchIndex: record.launchIndex,
    ClientToken: record.clientToken ?? '',
    LaunchTime: new Date(record.launchedAt),
    Placement: {
      AvailabilityZone: record.zone,
      AvailabilityZoneId: zoneId(record.zone),
      GroupName: '',
      Tenancy: 'default',
    },
    MetadataOptions: toMetadataOptions(record.metadataOptions),
    Monitoring: { State: 'disabled' },
    PrivateDnsName: dnsName,
    PublicDnsName: publicIp ? publicDnsName(record.region, publicIp) : '',
    PublicIpAddress: publicIp,
    ...(!isGone && { PrivateIpAddress: record.privateIp, SubnetId: record.subnetId, VpcId: record.vpcId }),
    SecurityGroups: securityGroups,
    NetworkInterfaces: isGone
      ? []
      : [
          {
            NetworkInterfaceId: record.networkInterfaceId,
            SubnetId: record.subnetId,
            VpcId: record.vpcId,
            OwnerId: record.tenant,
            Status: 'in-use',
            Description: '',
            InterfaceType: 'interface',
            MacAddress: macAddressOf(record.networkInterfaceId),
            PrivateIpAddress: record.privateIp,
            PrivateDnsName: dnsName,
            PrivateIpAddresses: [{ Primary: true, PrivateIpAddress: record.privateIp, PrivateDnsName: dnsName }],
            Groups: securityGroups,
            SourceDestCheck: true,
            Attachment: {
              AttachTime: new Date(record.createdAt),
              DeleteOnTermination: true,
              DeviceIndex: 0,
              NetworkCardIndex: 0,
              Status: 'attached',
            },
          },
        ],
    IamInstanceProfile: record.instanceProfile && { Arn: record.instanceProfile.arn, Id: record.instanceProfile.id },
    Architecture: findInstanceType(record.instanceType)?.architecture,
    SourceDestCheck: true,
    EbsOptimized: record.isEbsOptimized ?? false,
    EnaSupport: true,
    Hypervisor: 'xen',
    VirtualizationType: 'hvm',
    RootDeviceType: 'instance-store',
    BlockDeviceMappings: [],
    ProductCodes: [],
    PlatformDetails: 'Linux/UNIX',
    Operator: record.managedBy ? { Managed: true, Principal: `${record.managedBy}.amazonaws.com` } : { Managed: false },
    Tags: toTags(record.tags),
  };
}

/** Instances of one call belong together. */
export function toReservations(
  records: readonly InstanceRecord[],
  groups: ReadonlyMap<string, SecurityGroup>,
): Reservation[] {
  return [...Map.groupBy(records, ({ reservationId }) => reservationId)].map(([ReservationId, members]) => ({
    ReservationId,
    OwnerId: members[0]!.tenant,
    Groups: [],
    Instances: members.map((record) => toInstance(record, groups)),
    ...(members[0]!.managedBy && { RequesterId: members[0]!.managedBy }),
  }));
}

export function toInstanceStatus(record: InstanceRecord): InstanceStatus {
  const isRunning = record.state === 'running';
  const summary = isRunning
    ? { Status: 'ok' as const, Details: [{ Name: 'reachability' as const, Status: 'passed' as const }] }
    : { Status: 'not-applicable' as const };
  return {
    InstanceId: record.id,
    AvailabilityZone: record.zone,
    AvailabilityZoneId: zoneId(record.zone),
    InstanceState: toState(record.state),
    InstanceStatus: summary,
    SystemStatus: summary,
  };
}

export function toTypeInfo(type: InstanceType): InstanceTypeInfo {
  return {
    InstanceType: type.name as NonNullable<InstanceTypeInfo['InstanceType']>, // a name of `instance-types.ts`
    CurrentGeneration: true,
    FreeTierEligible: type.name === 't3.micro',
    SupportedUsageClasses: ['on-demand'],
    SupportedRootDeviceTypes: ['instance-store'],
    SupportedVirtualizationTypes: ['hvm'],
    BareMetal: false,
    ProcessorInfo: { SupportedArchitectures: [type.architecture] },
    VCpuInfo: { DefaultVCpus: type.vcpus },
    MemoryInfo: { SizeInMiB: type.memoryMiB },
    InstanceStorageSupported: false,
    NetworkInfo: {
      MaximumNetworkInterfaces: type.maxInterfaces,
      Ipv4AddressesPerInterface: type.addressesPerInterface,
      Ipv6Supported: false,
    },
    HibernationSupported: false,
    BurstablePerformanceSupported: type.isBurstable,
    DedicatedHostsSupported: false,
    AutoRecoverySupported: false,
  };
}

function gmt(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19).replace('T', ' ')} GMT`;
}
