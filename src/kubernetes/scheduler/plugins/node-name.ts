import type { Plugin } from '../plugin.ts';

const refusal = { reasons: ["node(s) didn't match the requested node name"], isFinal: true };

export const nodeName: Plugin = {
  name: 'NodeName',
  wokenBy: ['node-added'],
  filter({ pod }) {
    const wanted = pod.spec?.nodeName;
    return wanted ? { check: ({ name }) => (name === wanted ? undefined : refusal) } : undefined;
  },
};
