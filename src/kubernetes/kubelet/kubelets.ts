import { rm } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import { join } from 'node:path';
import { messageOf } from '#base';
import type { Container } from '#engine';
import { networkRecords } from '#network';
import { linuxCgroups, type SandboxCgroups } from '#node/worker';
import { type Reconciler, runReconcilers } from '#reconcile';
import { Collection, type Store } from '#store';
import { untilAborted } from '../until-aborted.ts';
import { keepDiskFree } from './eviction/evictor.ts';
import { identityOf } from './identity.ts';
import { Kubelet, type KubeletParts } from './kubelet.ts';
import { LocalPods } from './local.ts';
import { linuxMemoryFiles, type MemoryFiles } from './memory-files.ts';
import { type BlockDevices, linuxBlockDevices } from './block-devices.ts';
import { readScarcity } from './node/facts.ts';
import { PodNetworks } from './network.ts';
import { IdRanges } from './pod/id-ranges.ts';
import { clusterPlacesOf, nodeCgroup, nodeDirectory, notedNodes, placesOf, removePlaces } from './places.ts';
import type { EndedCluster, KubeletRecord } from './ports.ts';
import { serveKubelet } from './server/server.ts';
import { removeTraces, tracedPods } from './traces.ts';

export interface KubeletsOptions extends Omit<
  KubeletParts,
  'networkInterfaces' | 'plane' | 'cgroups' | 'memoryFiles' | 'blockDevices' | 'readScarcity' | 'idRanges'
> {
  readonly store: Store;
  /** Started before the kubelets, stopped after them; likewise the engine. */
  readonly plane: KubeletParts['plane'];
  /** Whose `node/kubelets/<machineId>/` records are followed. */
  readonly machineId: string;
  /** Holds `<nodeId>.sock` for each node: its kubelet's HTTP API. */
  readonly socketDirectory: string;
  /** Default: those of this machine. */
  readonly cgroups?: SandboxCgroups;
  readonly memoryFiles?: MemoryFiles;
  readonly blockDevices?: BlockDevices;
  readonly readScarcity?: KubeletParts['readScarcity'];
}

/** The Kubernetes nodes that this machine is: one kubelet for each `KubeletRecord`. */
export interface Kubelets {
  /** Takes up work; resolves when the records are being followed. */
  start(): Promise<void>;
  /** Lets go: what runs goes on, and the next start finds it. */
  stop(): Promise<void>;
  /** After `stop`: unmounts what nodes keep mounted. Their pods' containers are the engine's, and end with it. */
  destroy(): Promise<void>;
  /** True if the container belongs to a pod, and not to a user of the engine. */
  owns(container: Pick<Container, 'create'>): boolean;
  /** How many nodes hold something on this machine. */
  nodes(): Promise<number>;
}

/** The records of the nodes that machines are to be, by `<machineId>/<nodeId>`. */
export function kubeletRecords(store: Store): Collection<KubeletRecord> {
  return new Collection(store, 'node/kubelets/');
}

/** The clusters that are no more, by id, until hosts have removed what they left. */
export function endedClusterRecords(store: Store): Collection<EndedCluster> {
  return new Collection(store, 'node/ended-clusters/');
}

/** Where the HTTP API of a node's kubelet is served. */
export function kubeletSocket(socketDirectory: string, nodeId: string): string {
  return join(socketDirectory, `${nodeId}.sock`);
}

interface Running {
  readonly node: KubeletRecord;
  readonly kubelet: Kubelet;
  readonly server: AsyncDisposable;
}

export function createKubelets(options: KubeletsOptions): Kubelets {
  const { store, machineId, stateDirectory, clock, random } = options;
  const logger = options.logger.with({ part: 'kubelets' });
  const parts: KubeletParts = {
    ...options,
    networkInterfaces: networkRecords(store).networkInterfaces,
    cgroups: options.cgroups ?? linuxCgroups(),
    memoryFiles: options.memoryFiles ?? linuxMemoryFiles,
    blockDevices: options.blockDevices ?? linuxBlockDevices,
    readScarcity: options.readScarcity ?? readScarcity,
    idRanges: new IdRanges(),
  };
  const records = kubeletRecords(store);
  const endedClusters = endedClusterRecords(store);
  const running = new Map<string, Running>();
  const stopping = new AbortController();
  const { signal } = stopping;
  let ended: Promise<unknown> = Promise.resolve();

  const begin = async (node: KubeletRecord): Promise<void> => {
    const kubelet = new Kubelet(parts, node);
    try {
      await kubelet.start();
      const server = await serveKubelet(kubelet, { ...parts, path: kubeletSocket(options.socketDirectory, node.id) });
      running.set(node.id, { node, kubelet, server });
    } catch (error) {
      await kubelet.stop();
      throw error;
    }
  };
  const end = async (id: string): Promise<void> => {
    const known = running.get(id);
    running.delete(id);
    await known?.server[Symbol.asyncDispose]();
    await known?.kubelet.stop();
  };
  /** Removes what a cluster left that is no more, once none of its nodes is here. */
  const removeVolumes = async (clusterId: string): Promise<void> => {
    if (!(await endedClusters.get(clusterId))) return;
    if ((await notedNodes(stateDirectory)).some(({ cluster }) => cluster.id === clusterId)) return;
    for (const directory of Object.values(clusterPlacesOf(stateDirectory, clusterId)))
      await rm(directory, { recursive: true, force: true });
    await endedClusters.delete(clusterId);
    logger.info('the volumes of a cluster were removed', { clusterId });
  };
  const prefix = records.key(`${machineId}/`);
  const nodes: Reconciler = {
    name: 'kubelets',
    sources: [{ prefix, keysOf: ({ key }) => [key.slice(prefix.length)] }],
    // First of all every node of which anything is here.
    async *events() {
      for (const { id } of await notedNodes(stateDirectory)) yield id;
      await untilAborted(signal);
    },
    async reconcile(id, stop) {
      const record = (await records.get(`${machineId}/${id}`))?.value;
      if (isDeepStrictEqual(running.get(id)?.node, record) && record) return;
      // A record that changed, say its certificate, is taken up anew; pods do not notice.
      await end(id);
      if (record) return await begin(record);
      const noted = (await notedNodes(stateDirectory)).find((node) => node.id === id);
      if (!noted) return;
      await removeNode(parts, noted, stop);
      logger.info('a node was removed', { node: noted.nodeName });
      await removeVolumes(noted.cluster.id);
    },
  };
  const clusters: Reconciler = {
    name: 'ended-clusters',
    sources: [{ prefix: endedClusters.prefix, keysOf: ({ key }) => [key.slice(endedClusters.prefix.length)] }],
    reconcile: removeVolumes,
  };

  return {
    async start() {
      parts.idRanges.sweep(stateDirectory);
      ended = Promise.all([
        runReconcilers({ store, reconcilers: [nodes, clusters], clock, random, logger, signal }),
        keepDiskFree({
          runs: () => [...running.values()].flatMap(({ kubelet }) => kubelet.counted()),
          disk: async () => (await parts.readScarcity(stateDirectory)).disk,
          clock,
          logger,
          signal,
        }),
      ]);
    },
    async stop() {
      stopping.abort();
      await ended;
      for (const id of running.keys())
        await end(id).catch((error: unknown) => logger.warn('a kubelet did not stop', { id, error: messageOf(error) }));
    },
    async destroy() {
      for (const { id } of await notedNodes(stateDirectory))
        parts.memoryFiles.removeBeneath(nodeDirectory(stateDirectory, id));
      parts.blockDevices.release(stateDirectory);
      parts.idRanges.release(stateDirectory);
    },
    owns: ({ create }) => identityOf(create.labels) !== undefined,
    nodes: async () => (await notedNodes(stateDirectory)).length,
  };
}

/** Removes every trace of a node whose record is gone: its pods, its own network, its files. May be repeated; the note of what it was goes last. */
async function removeNode(parts: KubeletParts, node: KubeletRecord, signal: AbortSignal): Promise<void> {
  const { stateDirectory, engine, cgroups, cgroupParent, memoryFiles, blockDevices, idRanges } = parts;
  const directory = nodeDirectory(stateDirectory, node.id);
  const networks = new PodNetworks({ node, ...parts });
  const undoing = {
    node,
    engine,
    cgroups,
    networks,
    memoryFiles,
    idRanges,
    local: new LocalPods(directory),
    places: placesOf(stateDirectory, node),
  };
  for (const uid of await tracedPods(undoing)) await removeTraces(undoing, uid, signal);
  await networks.detachOwn();
  memoryFiles.removeBeneath(directory);
  const others = (await notedNodes(stateDirectory)).filter(
    ({ id, cluster }) => id !== node.id && cluster.id === node.cluster.id,
  );
  if (others.length === 0) blockDevices.release(undoing.places.blocks);
  cgroups.remove(nodeCgroup(cgroupParent, node));
  await removePlaces(directory);
}
