import type { RunningCluster, RunningClusters } from '../running-clusters.ts';

/** Who places the pods of Fargate profiles, by the name they have in `schedulerName`. */
export const FARGATE_SCHEDULER = 'fargate-scheduler';

/**
 * Keys of all that belongs to a cluster (`keysOfCluster`), whenever something happens in one that matters for its nodes: it comes up, a node is made, changes its readiness
 * or goes, a pod of a node that takes no more pods goes, anything happens to a pod of Fargate.
 */
export async function* nodeEvents(
  clusters: RunningClusters,
  keysOfCluster: (clusterKey: string) => Promise<readonly string[]>,
  signal: AbortSignal,
): AsyncIterable<string> {
  const waiting = new Set<string>();
  let wake = Promise.withResolvers<void>();
  const tell = (clusterKey: string) => {
    waiting.add(clusterKey);
    wake.resolve();
  };
  using held = new DisposableStack();
  held.defer(clusters.onStart((key, cluster) => void watch(held, cluster, () => tell(key))));
  const onAbort = () => wake.resolve();
  signal.addEventListener('abort', onAbort);
  held.defer(() => signal.removeEventListener('abort', onAbort));
  while (!signal.aborted) {
    await wake.promise;
    wake = Promise.withResolvers();
    const keys = [...waiting];
    waiting.clear();
    for (const key of keys) yield* await keysOfCluster(key);
  }
}

async function watch(held: DisposableStack, { informers }: RunningCluster, tell: () => void): Promise<void> {
  const { resources } = await import('#kubernetes');
  if (held.disposed) return;
  const nodes = informers.of(resources.nodes);
  held.defer(
    nodes.onChange(({ now, before }) => {
      if (readiness(now) !== readiness(before)) tell();
    }),
  );
  held.defer(
    informers.of(resources.pods).onChange(({ now, before }) => {
      if ((now ?? before)?.spec?.schedulerName === FARGATE_SCHEDULER) tell();
      const node = before?.spec?.nodeName;
      if (!now && node && nodes.get(node)?.spec?.unschedulable) tell();
    }),
  );
  tell();
}

type Conditions = {
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
};

function readiness(node: Conditions | undefined): string {
  if (!node) return 'gone';
  return node.status?.conditions?.find(({ type }) => type === 'Ready')?.status ?? 'unknown';
}
