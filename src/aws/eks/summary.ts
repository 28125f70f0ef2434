import { endpointOf } from './cluster-view.ts';
import { idIn } from './names.ts';
import type { RunningClusters } from './running-clusters.ts';
import type { EksState } from './state.ts';

/** A cluster in a line. */
export interface ClusterSummary {
  readonly name: string;
  readonly account: string;
  readonly region: string;
  readonly status: string;
  readonly endpoint?: string;
  readonly nodes: number;
  readonly readyNodes: number;
  /** Running ones. */
  readonly pods: number;
}

/** Every cluster of every account, in order. */
export async function summarize(state: EksState, clusters: RunningClusters): Promise<readonly ClusterSummary[]> {
  const all = await state.clusters.list();
  return await Promise.all(
    all.map(async ({ id, value }) => {
      const endpoint = endpointOf(value);
      const nodes = await state.nodes.list(idIn({ ...value, cluster: value.name }, ''));
      const running = clusters.get(id, value.id);
      return {
        name: value.name,
        account: value.account,
        region: value.region,
        status: value.status,
        ...(endpoint && { endpoint }),
        nodes: nodes.length,
        ...(running ? await inside(running) : { readyNodes: 0, pods: 0 }),
      };
    }),
  );
}

async function inside({ informers }: NonNullable<ReturnType<RunningClusters['get']>>) {
  const { resources } = await import('#kubernetes');
  const nodes = informers.of(resources.nodes).list();
  const isReady = ({ type, status }: { readonly type: string; readonly status: string }) =>
    type === 'Ready' && status === 'True';
  return {
    readyNodes: nodes.filter(({ status }) => status?.conditions?.some(isReady)).length,
    pods: informers
      .of(resources.pods)
      .list()
      .filter(({ status }) => status?.phase === 'Running').length,
  };
}
