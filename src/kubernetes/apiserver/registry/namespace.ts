import type { Namespace } from '../../types.ts';
import { dropEmpty } from '../operations/metadata.ts';
import type { Strategy } from '../resource.ts';

/** A namespace keeps the finalizer `kubernetes` in its spec until its controller has emptied it. Source: `pkg/registry/core/namespace/strategy.go`. */
export const namespaceStrategy: Partial<Strategy<Namespace>> = {
  hasStatus: true,
  default(namespace) {
    const name = namespace.metadata?.name;
    if (name) (namespace.metadata!.labels ??= {})['kubernetes.io/metadata.name'] = name;
  },
  prepareForCreate(namespace) {
    namespace.status = { phase: 'Active' };
    const finalizers = namespace.spec?.finalizers ?? [];
    namespace.spec = { finalizers: finalizers.includes('kubernetes') ? finalizers : [...finalizers, 'kubernetes'] };
  },
  prepareForUpdate(namespace, old) {
    namespace.spec = { finalizers: [...(old.spec?.finalizers ?? [])] };
    dropEmpty(namespace.metadata!);
  },
  markDeleted(namespace) {
    namespace.status = { ...namespace.status, phase: 'Terminating' };
  },
  isHeld: ({ spec }) => (spec?.finalizers?.length ?? 0) > 0,
};
