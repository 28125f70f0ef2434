import type { CreateClusterRequest, Logging, LogType, VpcConfigRequest } from '@aws-sdk/client-eks';
import { cidrContains, overlaps, parseCidr, type Subnet, type Vpc } from '#network';
import { isDabbaError } from '#base';
import { AwsError } from '../errors.ts';
import { logTypes } from './cluster/log-delivery.ts';
import { invalidParameter, notSupported, type Scope } from './names.ts';
import type { EksState } from './state.ts';

/** Amazon EKS API reference, `CreateCluster`, "name". */
const NAME = /^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$/;

export function checkClusterName(name: string): void {
  if (!NAME.test(name))
    throw invalidParameter(
      `The cluster name "${name}" must begin with a letter or digit and have at most 100 letters, digits, hyphens and underscores.`,
    );
}

/** Refuses what the model offers and this control plane lacks. */
export function refuseUnbuilt(input: Omit<CreateClusterRequest, 'name' | 'roleArn' | 'resourcesVpcConfig'>): void {
  if (input.outpostConfig) throw notSupported('A cluster on an Outpost');
  if (input.encryptionConfig?.length) throw notSupported('Envelope encryption of secrets');
  if (input.remoteNetworkConfig) throw notSupported('A hybrid node network');
  if (input.computeConfig?.enabled || input.storageConfig?.blockStorage?.enabled) throw notSupported('EKS Auto Mode');
  if (input.kubernetesNetworkConfig?.elasticLoadBalancing?.enabled) throw notSupported('EKS Auto Mode');
  if (input.kubernetesNetworkConfig?.ipFamily === 'ipv6') throw notSupported('The IP family ipv6');
  if (input.zonalShiftConfig?.enabled) throw notSupported('Zonal shift');
  if (input.controlPlaneScalingConfig?.tier && input.controlPlaneScalingConfig.tier !== 'standard')
    throw notSupported('A provisioned control plane');
  if (input.kubeApiServerConfig || input.kubeSchedulerConfig || input.kubeControllerManagerConfig)
    throw notSupported('Configuration of control plane components');
}

/** The logs that are wanted, over those that were: each set-up turns its types on or off. */
export function checkLogging(logging: Logging | undefined, before: readonly LogType[] = []): readonly LogType[] {
  const wanted = new Set(before);
  for (const { types = [], enabled = false } of logging?.clusterLogging ?? [])
    for (const type of types) {
      if (!logTypes.includes(type)) throw invalidParameter(`Invalid log type ${type}`);
      if (enabled) wanted.add(type);
      else wanted.delete(type);
    }
  return logTypes.filter((type) => wanted.has(type));
}

/** Who may reach the endpoint: it is on loopback, open to this machine alone. */
export function checkEndpointAccess(config: VpcConfigRequest): void {
  if (config.endpointPublicAccess === false) throw notSupported('A cluster without public access to its endpoint');
  if (config.publicAccessCidrs?.length && !config.publicAccessCidrs.includes('0.0.0.0/0'))
    throw notSupported('A limit on who may reach the endpoint');
  if (config.controlPlaneEgressMode && config.controlPlaneEgressMode !== 'AWS_MANAGED')
    throw notSupported('Egress of the control plane through the VPC');
}

/** The subnets and groups a request names, checked: they exist, in one VPC, in at least two zones. Returns the subnets. */
export async function checkNetwork(
  state: EksState,
  scope: Scope,
  named: { readonly subnetIds: readonly string[]; readonly securityGroupIds: readonly string[] },
): Promise<readonly Subnet[]> {
  await state.network.ensureDefaultVpc(scope);
  const subnets = await checkSubnets(state, scope, named.subnetIds);
  if (new Set(subnets.map(({ zone }) => zone)).size < 2)
    throw invalidParameter('Subnets specified must be in at least two different AZs');
  const groups = await asParameters(() => state.network.securityGroups(scope, named.securityGroupIds));
  if (groups.some(({ vpcId }) => vpcId !== subnets[0]!.vpcId))
    throw invalidParameter('The security groups must belong to the VPC of the subnets.');
  return subnets;
}

/** Subnets that exist, at least one, all of one VPC. */
export async function checkSubnets(
  state: EksState,
  scope: Scope,
  subnetIds: readonly string[],
): Promise<readonly Subnet[]> {
  if (!subnetIds.length) throw invalidParameter('subnets can not be empty.');
  if (subnetIds.length > 16) throw invalidParameter('subnets can have at most 16 items.');
  const subnets = await asParameters(() => Promise.all(subnetIds.map((id) => state.network.subnet(scope, id))));
  if (new Set(subnets.map(({ vpcId }) => vpcId)).size > 1) throw invalidParameter('Subnets are not in the same VPC.');
  return subnets;
}

async function asParameters<T>(look: () => Promise<T>): Promise<T> {
  try {
    return await look();
  } catch (error) {
    if (!(error instanceof AwsError)) throw error;
    throw invalidParameter(`${error.message} (Service: Ec2, Code: ${error.code})`);
  }
}

/** Where the addresses of Services come from: Amazon EKS User Guide, "serviceIpv4Cidr". */
export function serviceCidrFor(vpc: Vpc, wanted: string | undefined): string {
  if (wanted === undefined) return overlaps(vpc.cidr, '10.0.0.0/8') ? '172.20.0.0/16' : '10.100.0.0/16';
  const block = parsedCidr(wanted);
  const isPrivate = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'].some((range) => cidrContains(range, wanted));
  if (!isPrivate || block.prefixLength < 12 || block.prefixLength > 24 || overlaps(vpc.cidr, wanted))
    throw invalidParameter(
      `The specified service IP address range ${wanted} is invalid: it must be a private range between /12 and /24 that does not overlap the VPC's ${vpc.cidr}.`,
    );
  return wanted;
}

function parsedCidr(text: string): { readonly prefixLength: number } {
  try {
    return parseCidr(text);
  } catch (error) {
    if (!isDabbaError(error, 'InvalidArgument')) throw error;
    throw invalidParameter(`${text} is not an IPv4 CIDR block.`);
  }
}

/** The role that a cluster or node group works as: the caller may pass it, and it trusts the service. */
export async function checkClusterRole(state: EksState, roleArn: string): Promise<void> {
  try {
    await state.identities.issueRoleSession({
      roleArn,
      sessionName: 'AmazonEKS',
      service: 'eks.amazonaws.com',
      durationMs: 900_000,
    });
  } catch (error) {
    if (!(error instanceof AwsError)) throw error;
    throw invalidParameter(
      `Role with arn: ${roleArn}, could not be assumed because it does not exist or the trusted entity is not correct`,
    );
  }
}
