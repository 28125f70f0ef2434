import type { Plugin } from '../plugin.ts';
import { isTolerated } from '../selection.ts';

const refusal = { reasons: ['node(s) were unschedulable'], isFinal: true };
const taint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' };

export const nodeUnschedulable: Plugin = {
  name: 'NodeUnschedulable',
  wokenBy: ['node-added', 'node-taints'],
  filter({ pod }) {
    if (isTolerated(pod.spec?.tolerations, taint)) return undefined;
    return { check: ({ node }) => (node!.spec?.unschedulable ? refusal : undefined) };
  },
};
