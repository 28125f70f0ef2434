import type { CreateClusterRequest } from '@aws-sdk/client-eks';
import type { Versioned } from '#store';
import type { CallContext, Handlers } from '../service.ts';
import { creatorEntry } from './access-entries.ts';
import {
  checkClusterName,
  checkClusterRole,
  checkEndpointAccess,
  checkLogging,
  checkNetwork,
  refuseUnbuilt,
  serviceCidrFor,
} from './cluster-checks.ts';
import { configChange } from './cluster-config.ts';
import { toCluster } from './cluster-view.ts';
import { findCluster } from './find-cluster.ts';
import { clusterId, idIn, inUse, invalidParameter, invalidRequest } from './names.ts';
import { pageOf } from './pages.ts';
import { passRole } from './pass-role.ts';
import type { ClusterRecord } from './records.ts';
import type { EksState } from './state.ts';
import { tagsOf } from './tags.ts';
import { newUpdate, toUpdate, type UpdateRequest } from './updates.ts';
import { checkVersion, minorOf } from './versions.ts';

export function clusterHandlers(state: EksState) {
  const { clusters, store } = state;

  /** Writes a change with its update, together; the reconciler calls both done. */
  async function change(
    seen: Versioned<ClusterRecord>,
    changed: Partial<ClusterRecord>,
    { remember, ...request }: Pick<UpdateRequest, 'type' | 'params'> & Pick<CallContext, 'remember'>,
  ) {
    const { value } = seen;
    if (value.status !== 'ACTIVE')
      throw inUse(`Cannot ${request.type} because cluster ${value.name} currently has status ${value.status}`);
    const update = newUpdate(state, { account: value.account, region: value.region, cluster: value.name, ...request });
    const output = { update: toUpdate(update.record) };
    const { succeeded } = await store.txn({
      compare: [clusters.ifUnchanged(seen)],
      success: [clusters.put(seen.id, { ...value, ...changed, status: 'UPDATING' }), update.write, ...remember(output)],
    });
    if (!succeeded) throw inUse(`Cluster ${value.name} is being changed by another request`);
    return output;
  }

  return {
    async CreateCluster(input, context) {
      checkClusterName(input.name!);
      if (await clusters.get(clusterId(context, input.name!)))
        throw inUse(`Cluster already exists with name: ${input.name}`);
      const made = await plan(state, context, input);
      const entry = creatorEntry(state, made.record, context.principal);
      const output = { cluster: toCluster(made.record) };
      const { succeeded } = await store.txn({
        compare: [clusters.ifAbsent(clusterId(context, input.name!)), ...made.group.compare],
        success: [
          ...context.remember(output),
          ...made.group.success,
          clusters.put(clusterId(context, input.name!), made.record),
          ...(entry ? [state.accessEntries.put(idIn(entry, entry.principalArn), entry)] : []),
        ],
      });
      if (!succeeded) throw inUse(`Cluster already exists with name: ${input.name}`);
      return output;
    },

    async DescribeCluster(input, context) {
      return { cluster: toCluster((await findCluster(state, context, input.name)).value) };
    },

    async ListClusters(input, context) {
      const names = (await clusters.list(clusterId(context, ''))).map(({ value }) => value.name);
      const { items, nextToken } = pageOf(names, (name) => name, input);
      return { clusters: items, nextToken };
    },

    async DeleteCluster(input, context) {
      const seen = await findCluster(state, context, input.name);
      const { value } = seen;
      if (value.isDeletionProtected)
        throw invalidRequest(`Cluster ${value.name} has deletion protection enabled; disable it first.`);
      const scope = { ...value, cluster: value.name };
      if ((await state.nodegroups.list(idIn(scope, ''))).length) throw inUse('Cluster has nodegroups attached');
      if ((await state.fargateProfiles.list(idIn(scope, ''))).length)
        throw inUse('Cluster has fargate profiles attached');
      if (value.status === 'CREATING') throw inUse(`Cluster ${value.name} is still being created`);
      const deleting = await clusters.update(seen.id, (record) => ({ ...record, status: 'DELETING' }));
      return { cluster: toCluster(deleting.value) };
    },

    async UpdateClusterConfig(input, context) {
      const seen = await findCluster(state, context, input.name);
      refuseUnbuilt(input);
      const { changed, request } = await configChange(state, context, seen.value, input);
      return await change(seen, changed, { ...request, remember: context.remember });
    },

    /** One minor version up at a time, as EKS has it. */
    async UpdateClusterVersion(input, context) {
      const seen = await findCluster(state, context, input.name);
      const version = checkVersion(input.version);
      const from = seen.value.version;
      if (version === from)
        throw invalidParameter(
          `Unsupported Kubernetes minor version update from ${from} to ${version}: the cluster has it`,
        );
      if (minorOf(version) !== minorOf(from) + 1)
        throw invalidParameter(`Unsupported Kubernetes minor version update from ${from} to ${version}`);
      const { remember } = context;
      return await change(seen, { version }, { type: 'VersionUpdate', params: { Version: version }, remember });
    },
  } satisfies Handlers<typeof import('@aws-sdk/client-eks')>;
}

/** The record of a new cluster and the security group it makes for its nodes. */
async function plan(state: EksState, context: CallContext, input: CreateClusterRequest) {
  const { random, clock, network } = state;
  refuseUnbuilt(input);
  const version = checkVersion(input.version);
  const vpcConfig = input.resourcesVpcConfig!;
  const name = input.name!;
  const roleArn = input.roleArn!;
  checkEndpointAccess(vpcConfig);
  checkBootstrap(input.accessConfig);
  const subnetIds = [...new Set(vpcConfig.subnetIds ?? [])];
  const securityGroupIds = [...new Set(vpcConfig.securityGroupIds ?? [])];
  const subnets = await checkNetwork(state, context, { subnetIds, securityGroupIds });
  const vpc = await network.vpc(context, subnets[0]!.vpcId);
  await passRole(context, roleArn);
  await checkClusterRole(state, roleArn);
  const group = network.planSecurityGroup({
    account: context.account,
    region: context.region,
    vpcId: vpc.id,
    name: `eks-cluster-sg-${name}-${random.hex(8)}`,
    description:
      'EKS created security group applied to ENI that is attached to EKS Control Plane master nodes, as well as any managed workloads.',
    tags: {
      Name: `eks-cluster-sg-${name}`,
      'aws:eks:cluster-name': name,
      [`kubernetes.io/cluster/${name}`]: 'owned',
    },
  });
  const record: ClusterRecord = {
    account: context.account,
    region: context.region,
    name,
    id: random.hex(32),
    status: 'CREATING',
    version,
    roleArn,
    vpcId: vpc.id,
    network: {
      subnetIds,
      securityGroupIds,
      endpointPublicAccess: true,
      endpointPrivateAccess: vpcConfig.endpointPrivateAccess ?? false,
      publicAccessCidrs: vpcConfig.publicAccessCidrs?.length ? vpcConfig.publicAccessCidrs : ['0.0.0.0/0'],
    },
    securityGroupId: group.group.id,
    serviceCidr: serviceCidrFor(vpc, input.kubernetesNetworkConfig?.serviceIpv4Cidr),
    authenticationMode: input.accessConfig?.authenticationMode ?? 'API_AND_CONFIG_MAP',
    bootstrapsCreator: input.accessConfig?.bootstrapClusterCreatorAdminPermissions ?? true,
    supportType: input.upgradePolicy?.supportType ?? 'EXTENDED',
    logTypes: checkLogging(input.logging),
    isDeletionProtected: input.deletionProtection ?? false,
    tags: tagsOf(input.tags),
    createdAt: clock.now(),
  };
  return { record, group };
}

/** A cluster that only its config map opens could not be opened: nobody could write the map. */
function checkBootstrap(config: CreateClusterRequest['accessConfig']): void {
  if (config?.authenticationMode === 'CONFIG_MAP' && config.bootstrapClusterCreatorAdminPermissions === false)
    throw invalidParameter(
      'bootstrapClusterCreatorAdminPermissions must be true if cluster authentication mode is set to CONFIG_MAP',
    );
}
