import { isDeepStrictEqual } from 'node:util';
import type { Versioned } from '#store';
import type { NodegroupRecord, NodeRecord } from '../records.ts';
import type { RunningCluster } from '../running-clusters.ts';
import type { EksState } from '../state.ts';
import { nodeLabels, nodeTaints } from './launch.ts';

/** Gives nodes that exist the labels and taints their group has by now, as EKS does after `UpdateNodegroupConfig`. */
export async function relabel(
  state: EksState,
  running: RunningCluster,
  group: NodegroupRecord,
  nodes: readonly Versioned<NodeRecord>[],
): Promise<void> {
  for (const { value } of nodes) await relabelOne(state, running, group, value);
}

async function relabelOne(
  state: EksState,
  { client, informers }: RunningCluster,
  group: NodegroupRecord,
  node: NodeRecord,
): Promise<void> {
  const id = `${node.machineId}/${node.id}`;
  const [kubelet, instance] = await Promise.all([state.kubelets.get(id), state.instances.find(node, node.id)]);
  if (!kubelet || !instance) return;
  const labels = nodeLabels(group, instance.value);
  const taints = nodeTaints(group);
  const before = kubelet.value;
  if (isDeepStrictEqual(before.labels, labels) && isDeepStrictEqual(before.taints, taints)) return;
  const { resources } = await import('#kubernetes');
  const object = informers.of(resources.nodes).get(node.nodeName);
  // A kubelet that has not registered its node yet will do so with what its record says.
  if (object) {
    const removed = Object.keys(before.labels).filter((name) => !(name in labels));
    const isOld = (taint: { readonly key: string; readonly effect: string }) =>
      before.taints.some(({ key, effect }) => key === taint.key && effect === taint.effect);
    const kept = (object.spec?.taints ?? []).filter((taint) => !isOld(taint));
    await client.patch(
      resources.nodes,
      { name: node.nodeName },
      {
        kind: 'merge',
        body: {
          metadata: { labels: { ...labels, ...Object.fromEntries(removed.map((name) => [name, null])) } },
          spec: { taints: [...kept, ...taints] },
        },
      },
    );
  }
  await state.kubelets.update(id, (record) => ({ ...record, labels, taints }));
}
