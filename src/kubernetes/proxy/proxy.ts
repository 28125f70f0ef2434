import type { Clock, Logger, Random } from '#base';
import { messageOf } from '#base';
import { addressAt, type ClusterNetwork, type ClusterNetworks, type ClusterServed } from '#network';
import { KeyedQueue } from '#reconcile';
import { clusterZone } from '../dns/zone.ts';
import type { KubeletRecord, PodIdentity } from '../kubelet/ports.ts';
import type { Informer } from '../client/informer.ts';
import { keyOf } from '../object.ts';
import type { Pod } from '../types.ts';
import { untilAborted } from '../until-aborted.ts';
import type { NetworkCopies } from './copies.ts';
import { RuleBook } from './rules.ts';
import { SyncHealth } from './sync-health.ts';

export interface ClusterProxyOptions {
  readonly cluster: KubeletRecord['cluster'];
  readonly vpcId: string;
  readonly copies: NetworkCopies;
  readonly clusters: ClusterNetworks;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/**
 * Services, names and network policies of one cluster in one VPC on this machine: kube-proxy, CoreDNS and the policy half of a CNI in one, all three
 * over `plane.clusters`. Stopping leaves the rules in force, for the next process to take over.
 */
export interface ClusterProxy {
  /** Follows the cluster from now on; resolves when its rules are in force for the first time, which waits for its API server, or when stopped. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** A pod is about to begin at an address: resolves when the policies that select it hold there. Throws the signal's reason, and waits for the API server until then. */
  hold(pod: HeldPod, address: string, signal: AbortSignal): Promise<void>;
  /** Whether packets are led as the cluster has it: rules are in force, and no change has waited for long. */
  isHealthy(): boolean;
  /** Stops, and removes rules and listeners. */
  remove(): Promise<void>;
}

export type HeldPod = Pick<PodIdentity, 'namespace' | 'name' | 'uid'>;

const RULES = 'rules';

export function createClusterProxy(options: ClusterProxyOptions): ClusterProxy {
  const { cluster, clusters, copies, vpcId, clock, random } = options;
  const logger = options.logger.with({ cluster: cluster.name });
  const book = new RuleBook(copies, cluster.serviceCidr);
  const health = new SyncHealth(clock);
  const stopping = new AbortController();
  const first = Promise.withResolvers<void>();
  const synced = Promise.all(Object.values(copies).map((copy) => copy.synced())).then(() => undefined);
  let network: ClusterNetwork | undefined;
  let isSynced = false;
  /** Told when the rules that are read next are in force. */
  const waiting: (() => void)[] = [];
  const queue = new KeyedQueue({
    clock,
    random,
    signal: stopping.signal,
    concurrency: 1,
    work: async () => {
      network ??= await clusters.open({ vpcId, clusterId: cluster.id }, servedBy(cluster, copies, synced));
      // Rules made of half of the cluster would cut off what the other half serves.
      if (!isSynced) return;
      health.begun();
      const told = waiting.splice(0);
      try {
        await network.apply(book.read());
      } catch (error) {
        waiting.push(...told);
        throw error;
      }
      health.applied();
      for (const tell of told) tell();
      first.resolve();
    },
    onFailure: (_key, error, failures) =>
      logger.warn('rules of services could not be applied', { failures, error: messageOf(error) }),
  });
  let unfollow = () => {};
  const wake = () => {
    health.changed();
    queue.add(RULES);
  };

  async function stop(): Promise<void> {
    stopping.abort();
    unfollow();
    first.resolve();
    await queue.idle();
  }

  return {
    async start() {
      queue.add(RULES);
      await Promise.race([synced, untilAborted(stopping.signal)]);
      if (stopping.signal.aborted) return;
      isSynced = true;
      unfollow = book.follow(wake);
      wake();
      await first.promise;
    },
    stop,
    async hold(pod, address, signal) {
      const ended = AbortSignal.any([signal, stopping.signal]);
      const within = <T>(work: Promise<T>) => Promise.race([work, rejectionBy(ended)]);
      await within(first.promise);
      if (!book.place(await within(podIn(copies.pods, pod, ended)), address)) return;
      const applied = new Promise<void>((resolve) => void waiting.push(resolve));
      wake();
      await within(applied);
    },
    isHealthy: () => health.isHealthy,
    async remove() {
      await stop();
      await network?.remove();
    },
  };
}

/** The pod, once the copy has it. */
async function podIn(copy: Informer<Pod>, { namespace, name, uid }: HeldPod, signal: AbortSignal): Promise<Pod> {
  const known = copy.get(keyOf({ metadata: { namespace, name } }));
  if (known?.metadata?.uid === uid) return known;
  signal.throwIfAborted();
  const { promise, resolve } = Promise.withResolvers<Pod>();
  const stop = copy.onChange(({ now }) => {
    if (now?.metadata?.uid === uid) resolve(now);
  });
  signal.addEventListener('abort', stop, { once: true });
  return promise.finally(stop);
}

async function rejectionBy(signal: AbortSignal): Promise<never> {
  await untilAborted(signal);
  throw signal.reason;
}

/** Cluster DNS, and the address of `kubernetes.default`, behind which the API server listens on the machine's loopback. */
function servedBy(
  { domain, dnsAddress, serviceCidr, server }: KubeletRecord['cluster'],
  copies: NetworkCopies,
  ready: Promise<void>,
): ClusterServed {
  const toPort = Number(new URL(server).port || 443);
  return {
    dns: { address: dnsAddress, zones: [clusterZone(domain, copies)], ready },
    relays: [{ address: addressAt(serviceCidr, 1), port: 443, toPort }],
  };
}
