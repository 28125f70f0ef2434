import type { Plugin } from '../plugin.ts';

const refusal = { reasons: ["node(s) didn't have free ports for the requested pod ports"], isFinal: false };

export const nodePorts: Plugin = {
  name: 'NodePorts',
  wokenBy: ['node-added', 'pod-removed'],
  filter({ hostPorts }) {
    if (!hostPorts.length) return undefined;
    return { check: (node) => (hostPorts.some((port) => node.isTaken(port)) ? refusal : undefined) };
  },
};
