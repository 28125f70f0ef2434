import type { Plugin } from '../plugin.ts';
import { imageLocality } from './image-locality.ts';
import { interPodAffinity } from './inter-pod-affinity.ts';
import { nodeAffinity } from './node-affinity.ts';
import { nodeName } from './node-name.ts';
import { nodePorts } from './node-ports.ts';
import { nodeUnschedulable } from './node-unschedulable.ts';
import { balancedAllocation, nodeResourcesFit } from './resources-fit.ts';
import { taintToleration } from './taint-toleration.ts';
import { podTopologySpread, type SpreadSelector } from './topology-spread.ts';

/** All plugins, in upstream's order: the first that refuses is the one whose reason is told. */
export function pluginsOf({
  defaultSelector,
  volumes,
}: {
  readonly defaultSelector: SpreadSelector;
  /** What depends on claims and volumes. */
  readonly volumes: readonly Plugin[];
}): readonly Plugin[] {
  return [
    nodeUnschedulable,
    nodeName,
    taintToleration,
    nodeAffinity,
    nodePorts,
    nodeResourcesFit,
    ...volumes,
    podTopologySpread(defaultSelector),
    interPodAffinity,
    balancedAllocation,
    imageLocality,
  ];
}
