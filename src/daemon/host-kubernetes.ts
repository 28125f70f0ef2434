/** The Kubernetes nodes that a host is: kubelets, and a service proxy for each of their clusters. Nothing of Kubernetes is loaded before there is a node. */
import { mkdirSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { messageOf, systemClock, systemCode, systemRandom, type Logger } from '#base';
import type { Container, Engine } from '#engine';
import type { Kubelets, KubeletRecord, MachineProxies } from '#kubernetes/kubelet';
import type { NetworkPlane } from '#network';
import { Collection, type Store } from '#store';
import { nodeServices } from './node-services.ts';
import { kubeletSockets, type Layout } from './settings.ts';

export interface HostKubernetes {
  /** Takes up work; resolves at once, or when the kubelets of an earlier host's nodes are. */
  start(): Promise<void>;
  /** Lets go: pods go on, and the next start finds them. */
  stop(): Promise<void>;
  /** After `stop`: unmounts what nodes keep mounted. */
  destroy(): Promise<void>;
  /** True if the container belongs to a pod. */
  owns(container: Pick<Container, 'create'>): boolean;
  /** How many nodes hold something on this machine. */
  nodes(): Promise<number>;
}

export interface HostKubernetesParts {
  readonly layout: Layout;
  readonly endpoint: string;
  readonly store: Store;
  readonly engine: Engine;
  readonly plane: NetworkPlane;
  readonly logger: Logger;
}

/** How soon a watch that broke off is begun anew. */
const RETRY_MS = 500;

export function createHostKubernetes(parts: HostKubernetesParts): HostKubernetes {
  const { layout, store, logger } = parts;
  const records = new Collection<KubeletRecord>(store, 'node/kubelets/');
  const ownPrefix = `${hostname()}/`;
  const stateDirectory = join(layout.data, 'kubelets');
  const stopping = new AbortController();
  const { signal } = stopping;
  let made: Promise<Made> | undefined;
  let running: Made | undefined;
  let following: Promise<void> = Promise.resolve();
  const make = () => (made ??= makeKubernetes(parts, stateDirectory));
  const run = async () => {
    if (running) return running;
    running = await make();
    await running.kubelets.start();
    return running;
  };

  /** Tells the proxies which nodes there are, now and whenever that changes. */
  async function follow(): Promise<void> {
    while (!signal.aborted) {
      try {
        const { entries, revision } = await store.list(records.prefix + ownPrefix);
        if (entries.length || running) {
          const { proxies } = await run();
          await proxies.follow(entries.map((entry) => records.read(entry).value));
        }
        const changes = store.watch(records.prefix + ownPrefix, { fromRevision: revision + 1, signal });
        // Whatever changed, all is listed again: nodes come and go seldom.
        for await (const _change of changes) break;
      } catch (error) {
        if (signal.aborted) return;
        logger.warn('nodes were not followed', { error: messageOf(error) });
        await systemClock.sleep(RETRY_MS, signal).catch(() => undefined);
      }
    }
  }

  return {
    async start() {
      if (await hasNodes(stateDirectory)) await run();
      following = follow();
    },
    async stop() {
      stopping.abort();
      await following;
      await running?.proxies.stop();
      await running?.kubelets.stop();
    },
    async destroy() {
      if (await hasNodes(stateDirectory)) await (await make()).kubelets.destroy();
    },
    owns: (container) => running?.kubelets.owns(container) ?? false,
    nodes: async () => (await running?.kubelets.nodes()) ?? 0,
  };
}

interface Made {
  readonly kubelets: Kubelets;
  readonly proxies: MachineProxies;
}

async function makeKubernetes(
  { layout, endpoint, store, engine, plane, logger }: HostKubernetesParts,
  stateDirectory: string,
): Promise<Made> {
  const { createKubelets, createMachineProxies, HttpClient, informersOf } = await import('#kubernetes/kubelet');
  const common = { store, clock: systemClock, random: systemRandom, logger };
  const connect = (fieldManager: string) => (node: KubeletRecord, ends: AbortSignal) => {
    const { server, certificateAuthorityPem } = node.cluster;
    const client = new HttpClient({ server, certificateAuthorityPem, identity: node, fieldManager });
    return { client, informers: informersOf({ ...common, client, signal: ends }) };
  };
  const socketDirectory = kubeletSockets(layout);
  mkdirSync(socketDirectory, { recursive: true, mode: 0o700 });
  const kubelets = createKubelets({
    ...common,
    engine,
    plane,
    services: nodeServices(layout, endpoint),
    filters: { hold: (pod, address, ends) => proxies.hold(pod, address, ends) },
    machineId: hostname(),
    stateDirectory,
    socketDirectory,
    cgroupParent: `/dabba-${layout.instance}`,
    connect: connect('kubelet'),
  });
  const proxies = createMachineProxies({
    ...common,
    clusters: plane.clusters,
    serveAt: (id, port, server) => plane.serveAt(id, port, server),
    connect: (node, ends) => connect('kube-proxy')(node, ends).informers,
  });
  return { kubelets, proxies };
}

async function hasNodes(stateDirectory: string): Promise<boolean> {
  try {
    return (await readdir(stateDirectory)).length > 0;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw error;
  }
}
