import type { UpdateClusterConfigRequest, VpcConfigRequest } from '@aws-sdk/client-eks';
import type { CallContext } from '../service.ts';
import { checkEndpointAccess, checkLogging, checkNetwork } from './cluster-checks.ts';
import { invalidParameter } from './names.ts';
import type { ClusterNetwork, ClusterRecord } from './records.ts';
import type { EksState } from './state.ts';
import type { UpdateRequest } from './updates.ts';

/** What a cluster becomes, and the update that says so. */
export interface ConfigChange {
  readonly changed: Partial<ClusterRecord>;
  readonly request: Pick<UpdateRequest, 'type' | 'params'>;
}

/**
 * What `UpdateClusterConfig` asks for. One kind of change a call, as EKS has it: throws `InvalidParameterException` for several, and for one that changes nothing.
 */
export async function configChange(
  state: EksState,
  context: CallContext,
  record: ClusterRecord,
  input: UpdateClusterConfigRequest,
): Promise<ConfigChange> {
  const { accessConfig, resourcesVpcConfig: vpc, upgradePolicy, deletionProtection, logging } = input;
  const asked = [
    logging && (() => loggingChange(record, logging)),
    accessConfig?.authenticationMode && (() => modeChange(record, accessConfig.authenticationMode!)),
    asksForEndpoint(vpc) && (() => endpointChange(record, vpc!)),
    asksForNetwork(vpc) && (async () => await networkChange(state, context, record, vpc!)),
    upgradePolicy?.supportType && (() => policyChange(upgradePolicy)),
    deletionProtection !== undefined && (() => protectionChange(deletionProtection)),
  ].filter((change) => typeof change === 'function');
  if (asked.length > 1) throw invalidParameter('Only one type of update can be allowed.');
  const [only] = asked;
  if (!only) throw invalidParameter('No changes needed for the config provided');
  return await only();
}

function asksForEndpoint(vpc: VpcConfigRequest | undefined): boolean {
  const { endpointPublicAccess, endpointPrivateAccess, publicAccessCidrs, controlPlaneEgressMode } = vpc ?? {};
  return [endpointPublicAccess, endpointPrivateAccess, publicAccessCidrs, controlPlaneEgressMode].some(
    (member) => member !== undefined,
  );
}

function asksForNetwork(vpc: VpcConfigRequest | undefined): boolean {
  return Boolean(vpc?.subnetIds?.length) || vpc?.securityGroupIds !== undefined;
}

function loggingChange(record: ClusterRecord, logging: NonNullable<UpdateClusterConfigRequest['logging']>) {
  const logTypes = checkLogging(logging, record.logTypes);
  if (logTypes.join() === (record.logTypes ?? []).join())
    throw invalidParameter('No changes needed for the logging config provided');
  return { changed: { logTypes }, request: { type: 'LoggingUpdate', params: { ClusterLogging: logging } } } as const;
}

const modes = ['CONFIG_MAP', 'API_AND_CONFIG_MAP', 'API'] as const;

/** Access entries, once on, stay on; the config map, once off, stays off. */
function modeChange({ authenticationMode: from }: ClusterRecord, to: (typeof modes)[number]) {
  if (modes.indexOf(to) <= modes.indexOf(from))
    throw invalidParameter(`Unsupported authentication mode update from ${from} to ${to}`);
  const request = { type: 'AccessConfigUpdate', params: { AuthenticationMode: to } } as const;
  return { changed: { authenticationMode: to }, request };
}

function endpointChange({ network }: ClusterRecord, config: VpcConfigRequest): ConfigChange {
  checkEndpointAccess(config);
  const changed: ClusterNetwork = {
    ...network,
    endpointPrivateAccess: config.endpointPrivateAccess ?? network.endpointPrivateAccess,
    publicAccessCidrs: config.publicAccessCidrs ?? network.publicAccessCidrs,
  };
  const { endpointPrivateAccess: isPrivate, endpointPublicAccess: isPublic, publicAccessCidrs: cidrs } = changed;
  if (isPrivate === network.endpointPrivateAccess && cidrs.join() === network.publicAccessCidrs.join())
    throw invalidParameter(
      `Cluster is already at the desired configuration with endpointPrivateAccess: ${isPrivate} , endpointPublicAccess: ${isPublic}, and Public Endpoint Restrictions: [${cidrs.join(', ')}]`,
    );
  const params = { EndpointPublicAccess: isPublic, EndpointPrivateAccess: isPrivate, PublicAccessCidrs: cidrs };
  return { changed: { network: changed }, request: { type: 'EndpointAccessUpdate', params } };
}

async function networkChange(
  state: EksState,
  context: CallContext,
  { network }: ClusterRecord,
  config: VpcConfigRequest,
): Promise<ConfigChange> {
  const subnetIds = config.subnetIds?.length ? config.subnetIds : network.subnetIds;
  const securityGroupIds = config.securityGroupIds ?? network.securityGroupIds;
  await checkNetwork(state, context, { subnetIds, securityGroupIds });
  const params = { Subnets: subnetIds, SecurityGroups: securityGroupIds };
  return {
    changed: { network: { ...network, subnetIds, securityGroupIds } },
    request: { type: 'VpcConfigUpdate', params },
  };
}

function policyChange({ supportType }: NonNullable<UpdateClusterConfigRequest['upgradePolicy']>): ConfigChange {
  const request = { type: 'UpgradePolicyUpdate', params: { UpgradePolicy: { supportType } } } as const;
  return { changed: { ...(supportType && { supportType }) }, request };
}

function protectionChange(isDeletionProtected: boolean): ConfigChange {
  const request = { type: 'DeletionProtectionUpdate', params: { DeletionProtection: isDeletionProtected } } as const;
  return { changed: { isDeletionProtected }, request };
}
