import { normalizeByMaximum, type Plugin } from '../plugin.ts';
import { isTolerated } from '../selection.ts';

export const taintToleration: Plugin = {
  name: 'TaintToleration',
  weight: 3,
  wokenBy: ['node-added', 'node-taints'],
  filter({ pod }) {
    const tolerations = pod.spec?.tolerations;
    return {
      check({ taints }) {
        for (const taint of taints)
          if (taint.effect !== 'PreferNoSchedule' && !isTolerated(tolerations, taint)) {
            const reason = `node(s) had untolerated taint {${taint.key}: ${taint.value ?? ''}}`;
            return { reasons: [reason], isFinal: true };
          }
        return undefined;
      },
    };
  },
  score({ pod }, _state, nodes) {
    if (!nodes.some(({ taints }) => taints.some(({ effect }) => effect === 'PreferNoSchedule'))) return undefined;
    const tolerations = pod.spec?.tolerations?.filter(({ effect }) => !effect || effect === 'PreferNoSchedule');
    return {
      score: ({ taints }) =>
        taints.filter((taint) => taint.effect === 'PreferNoSchedule' && !isTolerated(tolerations, taint)).length,
      normalize: (scores) => normalizeByMaximum(scores, true),
    };
  },
};
