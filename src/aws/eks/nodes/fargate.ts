/** A node of Fargate: made for one pod, of a size that holds it, seen by nobody as an instance. Loaded with the first such pod. */
import type { types } from '#kubernetes';
import { AwsError } from '../../errors.ts';
import type { FargateSize } from '../../fargate-sizes.ts';
import { idIn } from '../names.ts';
import type { ClusterKeys, ClusterRecord, FargateProfileRecord, NodeRecord } from '../records.ts';
import type { EksState } from '../state.ts';
import { kubeletRecord, type PlannedNode } from './kubelet-record.ts';

export interface FargateRequest {
  readonly cluster: ClusterRecord;
  readonly keys: ClusterKeys;
  readonly profile: FargateProfileRecord;
  readonly pod: types.Pod;
  readonly size: FargateSize;
  readonly subnetId: string;
}

const KEPT_CPU_MILLIS = 250;
const KEPT_MIB = 256;

export async function planFargateNode(state: EksState, request: FargateRequest): Promise<PlannedNode> {
  const { cluster, keys, profile, pod, size, subnetId } = request;
  const scope = { account: cluster.account, region: cluster.region };
  const subnet = await state.network.subnet(scope, subnetId);
  const place = await state.instances.machineFor(subnet.zone, size.memoryMiB);
  if (!place)
    throw new AwsError('InsufficientInstanceCapacity', `There is no Fargate capacity in ${subnet.zone} at this time.`);
  const id = `fargate-${state.random.hex(17)}`;
  const { networkInterface, compare, success } = await state.network.planInterface({
    ...scope,
    subnetId,
    securityGroupIds: [cluster.securityGroupId],
    description: `EKS Fargate ${cluster.name}/${profile.name}`,
    managedBy: 'eks',
    nodeId: place.id,
    cluster: { id: cluster.id, nodePrefix: 'fargate-' },
  });
  const nodeName = networkInterface.cluster!.node;
  const labels = {
    'eks.amazonaws.com/compute-type': 'fargate',
    'topology.kubernetes.io/region': cluster.region,
    'topology.kubernetes.io/zone': subnet.zone,
  };
  const taint = { key: 'eks.amazonaws.com/compute-type', value: 'fargate', effect: 'NoSchedule' };
  const facts = { id, nodeName, zone: subnet.zone, networkInterfaceId: networkInterface.id, labels, taints: [taint] };
  const kubelet = await kubeletRecord(cluster, keys, { ...facts, ...roomFor(size), maxPods: 1 }, state);
  const now = state.clock.now();
  const { namespace = '', name = '', uid = '' } = pod.metadata ?? {};
  const node: NodeRecord = {
    ...scope,
    cluster: cluster.name,
    id,
    nodeName,
    machineId: place.machineId,
    networkInterfaceId: networkInterface.id,
    owner: { kind: 'fargate', profile: profile.name, pod: { namespace, name, uid } },
    phase: 'active',
    since: now,
    createdAt: now,
  };
  return {
    compare,
    success: [
      ...success,
      state.nodes.put(idIn(node, id), node),
      state.kubelets.put(`${node.machineId}/${id}`, kubelet),
    ],
  };
}

/** The kubelet keeps some of its node for itself; a pod that asks for all of its size must still fit. */
function roomFor({ cpuUnits, memoryMiB }: FargateSize) {
  return { cpuMillis: (cpuUnits * 1000) / 1024 + KEPT_CPU_MILLIS, memoryMiB: memoryMiB + KEPT_MIB };
}
