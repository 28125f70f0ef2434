/** A new node takes no pods until the node controller has seen it ready. Upstream: `plugin/pkg/admission/nodetaint`. */
import type { AdmissionPlugin } from '../auth/user.ts';
import { nodes } from '../resources.ts';
import type { Node } from '../types.ts';
import { creates } from './plugin.ts';

const notReady = { key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' };

export function taintNodesByCondition(): AdmissionPlugin {
  return {
    name: 'TaintNodesByCondition',
    async mutate(request) {
      if (!creates(request, nodes)) return request.object!;
      const node = request.object as Node;
      const taints = node.spec?.taints ?? [];
      if (taints.some(({ key, effect }) => key === notReady.key && effect === notReady.effect)) return node;
      return { ...node, spec: { ...node.spec, taints: [...taints, notReady] } };
    },
  };
}
