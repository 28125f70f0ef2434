/** A cluster in this process, over a store in memory, for what needs no node: its API server on a loopback port, its controllers running. */
import { makeTestCluster } from '../../src/kubernetes/test-cluster.ts';
import { Api } from './api.ts';

export interface ApiCluster extends AsyncDisposable {
  /** An administrator's. */
  readonly api: Api;
}

export async function startApiCluster(): Promise<ApiCluster> {
  const cluster = await makeTestCluster({ components: ['controllers', 'scheduler'] });
  const api = new Api({
    server: `https://127.0.0.1:${cluster.port}`,
    ca: cluster.settings.ca.certificatePem,
    certificate: cluster.credentials.certificatePem,
    key: cluster.credentials.keyPem,
  });
  return {
    api,
    async [Symbol.asyncDispose]() {
      api[Symbol.dispose]();
      await cluster[Symbol.asyncDispose]();
    },
  };
}
