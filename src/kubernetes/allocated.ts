import type { Container, Pod } from './types.ts';

/**
 * The pod as its node has room for it. One that asked for more than there is (`PodResizePending`) holds what its containers run with, not what it asks for. Upstream: scheduler
 * and kubelet take the same view, `component-helpers/resource`, "PodRequests" with `UseStatusResources`.
 */
export function asAllocated(pod: Pod): Pod {
  const { spec, status } = pod;
  const isPending = status?.conditions?.some(({ type, status }) => type === 'PodResizePending' && status === 'True');
  if (!spec || !isPending) return pod;
  const running = [...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])];
  const held = (container: Container): Container => {
    const resources = running.find(({ name }) => name === container.name)?.resources;
    return resources ? { ...container, resources } : container;
  };
  const { containers, initContainers } = spec;
  return {
    ...pod,
    spec: {
      ...spec,
      containers: containers.map(held),
      ...(initContainers && { initContainers: initContainers.map(held) }),
    },
  };
}
