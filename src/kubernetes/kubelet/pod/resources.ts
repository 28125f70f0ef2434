import { qosClassOf } from '../../qos.ts';
import { milliValue, quantityValue } from '../../quantity.ts';
import type * as types from '../../types.ts';

/** What a pod may use, as its cgroup is told. A limit is undefined when a container has none. */
export interface PodResources {
  readonly cpuRequestMillis: number;
  readonly cpuLimitMillis: number | undefined;
  readonly memoryRequestBytes: number;
  readonly memoryLimitBytes: number | undefined;
}

/** The most that the containers of a pod use together: mains and sidecars at once, or one init container beside the sidecars before it. */
export function podResourcesOf({ spec }: types.Pod): PodResources {
  const of = (container: types.Container, kind: 'requests' | 'limits', name: 'cpu' | 'memory'): number | undefined => {
    const { requests, limits } = container.resources ?? {};
    const text = kind === 'limits' ? limits?.[name] : (requests?.[name] ?? limits?.[name]);
    return text === undefined ? undefined : name === 'cpu' ? milliValue(text) : quantityValue(text);
  };
  const most = (kind: 'requests' | 'limits', name: 'cpu' | 'memory'): number => {
    let sidecars = 0;
    let starting = 0;
    for (const init of spec?.initContainers ?? []) {
      const amount = of(init, kind, name) ?? (kind === 'limits' ? Infinity : 0);
      if (init.restartPolicy === 'Always') sidecars += amount;
      starting = Math.max(starting, init.restartPolicy === 'Always' ? sidecars : sidecars + amount);
    }
    const running = (spec?.containers ?? []).reduce(
      (sum, each) => sum + (of(each, kind, name) ?? (kind === 'limits' ? Infinity : 0)),
      sidecars,
    );
    const overhead = spec?.overhead?.[name];
    const extra = overhead === undefined ? 0 : name === 'cpu' ? milliValue(overhead) : quantityValue(overhead);
    return Math.max(starting, running) + extra;
  };
  const limit = (name: 'cpu' | 'memory') => {
    const sum = most('limits', name);
    return sum > 0 && Number.isFinite(sum) ? sum : undefined;
  };
  return {
    cpuRequestMillis: most('requests', 'cpu'),
    cpuLimitMillis: limit('cpu'),
    memoryRequestBytes: most('requests', 'memory'),
    memoryLimitBytes: limit('memory'),
  };
}

/** How willingly the kernel kills a container for want of memory ("Node out of memory behavior", Kubernetes documentation). */
export function oomScoreAdjOf(pod: types.Pod, container: types.Container, nodeMemoryBytes: number): number {
  if (['system-node-critical'].includes(pod.spec?.priorityClassName ?? '')) return -997;
  const qos = qosClassOf(pod);
  if (qos === 'Guaranteed') return -997;
  if (qos === 'BestEffort') return 1000;
  const request = quantityValue(
    container.resources?.requests?.['memory'] ?? container.resources?.limits?.['memory'] ?? '0',
  );
  const score = 1000 - Math.floor((1000 * request) / nodeMemoryBytes);
  return Math.min(999, Math.max(3, score));
}
