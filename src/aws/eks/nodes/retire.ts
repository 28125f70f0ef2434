/** The end of a node, whoever made it: pods away, kubelet away, instance away, one step a call. */
import { isDabbaError } from '#base';
import type { Operation, Versioned } from '#store';
import { idIn } from '../names.ts';
import type { NodeRecord } from '../records.ts';
import type { RunningCluster } from '../running-clusters.ts';
import type { EksState } from '../state.ts';
import { plannedRelease } from './pod-addresses.ts';

/** How long pods may take to leave before they are ended with their node: Amazon EKS User Guide, "Managed node update behavior". */
const DRAIN_MS = 15 * 60_000;
/** How long a kubelet may take to end its pods once told; then the machine is thought to have forgotten them. */
const LEAVE_MS = 90_000;

type Again = void | { readonly afterMs: number };

/** Begins to move the node's pods away. */
export async function startDraining(state: EksState, node: Versioned<NodeRecord>): Promise<void> {
  await enter(state, node, 'draining');
}

/** One step on. The record vanishes with the last one. */
export async function retire(
  state: EksState,
  node: Versioned<NodeRecord>,
  running: RunningCluster | undefined,
): Promise<Again> {
  switch (node.value.phase) {
    case 'active':
      return undefined;
    case 'draining':
      return await draining(state, node, running);
    case 'leaving':
      return await leaving(state, node, running);
    case 'ending':
      return await ending(state, node);
  }
}

async function draining(
  state: EksState,
  node: Versioned<NodeRecord>,
  running: RunningCluster | undefined,
): Promise<Again> {
  const left = node.value.since + DRAIN_MS - state.clock.now();
  if (running && left > 0) {
    const { drain } = await import('./drain.ts');
    const drained = await drain(running, node.value.nodeName);
    if (drained !== 'done') return { afterMs: Math.min(drained.afterMs, left) };
  }
  return await startLeaving(state, node);
}

/** Tells the machine to be this node no longer. */
export async function startLeaving(state: EksState, node: Versioned<NodeRecord>): Promise<void> {
  const { machineId, id } = node.value;
  await enter(state, node, 'leaving', [state.kubelets.remove(`${machineId}/${id}`)]);
}

/** The kubelet gives addresses back as it ends pods; when the last is back, the node is empty. */
async function leaving(
  state: EksState,
  node: Versioned<NodeRecord>,
  running: RunningCluster | undefined,
): Promise<Again> {
  const { value } = node;
  const left = value.since + LEAVE_MS - state.clock.now();
  const held = await state.podAddresses.list(`${value.account}/${value.region}/${value.id}/`);
  if (held.length && left > 0) return { afterMs: left };
  if (running) await deleteNode(running, value.nodeName);
  if (value.owner.kind === 'nodegroup')
    await state.instances
      .terminate(value, value.id, {
        code: 'Server.ScheduledStop',
        message: 'Server.ScheduledStop: terminated by the node group',
      })
      .catch(ignoreNotFound);
  await enter(state, node, 'ending');
}

async function deleteNode({ client }: RunningCluster, name: string): Promise<void> {
  const { isStatusError, resources } = await import('#kubernetes');
  try {
    await client.delete(resources.nodes, { name });
  } catch (error) {
    if (!isStatusError(error, 'NotFound')) throw error;
  }
}

async function ending(state: EksState, node: Versioned<NodeRecord>): Promise<Again> {
  const { value } = node;
  const instance = await state.instances.find(value, value.id);
  if (instance && instance.value.state !== 'terminated') return undefined;
  const held = await state.podAddresses.list(`${value.account}/${value.region}/${value.id}/`);
  const released = await Promise.all(held.map((address) => plannedRelease(state, value, address)));
  const own = instance ? [] : await state.network.planDeleteInterface(value, value.networkInterfaceId);
  await state.store.txn({
    compare: [state.nodes.ifUnchanged(node)],
    success: [...released.flat(), ...own, state.nodes.remove(node.id)],
  });
}

async function enter(
  state: EksState,
  node: Versioned<NodeRecord>,
  phase: NodeRecord['phase'],
  beside: readonly Operation[] = [],
): Promise<void> {
  await state.store.txn({
    compare: [state.nodes.ifUnchanged(node)],
    success: [
      state.nodes.put(idIn(node.value, node.value.id), { ...node.value, phase, since: state.clock.now() }),
      ...beside,
    ],
  });
}

/** An instance that is not described any more has ended long ago. */
function ignoreNotFound(error: unknown): void {
  if (!isDabbaError(error, 'NotFound')) throw error;
}
