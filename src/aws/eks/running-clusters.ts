import type { ApiClient, ClusterPorts, ClusterSettings, Informers } from '#kubernetes';

/** A control plane that runs: its API server listens, its controllers and scheduler work. */
export interface RunningCluster {
  /** Acts as the control plane itself. */
  readonly client: ApiClient;
  readonly informers: Informers;
  /** Lets go; what is stored stays. */
  stop(): Promise<void>;
}

/** Brings a control plane up; resolves when its API server answers. */
export type ClusterStarter = (settings: ClusterSettings, ports: ClusterPorts) => Promise<RunningCluster>;

type Listener = (clusterKey: string, cluster: RunningCluster) => void;

/** The clusters that run in this process, by `<account>/<region>/<name>`. */
export class RunningClusters {
  readonly #clusters = new Map<string, { readonly id: string; readonly running: RunningCluster }>();
  readonly #listeners = new Set<Listener>();

  /** The cluster, if the one with this id runs. */
  get(clusterKey: string, id: string): RunningCluster | undefined {
    const found = this.#clusters.get(clusterKey);
    return found?.id === id ? found.running : undefined;
  }

  /** Calls `listener` for every cluster that runs, and for each that comes up. Returns the function that ends it. */
  onStart(listener: Listener): () => void {
    this.#listeners.add(listener);
    for (const [key, { running }] of this.#clusters) listener(key, running);
    return () => this.#listeners.delete(listener);
  }

  add(clusterKey: string, id: string, running: RunningCluster): void {
    this.#clusters.set(clusterKey, { id, running });
    for (const listener of this.#listeners) listener(clusterKey, running);
  }

  /** Stops the cluster of this name, whatever its id; returns the id it had. */
  async stop(clusterKey: string): Promise<string | undefined> {
    const found = this.#clusters.get(clusterKey);
    this.#clusters.delete(clusterKey);
    await found?.running.stop();
    return found?.id;
  }

  /** The id of the cluster that runs under this name. */
  idOf(clusterKey: string): string | undefined {
    return this.#clusters.get(clusterKey)?.id;
  }

  async stopAll(): Promise<void> {
    await Promise.all([...this.#clusters.keys()].map((key) => this.stop(key)));
  }
}
