/** Addresses of pods: interfaces of EC2's own making, in the subnet of the node's instance, one for each pod. */
import { DabbaError } from '#base';
import type { NetworkInterface } from '#network';
import type { Operation, Versioned } from '#store';
import type { Scope } from '../names.ts';
import type { PodAddressRecord } from '../records.ts';
import type { EksState } from '../state.ts';

/** Which pod of which kubelet asks. */
export interface PodAddressRequest {
  readonly machineId: string;
  readonly nodeId: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly serviceAccount: string;
}

const ATTEMPTS = 16;

/** The pod's interface; the same uid gets the same one. Throws `NotFound` when the machine is no such node, and EC2's own errors when the subnet is full. */
export async function assignPodAddress(state: EksState, request: PodAddressRequest): Promise<NetworkInterface> {
  checkUid(request.uid);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const kubelet = await state.kubelets.get(`${request.machineId}/${request.nodeId}`);
    if (!kubelet) throw new DabbaError('NotFound', `this machine is no node ${request.nodeId}`);
    const { tenant: account, region, cluster, nodeName } = kubelet.value;
    const id = `${account}/${region}/${request.nodeId}/${request.uid}`;
    const known = await state.podAddresses.get(id);
    const found = known && (await state.network.findInterface({ account, region }, known.value.networkInterfaceId));
    if (found) return found;
    const own = await state.network.findInterface({ account, region }, kubelet.value.networkInterfaceId);
    if (!own) throw new DabbaError('NotFound', `node ${nodeName} has lost its interface`);
    const planned = await state.network.planInterface({
      account,
      region,
      subnetId: own.subnetId,
      securityGroupIds: own.securityGroupIds,
      description: `aws-K8S-${request.nodeId}`,
      managedBy: 'eks',
      tags: {
        'cluster.k8s.amazonaws.com/name': cluster.name,
        'node.k8s.amazonaws.com/instance_id': request.nodeId,
        'eks:pod': `${request.namespace}/${request.name}`.slice(0, 256),
      },
      ...(own.attachment && { nodeId: own.attachment.nodeId }),
      cluster: { id: cluster.id, node: nodeName },
    });
    const record: PodAddressRecord = {
      networkInterfaceId: planned.networkInterface.id,
      namespace: request.namespace,
      name: request.name,
      serviceAccount: request.serviceAccount,
      clusterId: cluster.id,
      clusterKey: `${account}/${region}/${cluster.name}`,
      nodeId: request.nodeId,
    };
    const { succeeded } = await state.store.txn({
      compare: [
        ...planned.compare,
        known ? state.podAddresses.ifUnchanged(known) : state.podAddresses.ifAbsent(id),
        state.kubelets.ifPresent(kubelet.id),
      ],
      success: [...planned.success, state.podAddresses.put(id, record)],
    });
    if (succeeded) return planned.networkInterface;
  }
  throw new DabbaError('Unavailable', 'addresses are taken faster than they can be chosen');
}

/** Gives the pod's interface back; its namespace is gone by then. Repeating it succeeds. */
export async function releasePodAddress(
  state: EksState,
  request: Pick<PodAddressRequest, 'nodeId' | 'uid'> & { readonly tenant: string; readonly region: string },
): Promise<void> {
  checkUid(request.uid);
  const scope = { account: request.tenant, region: request.region };
  const known = await state.podAddresses.get(`${scope.account}/${scope.region}/${request.nodeId}/${request.uid}`);
  if (known) await state.store.txn({ success: await plannedRelease(state, scope, known) });
}

/** What a transaction writes to give an address back. */
export async function plannedRelease(
  state: EksState,
  scope: Scope,
  address: Versioned<PodAddressRecord>,
): Promise<readonly Operation[]> {
  return [
    ...(await state.network.planDeleteInterface(scope, address.value.networkInterfaceId)),
    state.podAddresses.remove(address.id),
  ];
}

/** A segment of a key. */
function checkUid(uid: string): void {
  if (!/^[\w.-]{1,128}$/.test(uid)) throw new DabbaError('InvalidArgument', `"${uid}" is not the uid of a pod`);
}
