import type { Cluster, LogSetup, LogType } from '@aws-sdk/client-eks';
import { logTypes } from './cluster/log-delivery.ts';
import { clusterArn } from './names.ts';
import type { ClusterRecord } from './records.ts';
import { PLATFORM_VERSION } from './versions.ts';

export function endpointOf({ port }: Pick<ClusterRecord, 'port'>): string | undefined {
  return port === undefined ? undefined : `https://127.0.0.1:${port}`;
}

/** The `iss` of the cluster's service-account tokens: Amazon EKS User Guide, "IAM roles for service accounts". */
export function issuerOf({ id, region }: Pick<ClusterRecord, 'id' | 'region'>): string {
  return `https://oidc.eks.${region}.amazonaws.com/id/${id.toUpperCase()}`;
}

/** The cluster as the API shows it. Endpoint, issuer and certificate appear once the API server has answered, as with EKS. */
export function toCluster(record: ClusterRecord): Cluster {
  const { network } = record;
  const isUp = record.status !== 'CREATING' && record.certificateAuthorityPem !== undefined;
  return {
    name: record.name,
    arn: clusterArn(record, record.name),
    createdAt: new Date(record.createdAt),
    version: record.version,
    ...(isUp && {
      endpoint: endpointOf(record),
      identity: { oidc: { issuer: issuerOf(record) } },
      certificateAuthority: { data: Buffer.from(record.certificateAuthorityPem ?? '').toString('base64') },
    }),
    ...(!isUp && { certificateAuthority: {} }),
    roleArn: record.roleArn,
    resourcesVpcConfig: {
      subnetIds: [...network.subnetIds],
      securityGroupIds: [...network.securityGroupIds],
      clusterSecurityGroupId: record.securityGroupId,
      vpcId: record.vpcId,
      endpointPublicAccess: network.endpointPublicAccess,
      endpointPrivateAccess: network.endpointPrivateAccess,
      publicAccessCidrs: [...network.publicAccessCidrs],
    },
    kubernetesNetworkConfig: {
      serviceIpv4Cidr: record.serviceCidr,
      ipFamily: 'ipv4',
      elasticLoadBalancing: { enabled: false },
    },
    logging: { clusterLogging: toLogging(record.logTypes ?? []) },
    status: record.status,
    platformVersion: PLATFORM_VERSION,
    tags: { ...record.tags },
    health: { issues: record.issue === undefined ? [] : [{ code: 'Other', message: record.issue, resourceIds: [] }] },
    accessConfig: {
      authenticationMode: record.authenticationMode,
      bootstrapClusterCreatorAdminPermissions: record.bootstrapsCreator,
    },
    upgradePolicy: { supportType: record.supportType },
    computeConfig: { enabled: false, nodePools: [] },
    storageConfig: { blockStorage: { enabled: false } },
    zonalShiftConfig: { enabled: false },
    deletionProtection: record.isDeletionProtected,
  };
}

function toLogging(wanted: readonly LogType[]): LogSetup[] {
  const others = logTypes.filter((type) => !wanted.includes(type));
  return [
    ...(wanted.length ? [{ types: [...wanted], enabled: true }] : []),
    ...(others.length ? [{ types: others, enabled: false }] : []),
  ];
}
