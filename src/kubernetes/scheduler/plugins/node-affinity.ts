import { normalizeByMaximum, type Plugin } from '../plugin.ts';
import { preferredNodes, requiredNodes } from '../selection.ts';

const refusal = { reasons: ["node(s) didn't match Pod's node affinity/selector"], isFinal: true };

export const nodeAffinity: Plugin = {
  name: 'NodeAffinity',
  weight: 2,
  wokenBy: ['node-added', 'node-labels'],
  filter({ pod }) {
    const isAllowed = requiredNodes(pod.spec!);
    return isAllowed && { check: ({ node }) => (isAllowed(node!) ? undefined : refusal) };
  },
  score({ pod }) {
    const preferred = preferredNodes(pod.spec!);
    if (!preferred.length) return undefined;
    return {
      score: ({ node }) => preferred.reduce((sum, { weight, isIn }) => sum + (isIn(node!) ? weight : 0), 0),
      normalize: (scores) => normalizeByMaximum(scores),
    };
  },
};
