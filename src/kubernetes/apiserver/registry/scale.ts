import type { KubernetesObject } from '../../object.ts';
import { formatLabelSelector, labelSelectorOf, labelSelectorOfMap } from '../../selector.ts';
import type { LabelSelector } from '../../types.ts';
import type { Subresource } from '../resource.ts';

interface Replicated extends KubernetesObject {
  spec?: { replicas?: number; selector?: LabelSelector | { readonly [label: string]: string } };
  readonly status?: { readonly replicas?: number };
}

/** `scale` of a kind with `spec.replicas`, `spec.selector` and `status.replicas`. A replication controller's selector is a plain map. */
export function scaleOfReplicas({ hasLabelSelector = false } = {}): Subresource {
  return {
    kind: 'scale',
    read(object) {
      // Only kinds of this shape have this subresource.
      const { spec, status } = object as Replicated;
      const selector = hasLabelSelector
        ? labelSelectorOf(spec?.selector)
        : labelSelectorOfMap(spec?.selector as { readonly [label: string]: string } | undefined);
      return {
        specReplicas: spec?.replicas ?? 0,
        statusReplicas: status?.replicas ?? 0,
        selector: formatLabelSelector(selector),
      };
    },
    write(object, replicas) {
      ((object as Replicated).spec ??= {}).replicas = replicas;
    },
  };
}
