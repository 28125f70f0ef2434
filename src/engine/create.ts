import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DabbaError, type Clock, type Logger, type Random } from '#base';
import { openDiskBlobStore } from '#blob';
import { createBuilder, type DockerfileBuilder } from './build/index.ts';
import type { Builder, ContainerFiles, Containers, Engine, EngineEvent, Images, Networks, Volumes } from './engine.ts';
import { EventHub } from './events.ts';
import { DiskReserve } from './disk-space.ts';
import { announceImages } from './image-events.ts';
import { LocalContainerFiles } from './files/container-files.ts';
import { openImages } from './image/images.ts';
import type { ImageUsers } from './image/internals.ts';
import { openArchives } from './layer/worker-archives.ts';
import { NetworkSet } from './network/networks.ts';
import type { ContainerNetworks, RegistryResolver } from './ports.ts';
import { openContainers, type OpenContainers } from './runtime/open.ts';
import { openSnapshots } from './snapshot/snapshots.ts';
import { VolumeSet } from './volume/volumes.ts';

export interface EngineOptions {
  /** Holds `blobs/ layers/ images/ containers/ volumes/ build/`, on one file system. One engine at a time. */
  readonly directory: string;
  /** Sockets and the runtime's records; a short path under /run, which may vanish with a reboot. */
  readonly runtimeDirectory: string;
  readonly resolver: RegistryResolver;
  readonly networks: ContainerNetworks;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Tells this engine from others on the machine; in names the kernel keeps, e.g. the cgroup `/dabba-<instance>`. */
  readonly instance: string;
}

/** Makes the engine of one machine. Nothing is touched before `start`, or a `destroy` without it, which ends what a dead engine left. */
export function createEngine(options: EngineOptions): Engine {
  return new LocalEngine(options);
}

/** What `start` opens. */
interface Parts {
  readonly images: Images;
  readonly containers: OpenContainers;
  readonly networks: Networks;
  readonly volumes: Volumes;
  readonly files: ContainerFiles;
  readonly builder: DockerfileBuilder;
  readonly scope: AsyncDisposableStack;
}

class LocalEngine implements Engine {
  readonly images: Images = forwarding(() => this.#opened().images);
  readonly containers: Containers = forwarding(() => this.#opened().containers.containers);
  readonly volumes: Volumes = forwarding(() => this.#opened().volumes);
  readonly files: ContainerFiles = forwarding(() => this.#opened().files);
  readonly networks: Networks = forwarding(() => this.#opened().networks);
  readonly builder: Builder = forwarding(() => this.#opened().builder);
  readonly #options: EngineOptions;
  readonly #events: EventHub;
  #parts: Parts | undefined;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#events = new EventHub(options.clock);
  }

  events(signal: AbortSignal): AsyncIterable<EngineEvent> {
    return this.#events.subscribe(signal);
  }

  async start(): Promise<void> {
    if (this.#parts) return;
    this.#parts = await openParts(this.#options, this.#events, false);
    await this.#parts.builder.start();
    await this.#parts.containers.containers.startByPolicy();
  }

  async stop(): Promise<void> {
    await this.#parts?.scope.disposeAsync();
    this.#parts = undefined;
  }

  async destroy(): Promise<void> {
    const parts = this.#parts ?? (await openParts(this.#options, this.#events, true));
    this.#parts = parts;
    try {
      await parts.containers.destroy();
      await parts.builder.release();
    } finally {
      await this.stop();
    }
  }

  #opened(): Parts {
    if (!this.#parts) throw new DabbaError('Unavailable', 'the engine has not started');
    return this.#parts;
  }
}

/** A port whose calls go to what `current` gives at that moment, so that it can be handed out before there is anything behind it. */
function forwarding<Port extends object>(current: () => Port): Port {
  // The empty object stands for the port: every member is looked up in the present one.
  return new Proxy({} as Port, {
    get(_, name) {
      const port = current();
      const member: unknown = Reflect.get(port, name);
      return typeof member === 'function' ? (member.bind(port) as unknown) : member;
    },
  });
}

/** Opens everything below the engine's directory; what was opened is closed again, last first, when a later part fails or `scope` is disposed. */
async function openParts(options: EngineOptions, events: EventHub, isEnding: boolean): Promise<Parts> {
  const { directory, resolver, clock, random, logger } = options;
  await using opening = new AsyncDisposableStack();
  await mkdir(directory, { recursive: true, mode: 0o711 });
  const snapshots = opening.use(await openSnapshots({ directory, clock, random, logger }));
  const archives = opening.use(openArchives());
  const reserve = new DiskReserve(join(directory, 'reserve'));
  await reserve.take();
  const blobs = await openDiskBlobStore({ directory: join(directory, 'blobs'), clock, random });
  // Images ask who uses them, containers and builds are made from images: the answer is given once all three are there.
  const users: ImageUsers = {
    containersOf: (imageId) => containers.containers.containersOf(imageId),
    chainsInUse: async () => [...(await containers.containers.chainsInUse()), ...(await builder.chainsInUse())],
  };
  const internals = opening.use(
    await openImages({
      directory: join(directory, 'images'),
      blobs,
      snapshots,
      archives,
      resolver,
      users,
      reserve,
      clock,
      logger,
    }),
  );
  const volumes = new VolumeSet({
    directory: join(directory, 'volumes'),
    events,
    clock,
    random,
  });
  const containers = opening.use(
    await openContainers({
      ...options,
      directory: join(directory, 'containers'),
      images: internals,
      volumes,
      events,
      isEnding,
    }),
  );
  const networks = new NetworkSet({ ...options, containers: containers.containers, events });
  const images = announceImages(internals, events);
  const builder = createBuilder({
    directory: join(directory, 'build'),
    images,
    internals,
    archives,
    containers: containers.containers,
    steps: containers.containers,
    clock,
    random,
  });
  const files = new LocalContainerFiles({
    archives,
    containers: containers.containers,
    images: internals,
    clock,
  });
  return { images, containers, networks, volumes, files, builder, scope: opening.move() };
}
