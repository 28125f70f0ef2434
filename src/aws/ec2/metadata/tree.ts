/** What an instance can read of itself: Amazon EC2 User Guide, "Instance metadata categories". What we know nothing of is not there. */
import { isoSeconds } from '#base';
import { macAddressOf, type NetworkInterface, type SecurityGroup, type Subnet, type Vpc } from '#network';
import { privateDnsName, publicDnsName } from '../dns-names.ts';
import type { InstanceRecord } from '../instance-records.ts';
import { findInstanceType } from '../instance-types.ts';
import { zoneId } from '../zones.ts';

/** A directory, or a file's text, perhaps made when it is read. */
export type MetadataNode = MetadataTree | string | (() => Promise<string>);
export interface MetadataTree {
  readonly [name: string]: MetadataNode | undefined;
}

export interface InstanceFacts {
  readonly instance: InstanceRecord;
  readonly networkInterface: NetworkInterface;
  readonly subnet: Subnet;
  readonly vpc: Vpc;
  readonly groups: readonly SecurityGroup[];
  /** The role whose sessions it has. */
  readonly role: InstanceRole | undefined;
}

export interface InstanceRole {
  readonly name: string;
  /** None where a service gave the role. */
  readonly profile: InstanceRecord['instanceProfile'];
  /** The document of a session, as text. */
  readonly credentials: () => Promise<string>;
}

/** Everything below `/latest/`. */
export function metadataTree(facts: InstanceFacts): MetadataTree {
  return { dynamic: { 'instance-identity': { document: identityDocument(facts) } }, 'meta-data': metadata(facts) };
}

function metadata(facts: InstanceFacts): MetadataTree {
  const { instance, groups, role } = facts;
  const names = namesOf(facts);
  return {
    'ami-id': instance.imageId,
    'ami-launch-index': String(instance.launchIndex),
    hostname: names['local-hostname'],
    ...(role && { iam: iam(instance, role) }),
    'instance-action': 'none',
    'instance-id': instance.id,
    'instance-life-cycle': 'on-demand',
    'instance-type': instance.instanceType,
    'local-hostname': names['local-hostname'],
    'local-ipv4': instance.privateIp,
    mac: macAddressOf(instance.networkInterfaceId),
    network: { interfaces: { macs: { [macAddressOf(instance.networkInterfaceId)]: card(facts) } } },
    placement: {
      'availability-zone': instance.zone,
      'availability-zone-id': zoneId(instance.zone),
      region: instance.region,
    },
    profile: 'default-hvm',
    'public-hostname': names['public-hostname'],
    'public-ipv4': facts.networkInterface.publicIp,
    'reservation-id': instance.reservationId,
    'security-groups': groups.map(({ name }) => name).join('\n'),
    services: { domain: 'amazonaws.com', partition: 'aws' },
    ...(instance.metadataOptions?.showsTags && { tags: { instance: { ...instance.tags } } }),
  };
}

function namesOf({ instance, networkInterface: { publicIp } }: InstanceFacts) {
  return {
    'local-hostname': privateDnsName(instance.region, instance.privateIp),
    'public-hostname': publicIp && publicDnsName(instance.region, publicIp),
  };
}

function card(facts: InstanceFacts): MetadataTree {
  const { instance, networkInterface, subnet, vpc, groups } = facts;
  const { publicIp } = networkInterface;
  return {
    'device-number': '0',
    'interface-id': networkInterface.id,
    ...(publicIp && { 'ipv4-associations': { [publicIp]: instance.privateIp } }),
    'local-ipv4s': instance.privateIp,
    mac: macAddressOf(networkInterface.id),
    'owner-id': instance.tenant,
    'public-ipv4s': publicIp,
    ...namesOf(facts),
    'security-group-ids': groups.map(({ id }) => id).join('\n'),
    'security-groups': groups.map(({ name }) => name).join('\n'),
    'subnet-id': subnet.id,
    'subnet-ipv4-cidr-block': subnet.cidr,
    'vpc-id': vpc.id,
    'vpc-ipv4-cidr-block': vpc.cidr,
    'vpc-ipv4-cidr-blocks': vpc.cidr,
  };
}

function iam({ launchedAt }: InstanceRecord, { name, profile, credentials }: InstanceRole): MetadataTree {
  const info = profile && {
    Code: 'Success',
    LastUpdated: isoSeconds(launchedAt),
    InstanceProfileArn: profile.arn,
    InstanceProfileId: profile.id,
  };
  return {
    info: info && JSON.stringify(info, undefined, 2),
    'security-credentials': { [name]: credentials },
  };
}

/** Unsigned: nobody could check a signature of ours with AWS's certificate. */
function identityDocument({ instance }: InstanceFacts): string {
  const document = {
    accountId: instance.tenant,
    architecture: findInstanceType(instance.instanceType)?.architecture,
    availabilityZone: instance.zone,
    imageId: instance.imageId,
    instanceId: instance.id,
    instanceType: instance.instanceType,
    pendingTime: isoSeconds(instance.launchedAt),
    privateIp: instance.privateIp,
    region: instance.region,
    version: '2017-09-30',
  };
  return JSON.stringify(document, undefined, 2);
}

/** What is at a path, split at its slashes: the text of a file, or a directory's entries a line each. Undefined when nothing is. */
export async function readMetadata(tree: MetadataTree, path: readonly string[]): Promise<string | undefined> {
  let node: MetadataNode | undefined = tree;
  for (const name of path.filter(Boolean)) {
    if (typeof node !== 'object' || !Object.hasOwn(node, name)) return undefined;
    node = node[name];
  }
  if (typeof node !== 'object') return typeof node === 'function' ? await node() : node;
  return Object.entries(node)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => (typeof value === 'object' ? `${name}/` : name))
    .join('\n');
}
