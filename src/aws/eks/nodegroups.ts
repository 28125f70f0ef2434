import type {
  CreateNodegroupRequest,
  Nodegroup,
  UpdateNodegroupConfigRequest,
  UpdateNodegroupVersionRequest,
} from '@aws-sdk/client-eks';
import type { Versioned } from '#store';
import { findInstanceType } from '../ec2/index.ts';
import type { CallContext, Handlers } from '../service.ts';
import { newAccessEntry } from './access-entries.ts';
import { checkSubnets } from './cluster-checks.ts';
import { findActiveCluster, findCluster } from './find-cluster.ts';
import { idIn, inUse, invalidParameter, nodegroupArn, notFound, notSupported } from './names.ts';
import {
  checkLabels,
  checkNodegroupName,
  checkNodeRole,
  checkScaling,
  checkTaints,
  checkUpdateConfig,
  refuseUnbuiltGroups,
} from './nodegroup-checks.ts';
import { nodegroupTemplate } from './nodegroup-template.ts';
import { pageOf } from './pages.ts';
import { passRole } from './pass-role.ts';
import type { ClusterRecord, NodegroupRecord, NodegroupTemplate } from './records.ts';
import type { EksState } from './state.ts';
import { tagsOf } from './tags.ts';
import { newUpdate, toUpdate, type UpdateRequest } from './updates.ts';
import { checkVersion, minorOf, nodeReleaseOf } from './versions.ts';

const DEFAULT_INSTANCE_TYPE = 't3.medium';
const DEFAULT_DISK_GIB = 20;

const amiTypes = {
  x86_64: ['AL2023_x86_64_STANDARD', 'AL2_x86_64'],
  arm64: ['AL2023_ARM_64_STANDARD', 'AL2_ARM_64'],
} as const;
/** What instances here run on. */
const architecture = process.arch === 'arm64' ? 'arm64' : 'x86_64';

/** The name of the Auto Scaling group that stands behind a node group, in the words of EKS. */
export function scalingGroupOf({ name, id }: Pick<NodegroupRecord, 'name' | 'id'>): string {
  return `eks-${name}-${id}`;
}

/** The tags of its instances. */
export function nodegroupTags(group: NodegroupRecord): { readonly [key: string]: string } {
  return {
    Name: `${group.cluster}-${group.name}-Node`,
    'aws:autoscaling:groupName': scalingGroupOf(group),
    'eks:cluster-name': group.cluster,
    'eks:nodegroup-name': group.name,
    [`k8s.io/cluster-autoscaler/${group.cluster}`]: 'owned',
    'k8s.io/cluster-autoscaler/enabled': 'true',
    [`kubernetes.io/cluster/${group.cluster}`]: 'owned',
  };
}

function toNodegroup(record: NodegroupRecord): Nodegroup {
  return {
    nodegroupName: record.name,
    nodegroupArn: nodegroupArn(record, record.name, record.id),
    clusterName: record.cluster,
    version: record.version,
    releaseVersion: nodeReleaseOf(record.version),
    createdAt: new Date(record.createdAt),
    modifiedAt: new Date(record.modifiedAt),
    status: record.status,
    capacityType: record.capacityType,
    scalingConfig: { ...record.scaling },
    ...(record.template ? templateView(record.template) : { diskSize: record.diskSizeGiB }),
    ...(!record.template?.instanceType && { instanceTypes: [...record.instanceTypes] }),
    subnets: [...record.subnetIds],
    amiType: record.amiType as NonNullable<Nodegroup['amiType']>, // one of `amiTypes`
    nodeRole: record.nodeRole,
    labels: { ...record.labels },
    taints: record.taints.map((taint) => ({ ...taint })),
    resources: { autoScalingGroups: [{ name: scalingGroupOf(record) }] },
    health: {
      issues: record.issues.map(({ code, message, resourceIds }) => ({
        code: code as 'NodeCreationFailure', // one of the model's codes
        message,
        resourceIds: [...resourceIds],
      })),
    },
    updateConfig: { ...record.update },
    nodeRepairConfig: { enabled: record.repairsNodes },
    tags: { ...record.tags },
  };
}

function templateView({ id, name, version }: NodegroupTemplate): Pick<Nodegroup, 'launchTemplate'> {
  return { launchTemplate: { id, name, version: String(version) } };
}

export function nodegroupHandlers(state: EksState) {
  const { nodegroups, store, clock } = state;

  async function find(
    context: CallContext,
    input: { readonly clusterName?: string | undefined; readonly nodegroupName?: string | undefined },
  ): Promise<Versioned<NodegroupRecord>> {
    const { value: cluster } = await findCluster(state, context, input.clusterName);
    const seen = await nodegroups.get(idIn({ ...cluster, cluster: cluster.name }, input.nodegroupName ?? ''));
    if (!seen) throw notFound(`No node group found for name: ${input.nodegroupName}.`);
    return seen;
  }

  async function change(
    seen: Versioned<NodegroupRecord>,
    changed: Partial<NodegroupRecord>,
    { remember, ...request }: Pick<UpdateRequest, 'type' | 'params'> & Pick<CallContext, 'remember'>,
  ) {
    const { value } = seen;
    if (value.status !== 'ACTIVE' && value.status !== 'DEGRADED')
      throw inUse(`Nodegroup cannot be updated as it is currently not in Active State`);
    const { account, region, cluster, name: nodegroup } = value;
    const update = newUpdate(state, { account, region, cluster, nodegroup, ...request });
    const next: NodegroupRecord = { ...value, ...changed, status: 'UPDATING', modifiedAt: clock.now() };
    const output = { update: toUpdate(update.record) };
    const { succeeded } = await store.txn({
      compare: [nodegroups.ifUnchanged(seen)],
      success: [nodegroups.put(seen.id, next), update.write, ...remember(output)],
    });
    if (!succeeded) throw inUse(`Nodegroup ${nodegroup} is being changed by another request`);
    return output;
  }

  return {
    async CreateNodegroup(input, context) {
      const { value: cluster } = await findActiveCluster(state, context, input.clusterName);
      const record = await plan(state, context, cluster, input);
      const id = idIn(record, record.name);
      const nodeEntry = newAccessEntry(state, {
        account: record.account,
        region: record.region,
        cluster: record.cluster,
        principalArn: record.nodeRole,
        type: 'EC2_LINUX',
      });
      const hasEntry = await state.accessEntries.get(idIn(record, record.nodeRole));
      const output = { nodegroup: toNodegroup(record) };
      const { succeeded } = await store.txn({
        compare: [
          nodegroups.ifAbsent(id),
          state.clusters.ifPresent(`${record.account}/${record.region}/${cluster.name}`),
        ],
        success: [
          nodegroups.put(id, record),
          ...context.remember(output),
          ...(hasEntry ? [] : [state.accessEntries.put(idIn(record, record.nodeRole), nodeEntry)]),
        ],
      });
      if (!succeeded)
        throw inUse(`NodeGroup already exists with name ${record.name} and cluster name ${record.cluster}`);
      return output;
    },

    async DescribeNodegroup(input, context) {
      return { nodegroup: toNodegroup((await find(context, input)).value) };
    },

    async ListNodegroups(input, context) {
      const { value: cluster } = await findCluster(state, context, input.clusterName);
      const all = await nodegroups.list(idIn({ ...cluster, cluster: cluster.name }, ''));
      const { items, nextToken } = pageOf(
        all.map(({ value }) => value.name),
        (name) => name,
        input,
      );
      return { nodegroups: items, nextToken };
    },

    async UpdateNodegroupConfig(input, context) {
      const seen = await find(context, input);
      refuseUnbuiltGroups(input as Partial<CreateNodegroupRequest>);
      const next = configOf(seen.value, input);
      return await change(seen, next, {
        type: 'ConfigUpdate',
        remember: context.remember,
        params: {
          MinSize: input.scalingConfig?.minSize?.toString(),
          MaxSize: input.scalingConfig?.maxSize?.toString(),
          DesiredSize: input.scalingConfig?.desiredSize?.toString(),
          LabelsToAdd: input.labels?.addOrUpdateLabels,
          LabelsToRemove: input.labels?.removeLabels,
          TaintsToAdd: input.taints?.addOrUpdateTaints,
          TaintsToRemove: input.taints?.removeTaints,
          MaxUnavailable: input.updateConfig?.maxUnavailable?.toString(),
          MaxUnavailablePercentage: input.updateConfig?.maxUnavailablePercentage?.toString(),
          NodeRepairEnabled: input.nodeRepairConfig?.enabled?.toString(),
        },
      });
    },

    async UpdateNodegroupVersion(input, context) {
      const seen = await find(context, input);
      const { value: cluster } = await findCluster(state, context, input.clusterName);
      const version = checkVersion(input.version ?? cluster.version);
      checkSkew(version, cluster);
      if (minorOf(version) < minorOf(seen.value.version))
        throw invalidParameter(`Nodegroup version cannot be downgraded from ${seen.value.version} to ${version}`);
      checkRelease(version, input.releaseVersion);
      const template = await templateChange(state, seen.value, input.launchTemplate);
      const isNew = version !== seen.value.version || template?.version !== seen.value.template?.version;
      return await change(
        seen,
        { version, ...(template && { template }), generation: seen.value.generation + (isNew ? 1 : 0) },
        {
          type: 'VersionUpdate',
          remember: context.remember,
          params: {
            Version: version,
            ReleaseVersion: nodeReleaseOf(version),
            LaunchTemplateName: input.launchTemplate && template?.name,
            LaunchTemplateVersion: input.launchTemplate && template?.version.toString(),
          },
        },
      );
    },

    async DeleteNodegroup(input, context) {
      const seen = await find(context, input);
      const { value } = await nodegroups.update(seen.id, (record) => ({
        ...record,
        status: 'DELETING',
        scaling: { ...record.scaling, minSize: 0, desiredSize: 0 },
        modifiedAt: clock.now(),
      }));
      return { nodegroup: toNodegroup({ ...value, scaling: seen.value.scaling }) };
    },
  } satisfies Handlers<typeof import('@aws-sdk/client-eks')>;
}

async function plan(
  state: EksState,
  context: CallContext,
  cluster: ClusterRecord,
  input: CreateNodegroupRequest,
): Promise<NodegroupRecord> {
  const name = input.nodegroupName!;
  const nodeRole = input.nodeRole!;
  checkNodegroupName(name);
  const scope = { account: cluster.account, region: cluster.region, cluster: cluster.name };
  if (await state.nodegroups.get(idIn(scope, name)))
    throw inUse(`NodeGroup already exists with name ${name} and cluster name ${cluster.name}`);
  refuseUnbuiltGroups(input);
  const subnets = await checkSubnets(state, context, [...new Set(input.subnets)]);
  if (subnets[0]!.vpcId !== cluster.vpcId)
    throw invalidParameter(`Subnets are not in the VPC of the cluster, ${cluster.vpcId}.`);
  const version = checkVersion(input.version ?? cluster.version);
  checkSkew(version, cluster);
  checkRelease(version, input.releaseVersion);
  const template = input.launchTemplate && (await nodegroupTemplate(state, scope, input.launchTemplate));
  if (template) checkBeside(template, input);
  const { instanceTypes, amiType } = checkInstances(
    template?.instanceType ? { ...input, instanceTypes: [template.instanceType] } : input,
  );
  await passRole(context, nodeRole, 'ec2.amazonaws.com');
  await checkNodeRole(state, nodeRole);
  const now = state.clock.now();
  return {
    ...scope,
    name,
    id: state.random.uuid(),
    status: 'CREATING',
    issues: [],
    version,
    generation: 1,
    nodeRole,
    ...(template && { template }),
    subnetIds: subnets.map(({ id }) => id),
    instanceTypes,
    amiType,
    capacityType: checkCapacityType(input.capacityType),
    diskSizeGiB: input.diskSize ?? DEFAULT_DISK_GIB,
    scaling: checkScaling(input.scalingConfig),
    labels: checkLabels(input.labels),
    taints: checkTaints(input.taints),
    update: checkUpdateConfig(input.updateConfig),
    repairsNodes: input.nodeRepairConfig?.enabled ?? false,
    tags: tagsOf(input.tags),
    createdAt: now,
    modifiedAt: now,
  };
}

/** What a template says, or could say, is not said beside it. */
function checkBeside(template: NodegroupTemplate, input: CreateNodegroupRequest): void {
  if (input.diskSize !== undefined) throw invalidParameter('Disk size must be specified within the launch template.');
  if (template.instanceType && input.instanceTypes?.length)
    throw invalidParameter('You cannot specify instance types in both the launch template and the request.');
}

/** The version of the group's template that it is to go on with: what is asked for, or the one it has. */
async function templateChange(
  state: EksState,
  group: NodegroupRecord,
  asked: UpdateNodegroupVersionRequest['launchTemplate'],
): Promise<NodegroupTemplate | undefined> {
  const { template } = group;
  if (!asked) return template;
  if (!template)
    throw invalidParameter('You cannot specify a launch template for a node group that was made without one.');
  const next = await nodegroupTemplate(state, group, asked);
  if (next.id !== template.id)
    throw invalidParameter(`The node group was made with the launch template ${template.id}, and stays with it.`);
  if ((next.instanceType === undefined) !== (template.instanceType === undefined))
    throw invalidParameter('A new version of the launch template cannot begin or cease to specify an instance type.');
  return next;
}

function checkCapacityType(type: CreateNodegroupRequest['capacityType']): NodegroupRecord['capacityType'] {
  if (type === 'CAPACITY_BLOCK') throw notSupported('A capacity block');
  return type ?? 'ON_DEMAND';
}

/** Types that are known and of this machine's architecture, and the image that goes with them. */
function checkInstances(input: CreateNodegroupRequest): {
  readonly instanceTypes: readonly string[];
  readonly amiType: string;
} {
  const instanceTypes = input.instanceTypes?.length ? [...new Set(input.instanceTypes)] : [DEFAULT_INSTANCE_TYPE];
  for (const name of instanceTypes) {
    const type = findInstanceType(name);
    if (!type) throw invalidParameter(`The following supplied instance types do not exist: [${name}]`);
    if (type.architecture !== architecture)
      throw notSupported(`The architecture of ${name} (${type.architecture}, while this machine is ${architecture})`);
  }
  const amiType = input.amiType ?? amiTypes[architecture][0];
  if (!amiTypes[architecture].some((known) => known === amiType)) throw notSupported(`The AMI type ${amiType}`);
  return { instanceTypes, amiType };
}

/** Nodes may be older than their cluster by three minor versions, never newer: Kubernetes version skew policy, "kubelet". */
function checkSkew(version: string, cluster: ClusterRecord): void {
  const skew = minorOf(cluster.version) - minorOf(version);
  if (skew < 0 || skew > 3)
    throw invalidParameter(
      `Nodegroup Kubernetes version should be equal to or lower than the cluster's, ${cluster.version}, by at most 3: ${version}`,
    );
}

function checkRelease(version: string, release: string | undefined): void {
  if (release !== undefined && release !== nodeReleaseOf(version))
    throw invalidParameter(`Requested release version ${release} is not valid for kubernetes version ${version}`);
}

function configOf(record: NodegroupRecord, input: UpdateNodegroupConfigRequest): Partial<NodegroupRecord> {
  const { labels, taints } = input;
  const unwanted = new Set(labels?.removeLabels);
  const kept = Object.entries(record.labels).filter(([key]) => !unwanted.has(key));
  const added = checkTaints(taints?.addOrUpdateTaints);
  const isGone = ({ key, effect }: { readonly key: string; readonly effect: string }) =>
    (taints?.removeTaints ?? []).some((taint) => taint.key === key && (taint.effect ?? effect) === effect) ||
    added.some((taint) => taint.key === key && taint.effect === effect);
  return {
    scaling: checkScaling(input.scalingConfig, record.scaling),
    labels: { ...Object.fromEntries(kept), ...checkLabels(labels?.addOrUpdateLabels) },
    taints: [...record.taints.filter((taint) => !isGone(taint)), ...added],
    ...(input.updateConfig && { update: checkUpdateConfig(input.updateConfig) }),
    ...(input.nodeRepairConfig && { repairsNodes: input.nodeRepairConfig.enabled ?? false }),
  };
}
