import type { NetworkInterface } from '#network';
import { findInstanceType, maxPodsOf, privateDnsName } from '../../ec2/index.ts';
import { idIn } from '../names.ts';
import { nodegroupTags } from '../nodegroups.ts';
import type { ClusterKeys, ClusterRecord, NodegroupRecord, NodeRecord } from '../records.ts';
import type { EksState } from '../state.ts';
import { nodeMetadataOptions } from './metadata-options.ts';
import { kubeletRecord, type PlannedNode } from './kubelet-record.ts';

/** Kubernetes' words for the effects of taints. */
const effects = {
  NO_SCHEDULE: 'NoSchedule',
  NO_EXECUTE: 'NoExecute',
  PREFER_NO_SCHEDULE: 'PreferNoSchedule',
} as const;

export interface LaunchRequest {
  readonly cluster: ClusterRecord;
  readonly keys: ClusterKeys;
  readonly group: NodegroupRecord;
  readonly subnetId: string;
}

/** An instance of a node group, and the node it is to be. Throws as `Instances.plan` does. */
export async function planNode(
  state: EksState,
  { cluster, keys, group, subnetId }: LaunchRequest,
): Promise<PlannedNode> {
  const { clock } = state;
  const { template } = group;
  const { instance, compare, success } = await state.instances.plan({
    account: group.account,
    region: group.region,
    instanceType: template?.instanceType ?? group.instanceTypes[0]!,
    subnetId,
    // Groups of a template stand in place of the cluster's.
    securityGroupIds: template?.securityGroupIds.length ? template.securityGroupIds : [cluster.securityGroupId],
    ...(template?.assignsPublicIp !== undefined && { assignPublicIp: template.assignsPublicIp }),
    tags: { ...template?.tags, ...nodegroupTags(group) },
    managedBy: 'eks',
    roleArn: group.nodeRole,
    metadataOptions: template?.metadataOptions ?? nodeMetadataOptions,
    clusterId: cluster.id,
  });
  const type = findInstanceType(instance.instanceType)!;
  const nodeName = privateDnsName(group.region, instance.privateIp);
  const kubelet = await kubeletRecord(
    cluster,
    keys,
    {
      id: instance.id,
      nodeName,
      zone: instance.zone,
      networkInterfaceId: instance.networkInterfaceId,
      labels: nodeLabels(group, instance),
      taints: nodeTaints(group),
      cpuMillis: type.vcpus * 1000,
      memoryMiB: type.memoryMiB,
      maxPods: maxPodsOf(type),
    },
    state,
  );
  const now = clock.now();
  const node: NodeRecord = {
    account: group.account,
    region: group.region,
    cluster: group.cluster,
    id: instance.id,
    nodeName,
    machineId: instance.machineId,
    networkInterfaceId: instance.networkInterfaceId,
    owner: { kind: 'nodegroup', name: group.name, generation: group.generation },
    phase: 'active',
    since: now,
    createdAt: now,
  };
  return {
    compare,
    success: [
      ...success,
      state.nodes.put(idIn(node, node.id), node),
      state.kubelets.put(`${node.machineId}/${node.id}`, kubelet),
    ],
  };
}

/** Labels that a node has from its instance and its group: Amazon EKS User Guide, "Managed node groups", and Kubernetes' well-known labels. */
export function nodeLabels(
  group: NodegroupRecord,
  instance: Pick<NetworkInterface, 'zone' | 'region'> & { readonly instanceType: string; readonly imageId: string },
): { readonly [name: string]: string } {
  return {
    'eks.amazonaws.com/capacityType': group.capacityType,
    'eks.amazonaws.com/nodegroup': group.name,
    'eks.amazonaws.com/nodegroup-image': instance.imageId,
    'beta.kubernetes.io/instance-type': instance.instanceType,
    'node.kubernetes.io/instance-type': instance.instanceType,
    'failure-domain.beta.kubernetes.io/region': instance.region,
    'failure-domain.beta.kubernetes.io/zone': instance.zone,
    'topology.kubernetes.io/region': instance.region,
    'topology.kubernetes.io/zone': instance.zone,
    ...group.labels,
  };
}

export function nodeTaints(
  group: NodegroupRecord,
): { readonly key: string; readonly value?: string; readonly effect: string }[] {
  return group.taints.map(({ key, value, effect }) => ({
    key,
    effect: effects[effect],
    ...(value && { value }),
  }));
}
