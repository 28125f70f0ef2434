import type { NetworkInterface, NetworkRecords } from '#network';
import type { VpcCaller } from '../../vpc-addresses.ts';
import { privateDnsName } from '../dns-names.ts';
import type { InstanceRecord } from '../instance-records.ts';
import type { Instances } from '../instances.ts';
import { interfaceAt } from '../interface-addresses.ts';

/** Who asks for metadata: an instance itself, or something one hop behind it, such as a pod with an address of its own. */
export interface MetadataCaller {
  readonly instance: InstanceRecord;
  readonly networkInterface: NetworkInterface;
  readonly hops: 1 | 2;
}

/** Undefined for what is neither an instance nor on one: tasks and pods of Fargate have no metadata service of EC2. */
export async function metadataCaller(
  parts: { readonly instances: Instances; readonly records: NetworkRecords },
  { vpcId, address }: VpcCaller,
): Promise<MetadataCaller | undefined> {
  const asking = await interfaceAt(parts.records, vpcId, address);
  if (!asking) return undefined;
  const { tenant, region, cluster } = asking;
  const all = (await parts.instances.records.list(`${tenant}/${region}/`)).map(({ value }) => value);
  const alive = all.filter((instance) => instance.vpcId === vpcId && instance.state !== 'terminated');
  const own = alive.find(({ networkInterfaceId }) => networkInterfaceId === asking.id);
  if (own) return { instance: own, networkInterface: asking, hops: 1 };
  // A pod's interface names the node it is on, which has the name of its instance.
  const under = alive.find(({ privateIp }) => privateDnsName(region, privateIp) === cluster?.node);
  const networkInterface =
    under && (await parts.records.networkInterfaces.get(`${tenant}/${region}/${under.networkInterfaceId}`));
  return networkInterface && { instance: under, networkInterface: networkInterface.value, hops: 2 };
}
