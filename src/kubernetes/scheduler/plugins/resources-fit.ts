import { MAX_SCORE, type Plugin } from '../plugin.ts';

/** Nodes have room for the pod's requests and for one pod more; those with the most left are better (LeastAllocated). */
export const nodeResourcesFit: Plugin = {
  name: 'NodeResourcesFit',
  wokenBy: ['node-added', 'node-allocatable', 'pod-removed'],
  filter({ requests }) {
    const wanted = [...requests].filter(([, amount]) => amount > 0);
    return {
      check({ allocatable, requested, pods }) {
        let reasons: string[] | undefined;
        let isFinal = false;
        if (pods.size + 1 > (allocatable.get('pods') ?? Number.POSITIVE_INFINITY)) reasons = ['Too many pods'];
        for (const [name, amount] of wanted) {
          const limit = allocatable.get(name) ?? 0;
          if (amount <= limit - (requested.get(name) ?? 0)) continue;
          (reasons ??= []).push(`Insufficient ${name}`);
          isFinal ||= amount > limit;
        }
        return reasons && { reasons, isFinal };
      },
    };
  },
  score({ presumedCpuMillis, presumedMemoryBytes }) {
    return {
      score(node) {
        const cpu = share(node.presumedCpuMillis + presumedCpuMillis, node.allocatable.get('cpu'));
        const memory = share(node.presumedMemoryBytes + presumedMemoryBytes, node.allocatable.get('memory'));
        return Math.floor((cpu + memory) / 2);
      },
    };
  },
};

function share(requested: number, allocatable = 0): number {
  return allocatable && requested <= allocatable
    ? Math.floor(((allocatable - requested) * MAX_SCORE) / allocatable)
    : 0;
}

/** Nodes whose processor and memory would be used to the same degree are better. */
export const balancedAllocation: Plugin = {
  name: 'NodeResourcesBalancedAllocation',
  wokenBy: [],
  score({ requests }) {
    const cpu = requests.get('cpu') ?? 0;
    const memory = requests.get('memory') ?? 0;
    if (!cpu && !memory) return undefined;
    return {
      score({ allocatable, requested }) {
        const used = (name: string, more: number) =>
          Math.min(1, ((requested.get(name) ?? 0) + more) / (allocatable.get(name) || 1));
        // Of two numbers the standard deviation is half their distance.
        return Math.floor((1 - Math.abs(used('cpu', cpu) - used('memory', memory)) / 2) * MAX_SCORE);
      },
    };
  },
};
