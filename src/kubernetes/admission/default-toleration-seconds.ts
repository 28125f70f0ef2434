/** Pods stay five minutes on a node that is not ready or not reached, unless they say otherwise. Upstream: `plugin/pkg/admission/defaulttolerationseconds`. */
import type { AdmissionPlugin } from '../auth/user.ts';
import { pods } from '../resources.ts';
import type { Pod, PodSpec } from '../types.ts';
import { isOf } from './plugin.ts';

const taints = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'] as const;
const tolerationSeconds = 300;

type Toleration = NonNullable<PodSpec['tolerations']>[number];

export function defaultTolerationSeconds(): AdmissionPlugin {
  return {
    name: 'DefaultTolerationSeconds',
    async mutate({ type, subresource, operation, object }) {
      if (!isOf(type, pods) || subresource || (operation !== 'CREATE' && operation !== 'UPDATE')) return object!;
      const pod = object as Pod;
      const own = pod.spec?.tolerations ?? [];
      const added = taints.filter((taint) => !own.some((toleration) => tolerates(toleration, taint)));
      if (added.length === 0) return pod;
      const tolerations = [
        ...own,
        ...added.map((key) => ({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds })),
      ];
      return { ...pod, spec: { ...pod.spec!, tolerations } };
    },
  };
}

function tolerates({ key, effect }: Toleration, taint: string): boolean {
  return (!key || key === taint) && (!effect || effect === 'NoExecute');
}
