import type { Container, Pod } from '../../types.ts';
import { type Draft, draftOf } from '../draft.ts';
import type { Strategy, Subresource } from '../resource.ts';
import { defaultPodSpec } from './pod-defaults.ts';
import { resizeErrors } from '../../validation/pod-resize.ts';
import { qosClassOf } from '../../qos.ts';
import { part } from './row.ts';

/** Source: `pkg/registry/core/pod/strategy.go`. */
export const podStrategy: Partial<Strategy<Pod>> = {
  hasStatus: true,
  hasGeneration: true,
  returnsDeleted: true,
  default({ spec }) {
    if (!spec) return;
    spec.enableServiceLinks ??= true;
    defaultPodSpec(spec);
    // Validation comes later: lists that must be there may be missing.
    for (const field of ['containers', 'initContainers'] as const) spec[field]?.forEach(defaultResizePolicy);
  },
  prepareForCreate(pod) {
    pod.status = { phase: 'Pending', qosClass: qosClassOf(pod) };
    if (pod.spec?.schedulingGates?.length)
      pod.status.conditions = [
        {
          type: 'PodScheduled',
          status: 'False',
          reason: 'SchedulingGated',
          message: 'Scheduling is blocked due to non-empty scheduling gates',
        },
      ];
  },
  prepareForUpdate(pod, old) {
    // A bound pod keeps its node.
    if (old.spec?.nodeName && pod.spec) pod.spec.nodeName = old.spec.nodeName;
    // What the mutable part is, validation says; ephemeral containers have their own subresource.
    if (old.spec?.ephemeralContainers && pod.spec) pod.spec.ephemeralContainers = draftOf(old.spec.ephemeralContainers);
  },
  gracePeriodSeconds({ spec, status }, asked) {
    // Nobody has to be asked about a pod that never ran, or that is over.
    if (!spec?.nodeName) return 0;
    if (status?.phase === 'Failed' || status?.phase === 'Succeeded') return 0;
    const period = asked ?? spec.terminationGracePeriodSeconds ?? 30;
    return period < 0 ? 1 : period;
  },
};

/** What a container asks for can be changed without a restart, if nobody says otherwise. In pods alone, not in templates. */
function defaultResizePolicy(container: Draft<Container>): void {
  const { limits, requests } = container.resources ?? {};
  for (const resourceName of ['cpu', 'memory']) {
    if (limits?.[resourceName] === undefined && requests?.[resourceName] === undefined) continue;
    if (container.resizePolicy?.some((policy) => policy.resourceName === resourceName)) continue;
    (container.resizePolicy ??= []).push({ resourceName, restartPolicy: 'NotRequired' });
  }
}

/** Resources of containers that exist, and nothing else. */
function takeResources(next: Draft<Pod>, old: Draft<Pod>): void {
  for (const field of ['containers', 'initContainers'] as const)
    for (const container of old.spec?.[field] ?? []) {
      const asked = next.spec?.[field]?.find(({ name }) => name === container.name);
      if (asked?.resources) container.resources = asked.resources;
      if (asked?.resizePolicy) container.resizePolicy = asked.resizePolicy;
    }
}

const policyGroup = { group: 'policy', version: 'v1', kind: 'Eviction' };
const coreGroup = { group: '', version: 'v1', kind: 'Binding' };

export const podParts: { readonly [name: string]: Subresource } = {
  ephemeralcontainers: part<Pod>((next, old) => {
    if (old.spec) old.spec.ephemeralContainers = next.spec?.ephemeralContainers ?? [];
  }),
  resize: {
    ...part<Pod>(takeResources),
    validate: (pod, old) => resizeErrors(pod, old),
    comparedWith: (pod, old) => {
      const allowed = draftOf(old as Pod);
      takeResources(pod as Draft<Pod>, allowed);
      return allowed;
    },
  },
  binding: { kind: 'post', name: 'binding', bodyType: coreGroup },
  eviction: { kind: 'post', name: 'eviction', bodyType: policyGroup },
  log: { kind: 'connect', verbs: ['get'] },
  exec: { kind: 'connect', verbs: ['create', 'get'] },
  attach: { kind: 'connect', verbs: ['create', 'get'] },
  portforward: { kind: 'connect', verbs: ['create', 'get'] },
  proxy: { kind: 'connect', verbs: ['create', 'delete', 'get', 'patch', 'update'] },
};
