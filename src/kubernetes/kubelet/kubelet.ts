import { type Clock, type Logger, messageOf, type Random, isoSeconds } from '#base';
import type { Engine } from '#engine';
import type { NetworkInterface, NetworkPlane } from '#network';
import type { SandboxCgroups } from '#node/worker';
import { KeyedQueue } from '#reconcile';
import type { Collection } from '#store';
import type { ApiClient } from '../client/client.ts';
import type { Informer, Informers } from '../client/informer.ts';
import { eventRecorder } from '../events.ts';
import { nodes as nodeResource, persistentVolumes, pods, services as serviceResource } from '../resources.ts';
import type * as types from '../types.ts';
import { untilAborted } from '../until-aborted.ts';
import type { BlockDevices } from './block-devices.ts';
import type { KubeletContext, NodePlaces } from './context.ts';
import { makePlaces, nodeCgroup, nodeDirectory, placesOf } from './places.ts';
import { podUidOf } from './identity.ts';
import { LocalPods } from './local.ts';
import type { MemoryFiles } from './memory-files.ts';
import { PodNetworks } from './network.ts';
import { keepNodeFromPressure } from './eviction/evictor.ts';
import { diskBytes, type MachineFacts, type MachineScarcity, readMachineFacts } from './node/facts.ts';
import { memoryThreshold, PressureMemory, type Scarcity } from './node/pressures.ts';
import { keepRegistered } from './node/registration.ts';
import { type NodeFacts, reservedMemoryBytes } from './node/status.ts';
import { WatchedObjects } from './objects.ts';
import { rejection } from './pod/admit.ts';
import type { IdRanges } from './pod/id-ranges.ts';
import { PodRun } from './pod/run.ts';
import { syncPod } from './pod/sync.ts';
import type { KubeletRecord, NodeServices, PodFilters } from './ports.ts';
import { keepStorage } from './volume/storage.ts';
import { removeTraces, tracedPods } from './traces.ts';

/** Pods worked on at once; what takes long is a task beside. The engine has limits of its own. */
const concurrency = 64;
const [unitsOfCore, bytesPerMib] = [1024, 2 ** 20] as const;

/** What a machine's kubelets share. */
export interface KubeletParts {
  readonly engine: Engine;
  readonly plane: Pick<NetworkPlane, 'attach' | 'detach'>;
  readonly networkInterfaces: Pick<Collection<NetworkInterface>, 'get'>;
  readonly services: NodeServices;
  readonly filters: PodFilters;
  readonly cgroups: SandboxCgroups;
  readonly memoryFiles: MemoryFiles;
  readonly blockDevices: BlockDevices;
  /** How scarce what all nodes share is, for those whose files lie beneath a directory. */
  readonly readScarcity: (directory: string) => Promise<MachineScarcity>;
  readonly idRanges: IdRanges;
  readonly cgroupParent: string;
  /** Holds a folder for each node. */
  readonly stateDirectory: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** A client of the node's API server, in the node's own name. Everything of it ends with the signal. */
  readonly connect: (
    node: KubeletRecord,
    signal: AbortSignal,
  ) => { readonly client: ApiClient; readonly informers: Informers };
}

/** One node: follows the pods that are bound to it and runs them on this machine. */
export class Kubelet {
  readonly #parts: KubeletParts;
  readonly #node: KubeletRecord;
  readonly #stopping = new AbortController();
  readonly #directory: string;
  readonly #places: NodePlaces;
  readonly #runs = new Map<string, PodRun>();
  readonly #queue: KeyedQueue;
  readonly #pressures = new PressureMemory();
  readonly #logger: Logger;
  #context: KubeletContext | undefined;
  /** This node as the API server has it: labels may have been added since it was registered. */
  #self: Informer<types.Node> | undefined;
  #isSynced = false;
  #ended: readonly Promise<void>[] = [];

  constructor(parts: KubeletParts, node: KubeletRecord) {
    const { stateDirectory, clock, random } = parts;
    this.#parts = parts;
    this.#node = node;
    this.#logger = parts.logger.with({ part: 'kubelet', node: node.nodeName });
    this.#directory = nodeDirectory(stateDirectory, node.id);
    this.#places = placesOf(stateDirectory, node);
    this.#queue = new KeyedQueue({
      clock,
      random,
      concurrency,
      signal: this.#stopping.signal,
      work: (uid, signal) => this.#work(uid, signal),
      onFailure: (uid, error, failures) =>
        this.#logger.warn('a pod step failed', { pod: this.#nameOf(uid), failures, error: messageOf(error) }),
    });
  }

  /** Takes up work; resolves when the node's own places are made. What the API server has to say comes later, whenever it is there. */
  async start(): Promise<void> {
    const { clock, random, connect, memoryFiles, blockDevices, cgroups } = this.#parts;
    const { signal } = this.#stopping;
    const node = this.#node;
    const machine = await readMachineFacts();
    await makePlaces(this.#directory, { places: this.#places, node, memoryFiles });
    const { client, informers } = connect(node, signal);
    const context = await this.#makeContext(client, informers);
    this.#context = context;
    this.#self = informers.of(nodeResource, { fieldSelector: `metadata.name=${node.nodeName}` });
    await context.local.open();
    cgroups.ensure(context.cgroup, {
      cpuUnits: Math.floor((node.cpuMillis * unitsOfCore) / 1000),
      memoryMiB: node.memoryMiB,
    });
    const common = { node, client, clock, random, logger: this.#logger, signal };
    const factsNow = () => this.#facts(context, machine);
    this.#ended = [
      this.#follow(context, informers.of(pods, { fieldSelector: `spec.nodeName=${node.nodeName}` })),
      this.#listen(context),
      keepStorage({ ...common, places: this.#places, blockDevices, volumes: informers.of(persistentVolumes) }),
      keepRegistered({ ...common, architecture: machine.architecture, factsNow }),
      keepNodeFromPressure({
        ...common,
        runs: () => this.counted(),
        memory: async () => (await this.#scarcity()).memory,
      }),
    ];
  }

  async #makeContext(client: ApiClient, informers: Informers): Promise<KubeletContext> {
    const { engine, services, cgroups, cgroupParent, memoryFiles, blockDevices, idRanges, clock, random } = this.#parts;
    const { signal } = this.#stopping;
    const node = this.#node;
    const common = { client, clock, random, logger: this.#logger, signal };
    const onChange = (uids: readonly string[]) => uids.forEach((uid) => this.#queue.add(uid));
    return {
      ...common,
      node,
      clusterServices: informers.of(serviceResource),
      objects: new WatchedObjects({ ...common, onChange }),
      events: eventRecorder(common, 'kubelet', node.nodeName),
      engine,
      networks: new PodNetworks({ ...this.#parts, node }),
      services,
      cgroups,
      cgroup: nodeCgroup(cgroupParent, node),
      others: (uid) => this.counted().flatMap(({ ref, allocated }) => (ref.uid === uid ? [] : [allocated])),
      local: new LocalPods(this.#directory),
      places: this.#places,
      memoryFiles,
      idRanges,
      blockDevices,
      allocatable: {
        cpuMillis: node.cpuMillis,
        memoryBytes: node.memoryMiB * bytesPerMib - reservedMemoryBytes,
        ephemeralStorageBytes: await diskBytes(this.#directory),
      },
    };
  }

  /** Lets go: what runs goes on, and the next kubelet finds it. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#queue.idle();
    for (const { hostPorts } of this.#runs.values()) hostPorts.close();
    await Promise.all(Array.from(this.#runs.values(), ({ tasks }) => tasks.idle()));
    await Promise.all(this.#ended);
  }

  /** The pod of that name, if it is here; for logs, commands and streams. */
  find(namespace: string, name: string): PodRun | undefined {
    const named = [...this.#runs.values()].filter(({ ref }) => ref.namespace === namespace && ref.name === name);
    // Of the same name there may be one that is on its way out.
    return named.find(({ isGone }) => !isGone) ?? named[0];
  }

  get nodeName(): string {
    return this.#node.nodeName;
  }

  /** What all pods of the node use together. */
  usage(): {
    readonly at: number;
    readonly cpuNs: number;
    readonly memoryBytes: number;
    readonly workingSetBytes: number;
  } {
    const { cgroups, cgroupParent, clock } = this.#parts;
    const { cpuNs = 0, memoryBytes = 0, idleBytes = 0 } = cgroups.usage(nodeCgroup(cgroupParent, this.#node)) ?? {};
    return { at: clock.now(), cpuNs, memoryBytes, workingSetBytes: Math.max(0, memoryBytes - idleBytes) };
  }

  list(): readonly PodRun[] {
    return [...this.#runs.values()];
  }

  /** The pods that the node's room is held for. */
  counted(): readonly PodRun[] {
    return this.list().filter(({ isCounted }) => isCounted);
  }

  async #work(uid: string, signal: AbortSignal): Promise<void | { readonly afterMs: number }> {
    const run = this.#runs.get(uid);
    if (!run) return await this.#removeOrphan(uid, signal);
    const again = await syncPod(run, signal);
    if (again === 'forgotten') this.#runs.delete(uid);
    else return again;
  }

  /** Follows the pods of this node; those of which there is a trace here and no object are orphans. */
  async #follow(context: KubeletContext, informer: Informer<types.Pod>): Promise<void> {
    const { signal } = context;
    const ended = untilAborted(signal);
    // Whether a pod is taken is asked once, and the node's own labels are part of it.
    await Promise.race([this.#self?.synced(), ended]);
    if (signal.aborted) return;
    const end = informer.onChange(({ now, before }) => this.#onPod(context, now, before));
    signal.addEventListener('abort', end, { once: true });
    const synced = Promise.all([informer.synced(), context.clusterServices.synced()]);
    await Promise.race([synced, ended]);
    if (signal.aborted) return;
    this.#isSynced = true;
    for (const uid of (await tracedPods(context)).union(this.#runs)) this.#queue.add(uid);
  }

  #onPod(context: KubeletContext, now: types.Pod | undefined, before: types.Pod | undefined): void {
    const uid = (now ?? before)?.metadata?.uid;
    if (uid === undefined) return;
    // One of that name was replaced unseen.
    if (now && before && before.metadata?.uid !== uid) this.#onPod(context, undefined, before);
    const run = this.#runs.get(uid);
    if (run) {
      run.pod = now ?? run.pod;
      if (!now) {
        run.isGone = true;
        if (before) run.pod = before;
      }
    } else if (now) this.#runs.set(uid, this.#take(context, now));
    this.#queue.add(uid);
  }

  /** A pod that was bound to this node. */
  #take(context: KubeletContext, pod: types.Pod): PodRun {
    const run = new PodRun(context, pod, () => this.#queue.add(run.ref.uid));
    // One that was begun was taken before.
    if (pod.status?.startTime || pod.metadata?.deletionTimestamp) return run;
    const others = this.counted().map(({ allocated }) => allocated);
    const { maxPods, nodeName, labels } = this.#node;
    const self = this.#self?.get(nodeName);
    const refusal = rejection(pod, {
      others,
      allocatable: context.allocatable,
      extended: self?.status?.allocatable,
      labels: { ...labelsOf(nodeName, labels), ...self?.metadata?.labels },
      maxPods,
      isShortOfMemory: this.#pressures.at(context.clock.now()).memory,
    });
    if (refusal) {
      run.isRefused = true;
      run.failure = refusal;
      run.event('Warning', refusal.reason, refusal.message);
    }
    return run;
  }

  /** Engine events tell what became of containers. */
  async #listen({ engine, node, signal }: KubeletContext): Promise<void> {
    for await (const { type, action, attributes } of engine.events(signal)) {
      const uid = type === 'container' && noted.test(action) ? podUidOf(attributes, node.id) : undefined;
      if (uid !== undefined) this.#queue.add(uid);
    }
  }

  /** Something is here of a pod that is no more: it ended while no kubelet looked. */
  async #removeOrphan(uid: string, signal: AbortSignal): Promise<void> {
    const context = this.#context!;
    // Until all pods are known, nothing is an orphan.
    if (this.#isSynced) await removeTraces(context, uid, signal);
  }

  async #facts({ networks, engine, allocatable, clock }: KubeletContext, machine: MachineFacts): Promise<NodeFacts> {
    const { tenant, region, networkInterfaceId } = this.#node;
    const [own, images, , record] = await Promise.all([
      networks.own(),
      engine.images.list(),
      this.#scarcity(),
      this.#parts.networkInterfaces.get(`${tenant}/${region}/${networkInterfaceId}`),
    ]);
    return {
      node: this.#node,
      machine,
      allocatable,
      address: { privateIp: own.privateIp, publicIp: record?.value.publicIp },
      images,
      pressures: this.#pressures.at(clock.now()),
      now: isoSeconds(clock.now()),
    };
  }

  /** What is scarce now. Whoever looks, the node tells of it. */
  async #scarcity(): Promise<Scarcity> {
    const { clock, readScarcity } = this.#parts;
    const capacityBytes = this.#node.memoryMiB * bytesPerMib;
    const memory = memoryThreshold(capacityBytes, this.usage().workingSetBytes);
    const scarcity = { ...(await readScarcity(this.#directory)), memory };
    this.#pressures.observe(scarcity, clock.now());
    return scarcity;
  }

  #nameOf(uid: string): string {
    return this.#runs.get(uid)?.ref.name ?? uid;
  }
}

/** Engine events that may change what a pod's status says. */
const noted = /^(die|oom|destroy)/;

function labelsOf(nodeName: string, labels: { readonly [name: string]: string }) {
  return { 'kubernetes.io/hostname': nodeName, 'kubernetes.io/os': 'linux', ...labels };
}
