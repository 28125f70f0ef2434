/** Which nodes a daemon belongs on. Behaviour: kubernetes `pkg/controller/daemon`, "NodeShouldRunDaemonPod", and `daemon/util`. */
import { isTolerated, requiredNodes, type Toleration } from '../../scheduler/selection.ts';
import type { DaemonSet, Node, Pod, PodSpec } from '../../types.ts';

/** Conditions of a node that do not keep daemons away: they may be what repairs it. */
function standingTolerations({ hostNetwork }: PodSpec): readonly Toleration[] {
  const exists = (name: string, effect: string) => ({ key: `node.kubernetes.io/${name}`, operator: 'Exists', effect });
  return [
    exists('not-ready', 'NoExecute'),
    exists('unreachable', 'NoExecute'),
    exists('disk-pressure', 'NoSchedule'),
    exists('memory-pressure', 'NoSchedule'),
    exists('pid-pressure', 'NoSchedule'),
    exists('unschedulable', 'NoSchedule'),
    ...(hostNetwork ? [exists('network-unavailable', 'NoSchedule')] : []),
  ];
}

/** The daemon's pod spec, tied to one node by affinity: the scheduler binds it like any other pod. */
export function specFor(spec: PodSpec, nodeName: string): PodSpec {
  const matchFields = [{ key: 'metadata.name', operator: 'In', values: [nodeName] }];
  const { requiredDuringSchedulingIgnoredDuringExecution: required, ...preferred } = spec.affinity?.nodeAffinity ?? {};
  // Terms are alternatives: each of them is narrowed to the node.
  const terms = required?.nodeSelectorTerms.map((term) => ({ ...term, matchFields })) ?? [{ matchFields }];
  const nodeAffinity = { ...preferred, requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } };
  const tolerations = [...(spec.tolerations ?? [])];
  for (const standing of standingTolerations(spec))
    if (
      !tolerations.some(
        ({ key, effect, operator }) =>
          key === standing.key && effect === standing.effect && operator === standing.operator,
      )
    )
      tolerations.push(standing);
  return { ...spec, affinity: { ...spec.affinity, nodeAffinity }, tolerations };
}

/** The node that a daemon's pod is on or meant for. */
export function targetOf({ spec }: Pod): string | undefined {
  if (spec?.nodeName) return spec.nodeName;
  const terms = spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  return terms?.[0]?.matchFields?.find(({ key, operator }) => key === 'metadata.name' && operator === 'In')
    ?.values?.[0];
}

export interface Placement {
  readonly shouldRun: boolean;
  /** A pod that is there may stay, though none would be started. */
  readonly mayStay: boolean;
}

/** Judges nodes for one daemon set. */
export function placements({ spec }: DaemonSet): (node: Node) => Placement {
  const podSpec = spec!.template.spec!;
  const isAllowed = requiredNodes(podSpec);
  const tolerations = [...(podSpec.tolerations ?? []), ...standingTolerations(podSpec)];
  return (node) => {
    if (podSpec.nodeName && podSpec.nodeName !== node.metadata?.name) return { shouldRun: false, mayStay: false };
    if (isAllowed && !isAllowed(node)) return { shouldRun: false, mayStay: false };
    const untolerated = (node.spec?.taints ?? []).filter(
      (taint) => taint.effect !== 'PreferNoSchedule' && !isTolerated(tolerations, taint),
    );
    if (!untolerated.length) return { shouldRun: true, mayStay: true };
    return { shouldRun: false, mayStay: untolerated.every(({ effect }) => effect !== 'NoExecute') };
  };
}
