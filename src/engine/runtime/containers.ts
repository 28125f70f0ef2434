import { rm } from 'node:fs/promises';
import { DabbaError, type Digest } from '#base';
import { namesIn } from '#kernel';
import { buildLabel, type StepContainers } from '../build/index.ts';
import type {
  AttachOptions,
  Attachment,
  Container,
  ContainerCreate,
  EndpointCreate,
  ExposedPort,
  ContainerStats,
  ContainerUpdate,
  Containers,
  Exec,
  ExecCreate,
  LogEntry,
  LogOptions,
  StopOptions,
  TerminalSize,
} from '../engine.ts';
import type { BridgeNetwork } from '../ports.ts';
import { treeBytes } from '../disk-usage.ts';
import type { ImageUsers, ResolvedImage } from '../image/internals.ts';
import type { VolumeUser } from '../volume/volumes.ts';
import { checkEndpoint, join, leave, networkOf, wantedEndpoints } from './endpoints.ts';
import { execIn, resizeTerminal } from './exec.ts';
import { HealthMonitor } from './health.ts';
import { findInit } from './init.ts';
import { Instance } from './instance.ts';
import { Lifecycle, notRunning } from './lifecycle.ts';
import { followRename, followRenames, linkedTo, namesLinked } from './links.ts';
import { readLogs } from './logs.ts';
import { rewriteNames } from './network.ts';
import { imageMounts, recordMounts } from './mount-places.ts';
import { generateName, parseName } from './names.ts';
import { openRoot, releaseRoot, type ContainerRoot } from './open-root.ts';
import { ContainerFolder, initialState, type ContainerRecord, type RecordedMount } from './record.ts';
import { startsWithEngine } from './restart.ts';
import type { Runtime } from './runtime.ts';
import { signalNumber } from './signals.ts';
import { joinProcess, shortId } from './spec/process.ts';
import { specWarnings } from './spec/spec.ts';
import { readStats } from './stats.ts';
import { sweep } from './sweep.ts';
import { findMonitors } from './monitors.ts';
import { listProcesses, type ProcessTable } from './top.ts';

const defaultStopSignal = 'SIGTERM';
/** How long containers have to end by themselves when the engine is destroyed. */
const shutDownTimeoutMs = 3_000;

/** The containers of one engine, found by id and by name. What happens to them is in `lifecycle.ts`. */
export class ContainerSet implements Containers, StepContainers, ImageUsers {
  readonly #runtime: Runtime;
  readonly #lifecycle: Lifecycle;
  readonly #health: HealthMonitor;
  readonly #instances = new Map<string, Instance>();
  /** Names in use, those of containers being made included. */
  readonly #idsByName = new Map<string, string>();

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
    runtime.volumes.askForUsers((name) => this.#usersOfVolume(name));
    this.#health = new HealthMonitor(runtime.clock, (instance, request) =>
      execIn(runtime, { instance, neighbours: this.#neighbours }, request),
    );
    this.#lifecycle = new Lifecycle(runtime, this.#health, {
      onRemoved: (instance) => this.#forget(instance),
      find: (idOrName) => this.#get(idOrName),
      onStarted: (instance) => this.#tellLinked(instance),
    });
  }

  async create(request: ContainerCreate): Promise<Container> {
    // The image is found in use by the container only once the container is recorded.
    using _ = this.#runtime.images.hold();
    return await this.#make(await this.#runtime.images.resolveForRun(request.image), request);
  }

  async createFrom(image: ResolvedImage, request: ContainerCreate): Promise<Container> {
    return await this.#make(image, { ...request, labels: { ...request.labels, [buildLabel]: '' } });
  }

  async start(id: string): Promise<void> {
    await this.#lifecycle.start(this.#get(id));
  }

  async stop(id: string, options?: StopOptions): Promise<void> {
    await this.#lifecycle.stop(this.#get(id), options);
  }

  async pause(id: string): Promise<void> {
    await this.#lifecycle.pause(this.#get(id));
  }

  async unpause(id: string): Promise<void> {
    await this.#lifecycle.unpause(this.#get(id));
  }

  async update(id: string, change: ContainerUpdate): Promise<{ readonly warnings: readonly string[] }> {
    return await this.#lifecycle.update(this.#get(id), change);
  }

  async sizeOf(id: string): Promise<number> {
    return await treeBytes(this.#get(id).folder.upper);
  }

  stats(id: string): Promise<ContainerStats | undefined> {
    const instance = this.#get(id);
    return Promise.resolve(instance.isRunning ? readStats(this.#runtime, instance) : undefined);
  }

  async kill(id: string, signal: string): Promise<void> {
    await this.#lifecycle.kill(this.#get(id), signal);
  }

  async remove(id: string, options?: { readonly force?: boolean; readonly removeVolumes?: boolean }): Promise<void> {
    await this.#lifecycle.remove(this.#get(id), options);
  }

  find(idOrName: string): Promise<Container | undefined> {
    return Promise.resolve(this.#find(idOrName)?.view());
  }

  list(): Promise<readonly Container[]> {
    return Promise.resolve([...this.#instances.values()].map((instance) => instance.view()));
  }

  async rename(id: string, newName: string): Promise<void> {
    const instance = this.#get(id);
    const oldName = await instance.turns.run(async () => {
      const oldName = instance.record.name;
      const name = this.#reserveName(newName, instance.id);
      try {
        await instance.rename(name);
      } catch (error) {
        this.#idsByName.delete(name);
        throw error;
      }
      this.#idsByName.delete(oldName);
      if (instance.isRunning)
        for (const endpoint of wantedEndpoints(instance.record)) await join(this.#runtime, instance.record, endpoint);
      instance.publish('rename', { oldName: `/${oldName}` });
      return oldName;
    });
    // In the turns of those that are linked to it: two of them may be linked to one another.
    for (const other of this.#instances.values())
      if (namesLinked(other).includes(oldName))
        await other.turns.run(async () => await followRename(other, oldName, instance.record.name));
  }

  /** Puts a container into a further network, at once if it runs. */
  async connect(id: string, endpoint: EndpointCreate): Promise<void> {
    const instance = this.#get(id);
    await instance.turns.run(async () => {
      const { create, name } = instance.record;
      const wanted = wantedEndpoints(instance.record);
      if (create.network.mode !== 'bridge' || (instance.isRunning && !instance.state.address))
        throw new DabbaError(
          'PermissionDenied',
          `container ${name} cannot be connected to a network: it has network mode "${create.network.mode}"`,
        );
      if (wanted.some(({ network }) => this.#isSameNetwork(network, endpoint.network)))
        throw new DabbaError(
          'PermissionDenied',
          `endpoint with name ${name} already exists in network ${endpoint.network}`,
        );
      checkEndpoint(this.#runtime, endpoint);
      if (instance.isRunning) {
        await join(this.#runtime, instance.record, endpoint);
        rewriteNames(this.#runtime, instance, this.#neighbours);
      }
      await instance.moveTo([...wanted, endpoint]);
    });
  }

  /** Takes a container out of a network, at once if it runs. */
  async disconnect(id: string, network: BridgeNetwork): Promise<void> {
    const instance = this.#get(id);
    await instance.turns.run(async () => {
      const wanted = wantedEndpoints(instance.record);
      const kept = wanted.filter((endpoint) => !this.#isSameNetwork(endpoint.network, network.name));
      if (kept.length === wanted.length)
        throw new DabbaError(
          'PermissionDenied',
          `container ${instance.id} is not connected to network ${network.name}`,
        );
      await instance.moveTo(kept);
      if (!instance.isRunning) return;
      await leave(this.#runtime, instance.record, network);
      rewriteNames(this.#runtime, instance, this.#neighbours);
    });
  }

  readonly #neighbours = { find: (idOrName: string) => this.#get(idOrName) };

  #tellLinked(started: Instance): void {
    for (const instance of linkedTo(started, this.#instances.values()))
      rewriteNames(this.#runtime, instance, this.#neighbours);
  }

  #isSameNetwork(one: string, other: string): boolean {
    const networks = this.#runtime.networks.list();
    return one === other || networkOf(networks, one)?.id === networkOf(networks, other)?.id;
  }

  async wait(
    id: string,
    condition: 'not-running' | 'next-exit' | 'removed',
    signal: AbortSignal,
  ): Promise<{ readonly exitCode: number }> {
    return await this.#get(id).wait(condition, signal);
  }

  logs(id: string, options: LogOptions): AsyncIterable<LogEntry> {
    const instance = this.#get(id);
    const isComplete = () => instance.isRemoved || instance.state.phase === 'exited';
    return readLogs(
      {
        path: instance.folder.log,
        isRotated: instance.record.create.log !== undefined,
        isComplete,
        onChange: (listener) => instance.onChange(listener),
      },
      options,
    );
  }

  attach(id: string, options: AttachOptions): Promise<Attachment> {
    const instance = this.#get(id);
    const attachment = instance.attach(options);
    instance.publish('attach');
    return Promise.resolve(attachment);
  }

  async resize(id: string, size: TerminalSize): Promise<void> {
    const instance = this.#get(id);
    const { monitor } = instance.state;
    if (!instance.isRunning || !monitor) throw notRunning('resize', instance);
    resizeTerminal(monitor, size);
  }

  async exec(id: string, request: ExecCreate): Promise<Exec> {
    return await execIn(this.#runtime, { instance: this.#get(id), neighbours: this.#neighbours }, request);
  }

  async top(id: string, psArguments: readonly string[]): Promise<ProcessTable> {
    const instance = this.#get(id);
    if (!instance.isRunning) throw new DabbaError('Conflict', `container ${instance.id} is not running`);
    return await listProcesses(this.#runtime.cgroups.processes(instance.cgroupPath), psArguments);
  }

  async takeUpper(containerId: string): Promise<string> {
    const instance = this.#get(containerId);
    return await instance.turns.run(async () => {
      if (instance.isRunning) throw new DabbaError('Conflict', `container ${instance.id} is running`);
      await instance.clearing;
      await this.#runtime.images.snapshots.unmount(instance.folder.merged);
      return instance.folder.upper;
    });
  }

  /** A container's root directory, with its record and its read/write layer. See `openRoot`. */
  async openRoot(id: string, view: 'own' | 'whole'): Promise<ContainerRoot> {
    const instance = this.#get(id);
    const root = await openRoot(this.#runtime, instance, view);
    const { record, folder } = instance;
    return { ...root, record, upper: folder.upper, publish: (action, more) => instance.publish(action, more) };
  }

  containersOf(imageId: Digest): Promise<readonly { readonly id: string; readonly isRunning: boolean }[]> {
    const users = [...this.#instances.values()].filter(
      ({ record }) => record.imageId === imageId || imageMounts(record).some((mount) => mount.imageId === imageId),
    );
    return Promise.resolve(users.map(({ id, isRunning }) => ({ id, isRunning })));
  }

  chainsInUse(): Promise<readonly Digest[]> {
    const chains = [...this.#instances.values()].flatMap(({ record }) => [
      record.chainId,
      ...imageMounts(record).map(({ chainId }) => chainId),
    ]);
    return Promise.resolve(chains.filter((chainId) => chainId !== undefined));
  }

  #usersOfVolume(name: string): readonly VolumeUser[] {
    const mounts = ({ record }: Instance) =>
      record.mounts.some((mount) => mount.kind === 'volume' && mount.name === name);
    return [...this.#instances.values()]
      .filter(mounts)
      .map(({ id, state }) => ({ id, isRunning: state.phase === 'running' || state.phase === 'starting' }));
  }

  /** Reads every container from disk, adopts what runs, settles what ended, removes what was half made. Once. */
  async load(): Promise<void> {
    const { containersDirectory, monitor } = this.#runtime;
    const monitors = new Map(findMonitors(monitor.runcRoot).map((found) => [found.bundle, found.identity]));
    for (const id of await namesIn(containersDirectory)) await this.#read(id);
    const adopted = [...this.#instances.values()];
    // Before any is adopted: a restart policy may mount a root again at once.
    for (const instance of adopted) releaseRoot(instance);
    await Promise.all(adopted.map((each) => this.#lifecycle.adopt(each, monitors.get(each.folder.bundle))));
    await sweep(this.#runtime, adopted);
  }

  /** Starts what did not run and what its policy wants running. A container that cannot be started is logged. */
  async startByPolicy(): Promise<void> {
    await Promise.all([...this.#instances.values()].map((instance) => this.#startByPolicy(instance)));
  }

  /** Lets go: containers run on. */
  async close(): Promise<void> {
    for (const instance of this.#instances.values()) {
      instance.endAttachments();
      this.#health.end(instance);
    }
    for (const stream of this.#runtime.openStreams) await stream[Symbol.asyncDispose]();
    await this.#lifecycle.letGo();
    await Promise.all([...this.#instances.values()].map(({ turns }) => turns.idle()));
    await this.#health.idle();
  }

  /** From now on nothing is started, also not by restart policies. */
  closeForStarts(): void {
    this.#lifecycle.close();
  }

  /** Ends every container, keeping its files and its restart policy for the next start of the engine. */
  async shutDown(): Promise<void> {
    await Promise.all([...this.#instances.values()].map((each) => this.#lifecycle.shutDown(each, shutDownTimeoutMs)));
  }

  async #make({ image, chainId }: ResolvedImage, request: ContainerCreate): Promise<Container> {
    const { random, clock, limits } = this.#runtime;
    const id = random.hex(64);
    const { network } = request;
    const donor = network.mode === 'container' ? this.#getNamed(network.container) : undefined;
    const links = request.links?.map((link) => ({ ...link, linked: this.#getNamed(link.container) }));
    const hostname = donor?.record.hostname ?? request.hostname ?? shortId(id);
    const record = {
      id,
      createdAt: clock.now(),
      // By its id: whoever has that name later is another one.
      create: {
        ...request,
        ...(links && { links: links.map(({ alias, linked }) => ({ alias, container: linked.record.name })) }),
        ...(donor && { network: { mode: 'container' as const, container: donor.id } }),
      },
      imageId: image.id,
      ...(chainId && { chainId }),
      process: joinProcess({ ...request, hostname }, image.config, id),
      hostname,
      stopSignal: request.stopSignal || image.config.StopSignal || defaultStopSignal,
      ...healthCheckOf(request, image.config),
      warnings: specWarnings(request, limits),
      exposedPorts: exposedPorts(request, image.config),
    };
    signalNumber(record.stopSignal);
    if (request.isInitEnabled) findInit();
    const name = this.#reserveName(request.name, id);
    const folder = new ContainerFolder(this.#runtime, id);
    try {
      const mounts = await recordMounts(this.#runtime, request, image.config, this.#mountsFrom(request));
      await folder.make();
      // The container exists once its config does: without one, a restarted engine removes the folder.
      const whole: ContainerRecord = { ...record, name, mounts };
      await folder.writeConfig(whole);
      const instance = new Instance(this.#runtime, whole, initialState);
      this.#instances.set(id, instance);
      await followRenames(instance, links?.map(({ linked }) => linked) ?? []);
      instance.publish('create');
      return instance.view();
    } catch (error) {
      this.#instances.delete(id);
      this.#idsByName.delete(name);
      await rm(folder.path, { recursive: true, force: true });
      throw error;
    }
  }

  #mountsFrom({ mountsFrom = [] }: ContainerCreate): readonly RecordedMount[] {
    return mountsFrom.flatMap(({ container, isReadOnly }) =>
      this.#getNamed(container).record.mounts.map((mount) =>
        isReadOnly && (mount.kind === 'bind' || mount.kind === 'volume') ? { ...mount, isReadOnly } : mount,
      ),
    );
  }

  async #read(id: string): Promise<void> {
    const folder = new ContainerFolder(this.#runtime, id);
    const record = await folder.readConfig();
    if (!record) return await this.#runtime.images.snapshots.discard(folder.path);
    this.#instances.set(id, new Instance(this.#runtime, record, (await folder.readState()) ?? initialState));
    this.#idsByName.set(record.name, id);
  }

  async #startByPolicy(instance: Instance): Promise<void> {
    const { phase, isStoppedByHand, runs } = instance.state;
    if (phase !== 'exited' || runs === 0 || !startsWithEngine(instance.record.create.restartPolicy, isStoppedByHand))
      return;
    await this.#lifecycle.start(instance).catch((error: unknown) => {
      this.#runtime.logger.warn('container not started', { containerId: instance.id, reason: String(error) });
    });
  }

  #find(idOrName: string): Instance | undefined {
    const name = idOrName.replace(/^\//, '');
    const exact = this.#instances.get(name) ?? this.#instances.get(this.#idsByName.get(name) ?? '');
    if (exact || !/^[0-9a-f]+$/.test(name)) return exact;
    const matches = [...this.#instances.values()].filter(({ id }) => id.startsWith(name));
    if (matches.length > 1) throw new DabbaError('InvalidArgument', `Multiple IDs found with provided prefix: ${name}`);
    return matches[0];
  }

  #get(idOrName: string): Instance {
    const instance = this.#find(idOrName);
    if (!instance) throw new DabbaError('NotFound', `No such container: ${idOrName}`);
    return instance;
  }

  /** Another container that a request names. `NotFound` would say of the request's image that it is not here: clients pull it then. */
  #getNamed(idOrName: string): Instance {
    const instance = this.#find(idOrName);
    if (!instance)
      throw new DabbaError(
        'InvalidArgument',
        `could not get container for ${idOrName}: No such container: ${idOrName}`,
      );
    return instance;
  }

  #reserveName(wanted: string | undefined, id: string): string {
    const name = wanted ? parseName(wanted) : generateName(this.#runtime.random, (each) => this.#idsByName.has(each));
    const owner = this.#idsByName.get(name);
    if (owner !== undefined)
      throw new DabbaError(
        'AlreadyExists',
        `Conflict. The container name "/${name}" is already in use by container "${owner}". You have to remove (or rename) that container to be able to reuse that name.`,
      );
    this.#idsByName.set(name, id);
    return name;
  }

  #forget(instance: Instance): void {
    this.#instances.delete(instance.id);
    this.#idsByName.delete(instance.record.name);
  }
}

/** The image's ports and the request's, each once. */
function exposedPorts(request: ContainerCreate, image: ResolvedImage['image']['config']): readonly ExposedPort[] {
  const asked = [...(request.exposedPorts ?? []), ...(request.publishedPorts ?? [])];
  const ports = [
    ...Object.keys(image.ExposedPorts ?? {}).flatMap(readExposedPort),
    ...asked.map(({ containerPort, protocol }): ExposedPort => ({ containerPort, protocol })),
  ];
  return [...new Map(ports.map((port) => [`${port.containerPort}/${port.protocol}`, port])).values()];
}

/** `80`, `80/udp`; an image may say anything, and what is no port is none. */
function readExposedPort(text: string): readonly ExposedPort[] {
  const [, port, protocol = 'tcp'] = /^(\d{1,5})(?:\/(tcp|udp))?$/.exec(text) ?? [];
  const isPort = port !== undefined && Number(port) > 0 && Number(port) < 65_536;
  return isPort ? [{ containerPort: Number(port), protocol: protocol === 'udp' ? 'udp' : 'tcp' }] : [];
}

/** The request's health check with what it leaves out taken from the image's (Docker's merge). */
function healthCheckOf(
  request: ContainerCreate,
  image: ResolvedImage['image']['config'],
): { healthCheck?: NonNullable<ContainerRecord['healthCheck']> } {
  const healthCheck = { ...image.Healthcheck, ...request.healthCheck };
  return healthCheck.Test?.length ? { healthCheck } : {};
}
