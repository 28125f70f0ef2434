/** For tests only. */
import { isStatusError, resources, type MemoryClient } from '#kubernetes';
import type { KubeletRecord } from '#kubernetes/kubelet';
import { instanceRecords } from '#node';
import { Collection, type Store } from '#store';

/**
 * Stands for the host: makes instances running and kubelets ready the moment their records are there, and lets go of them when they are gone. Everything goes through the
 * store and the clusters' APIs, as in the real thing.
 */
export class FakeMachine {
  readonly #store: Store;
  readonly #clusterOf: (kubelet: KubeletRecord) => MemoryClient;
  readonly #signal: AbortSignal;

  constructor(store: Store, clusterOf: (kubelet: KubeletRecord) => MemoryClient, signal: AbortSignal) {
    this.#store = store;
    this.#clusterOf = clusterOf;
    this.#signal = signal;
  }

  async run(): Promise<void> {
    const instances = instanceRecords(this.#store);
    const kubelets = new Collection<KubeletRecord>(this.#store, 'node/kubelets/');
    for await (const { events } of this.#store.watch('node/', { fromRevision: 1, signal: this.#signal }))
      for (const event of events) {
        const key = event.kind === 'delete' ? event.key : event.entry.key;
        if (key.startsWith(instances.specs.prefix)) await this.#instance(key.slice(instances.specs.prefix.length));
        if (key.startsWith(kubelets.prefix) && event.kind === 'put')
          await this.#ready(kubelets.read(event.entry).value);
      }
  }

  async #instance(id: string): Promise<void> {
    const { specs, statuses } = instanceRecords(this.#store);
    const spec = await specs.get(id);
    await this.#store.txn({
      success: [spec ? statuses.put(id, { ...spec.value, phase: 'running' }) : statuses.remove(id)],
    });
  }

  async #ready({ nodeName: name, labels, taints, ...kubelet }: KubeletRecord): Promise<void> {
    const client = this.#clusterOf({ nodeName: name, labels, taints, ...kubelet });
    const status = { conditions: [{ type: 'Ready', status: 'True' }] };
    await client
      .create(resources.nodes, { metadata: { name, labels }, spec: { taints: [...taints] } })
      .catch((error: unknown) => {
        if (!isStatusError(error, 'AlreadyExists')) throw error;
      });
    await client.patch(resources.nodes, { name }, { kind: 'merge', body: { status } }, { subresource: 'status' });
  }
}
