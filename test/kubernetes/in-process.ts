/** A cluster in this process, over a store in memory, for what needs no node: its API server on a loopback port, its controllers running. */
import { memoryStore } from '#store';
import { makeTestCluster } from '../../src/kubernetes/test-cluster.ts';
import { Api } from './api.ts';

export interface ApiCluster extends AsyncDisposable {
  /** An administrator's. */
  readonly api: Api;
  /** Forgets every version but the newest, as stores do from time to time. */
  compact(): Promise<void>;
}

export async function startApiCluster(): Promise<ApiCluster> {
  const store = memoryStore();
  const cluster = await makeTestCluster({ store, components: ['controllers', 'scheduler'] });
  const api = new Api({
    server: `https://127.0.0.1:${cluster.port}`,
    ca: cluster.settings.ca.certificatePem,
    certificate: cluster.credentials.certificatePem,
    key: cluster.credentials.keyPem,
  });
  return {
    api,
    compact: async () => await store.compact(await store.revision()),
    async [Symbol.asyncDispose]() {
      api[Symbol.dispose]();
      await cluster[Symbol.asyncDispose]();
    },
  };
}
