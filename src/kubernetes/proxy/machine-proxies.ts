import type { Clock, Logger, Random } from '#base';
import { messageOf } from '#base';
import { type ClusterKey, type ClusterNetworks, networkRecords, recordId } from '#network';
import type { Store } from '#store';
import type { Informers } from '../client/informer.ts';
import { untilAborted } from '../until-aborted.ts';
import type { KubeletRecord, PodFilters } from '../kubelet/ports.ts';
import { networkCopies } from './copies.ts';
import { createHealthPorts, type HealthPorts, type HealthPortsOptions } from './health-ports.ts';
import { type ClusterProxy, createClusterProxy } from './proxy.ts';

export interface MachineProxiesOptions {
  readonly store: Store;
  readonly clusters: ClusterNetworks;
  /** `NetworkPlane.serveAt`. */
  readonly serveAt: HealthPortsOptions['serveAt'];
  /** Informers of the node's cluster, with the node's rights, until the signal. */
  readonly connect: (node: KubeletRecord, signal: AbortSignal) => Informers;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** A proxy for each cluster that has nodes on this machine. */
export interface MachineProxies extends PodFilters {
  /** Starts and removes proxies so that they fit these nodes, all that the machine has now. One call at a time. */
  follow(nodes: readonly KubeletRecord[]): Promise<void>;
  /** Stops every proxy; what it made stays. */
  stop(): Promise<void>;
}

interface Running {
  readonly key: ClusterKey;
  readonly proxy: ClusterProxy;
  readonly health: HealthPorts;
  readonly ending: AbortController;
}

/** How long a pod waits for its policies when they cannot be known: the API server, or the network, is not there. */
const HOLD_MS = 5000;

export function createMachineProxies(options: MachineProxiesOptions): MachineProxies {
  const { store, clusters, connect, logger } = options;
  const { networkInterfaces } = networkRecords(store);
  const running = new Map<string, Running>();
  /** Proxies by cluster, once there are any. */
  const made = new Map<string, PromiseWithResolvers<ClusterProxy>>();
  let isFirst = true;

  async function wantedClusters(nodes: readonly KubeletRecord[]) {
    const wanted = new Map<string, { readonly key: ClusterKey; readonly nodes: readonly KubeletRecord[] }>();
    for (const node of nodes) {
      const { tenant, region, networkInterfaceId: id, cluster } = node;
      const eni = (await networkInterfaces.get(recordId({ tenant, region, id })))?.value;
      // A node whose interface is gone is about to go itself.
      if (!eni) continue;
      const key = { vpcId: eni.vpcId, clusterId: cluster.id };
      const name = `${key.vpcId} ${key.clusterId}`;
      wanted.set(name, { key, nodes: [...(wanted.get(name)?.nodes ?? []), node] });
    }
    return wanted;
  }

  function madeOf(clusterId: string): PromiseWithResolvers<ClusterProxy> {
    const known = made.get(clusterId) ?? Promise.withResolvers<ClusterProxy>();
    made.set(clusterId, known);
    return known;
  }

  function start(key: ClusterKey, node: KubeletRecord): Running {
    const ending = new AbortController();
    const copies = networkCopies(connect(node, ending.signal));
    const proxy = createClusterProxy({ ...options, cluster: node.cluster, vpcId: key.vpcId, copies });
    // It waits for the cluster's API server, which nobody here should.
    proxy.start().catch((error: unknown) => {
      if (!ending.signal.aborted)
        logger.error('a service proxy ended', { cluster: node.cluster.name, error: messageOf(error) });
    });
    madeOf(node.cluster.id).resolve(proxy);
    const health = createHealthPorts({ ...options, copies, isProxyHealthy: () => proxy.isHealthy() });
    return { key, proxy, health, ending };
  }

  return {
    async follow(nodes) {
      const wanted = await wantedClusters(nodes);
      if (isFirst) await clusters.retain(Array.from(wanted.values(), ({ key }) => key));
      isFirst = false;
      for (const [name, { key, proxy, health, ending }] of running) {
        // One whose removal failed serves nobody any more, though its cluster may have nodes again.
        if (wanted.has(name) && !ending.signal.aborted) continue;
        // Once: whoever waits from then on waits for the next.
        if (!ending.signal.aborted) made.delete(key.clusterId);
        ending.abort();
        await health.stop();
        await proxy.remove();
        running.delete(name);
      }
      for (const [name, { key, nodes: own }] of wanted) {
        const started = running.get(name) ?? start(key, own[0]!);
        running.set(name, started);
        started.health.setNodes(
          own.map(({ nodeName, networkInterfaceId }) => ({ name: nodeName, networkInterfaceId })),
        );
      }
    },
    async hold(pod, address, signal) {
      const ended = AbortSignal.any([signal, AbortSignal.timeout(HOLD_MS)]);
      try {
        const proxy = await Promise.race([madeOf(pod.node.cluster.id).promise, untilAborted(ended)]);
        await proxy?.hold(pod, address, ended);
        ended.throwIfAborted();
      } catch (error) {
        signal.throwIfAborted();
        const { namespace, name, node } = pod;
        const fields = { cluster: node.cluster.name, pod: `${namespace}/${name}`, error: messageOf(error) };
        logger.warn('a pod begins before its network policies are known to hold', fields);
      }
    },
    async stop() {
      const all = [...running.values()];
      running.clear();
      for (const { ending } of all) ending.abort();
      await Promise.all(all.flatMap(({ proxy, health }) => [proxy.stop(), health.stop()]));
    },
  };
}
