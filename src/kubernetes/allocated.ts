import type { Container, Pod } from './types.ts';

/**
 * The pod as its node has room for it. One that asked for more than there is (`PodResizePending`) holds what its containers run with, not what it asks for. Upstream: scheduler
 * and kubelet take the same view, `component-helpers/resource`, "PodRequests" with `UseStatusResources`.
 */
export function asAllocated(pod: Pod): Pod {
  const { status } = pod;
  const isPending = status?.conditions?.some(({ type, status }) => type === 'PodResizePending' && status === 'True');
  if (!isPending) return pod;
  const running = [...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])];
  return withResources(pod, (container) => running.find(({ name }) => name === container)?.resources);
}

/** The pod as if each container asked for what `resourcesOf` says of its name; where that is undefined it asks for what it does. */
export function withResources(pod: Pod, resourcesOf: (container: string) => Container['resources']): Pod {
  const { spec } = pod;
  if (!spec) return pod;
  const held = (container: Container): Container => {
    const resources = resourcesOf(container.name);
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
