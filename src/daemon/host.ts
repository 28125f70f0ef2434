import { chmodSync, mkdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock, systemRandom, type Logger } from '#base';
import { createDockerApi } from '#docker';
import { createEngine, type Engine } from '#engine';
import type { NetworkPlane } from '#network';
import { createLinuxNetworkPlane } from '#network/linux';
import { createNodeWorker, type NodeWorker } from '#node/worker';
import {
  createEcsAgent,
  ENDPOINT_ADDRESS,
  ENDPOINT_PORT,
  LINK_LOCAL_ADDRESS,
  LINK_LOCAL_PORT,
  METADATA_ADDRESS,
  METADATA_PORT,
  POD_IDENTITY_ADDRESS,
  POD_IDENTITY_PORT,
  podIdentityServer,
  sandboxLocator,
  vpcRelay,
} from '#aws/agent';
import type { Store } from '#store';
import { publishedBaseImages } from './gallery-client.ts';
import { createHostKubernetes } from './host-kubernetes.ts';
import { defaultBridge, machineInfo } from './machine-info.ts';
import { machineNodes } from './nodes.ts';
import { localRegistries } from './registries.ts';
import type { Layout, Settings } from './settings.ts';
import type { HostStatus } from './status.ts';
import { callSocket } from './socket-api.ts';
import { subordinateIds } from './subordinate-ids.ts';
import { dialVpcService, type VpcService } from './vpc-services.ts';

/** How long sandboxes may take to end at a reset. */
const SANDBOX_END_MS = 10_000;

/** What runs on one machine: engine, network plane, node worker, Docker API. */
export interface Host {
  start(): Promise<void>;
  status(): Promise<HostStatus>;
  /** Removes every container, network and image that clients of the Docker API made; sandboxes go when their records do. */
  reset(): Promise<void>;
  /** Lets go: everything goes on running and is adopted by the next host. */
  stop(): Promise<void>;
  /** Ends everything that runs here and removes every kernel object. State on disk stays. */
  destroy(): Promise<void>;
}

/** The parts of a host that own kernel objects; `dabba down` after a crash needs these alone. */
export interface KernelParts {
  readonly engine: Engine;
  readonly plane: NetworkPlane;
}

/**
 * What containers write keeps there the ids that they see, also where those mean nobody on the machine: a program of root's with its set-user-ID bit is
 * among it when they like, and is not to be reached by the machine's own users.
 */
function closeToOthers(data: string): void {
  for (const name of ['engine', 'kubelets', 'node']) {
    const path = join(data, name);
    mkdirSync(path, { recursive: true });
    chmodSync(path, 0o700);
  }
}

export function composeKernelParts(layout: Layout, settings: Settings, store: Store, logger: Logger): KernelParts {
  mkdirSync(layout.runtime, { recursive: true, mode: 0o711 });
  closeToOthers(layout.data);
  const { instance } = layout;
  const common = { clock: systemClock, logger };
  const plane = createLinuxNetworkPlane({
    ...common,
    store,
    instance,
    stateDirectory: join(layout.data, 'network'),
    runtimeDirectory: join(layout.runtime, 'net'),
    publicCidr: settings.publicCidr,
  });
  const engine = createEngine({
    ...common,
    random: systemRandom,
    instance,
    directory: join(layout.data, 'engine'),
    runtimeDirectory: join(layout.runtime, 'c'),
    resolver: localRegistries(settings.port),
    networks: plane.bridges,
  });
  return { engine, plane };
}

/** Wires a host over `store`, which is the control plane's, out of process. */
export function composeHost(layout: Layout, settings: Settings, store: Store, logger: Logger): Host {
  const startedAt = systemClock.now();
  const { engine, plane } = composeKernelParts(layout, settings, store, logger);
  const nodes = machineNodes(startedAt);
  const nodeIds = nodes.map(({ id }) => id);
  const services = createEcsAgent({
    sandboxes: sandboxLocator(store, nodeIds),
    endpoint: `http://127.0.0.1:${settings.port}`,
    credentials: async (taskArn, role, signal) => {
      const query = new URLSearchParams({ task: taskArn, role });
      // The control plane answers what `Ecs.taskCredentials` gives.
      return (await callSocket(layout.controlSocket, `GET /credentials?${query}`, { signal })) as Awaited<
        ReturnType<Parameters<typeof createEcsAgent>[0]['credentials']>
      >;
    },
    clock: systemClock,
    logger,
  });
  const docker = createDockerApi({
    engine,
    info: machineInfo(layout),
    idMapping: subordinateIds(settings.usernsRemap),
    publicRepositories: async () =>
      (await publishedBaseImages(layout)).map((name) => `public.ecr.aws/docker/library/${name}`),
    clock: systemClock,
    random: systemRandom,
    logger,
  });
  plane.serveLinkLocal(
    POD_IDENTITY_ADDRESS,
    POD_IDENTITY_PORT,
    podIdentityServer({
      logger,
      credentials: async ({ vpcId, ...asking }, signal) => {
        const query = new URLSearchParams({ vpc: vpcId, ...asking });
        // The control plane answers what `Eks.podCredentials` gives.
        return (await callSocket(layout.controlSocket, `GET /pod-credentials?${query}`, { signal })) as Awaited<
          ReturnType<Parameters<typeof podIdentityServer>[0]['credentials']>
        >;
      },
    }),
  );
  const relay = (service: VpcService) =>
    vpcRelay({
      dial: async (caller, signal) => await dialVpcService(layout.vpcServicesSocket, { service, caller }, signal),
      logger,
    });
  plane.serveLinkLocal(ENDPOINT_ADDRESS, ENDPOINT_PORT, relay('aws'));
  plane.serveLinkLocal(METADATA_ADDRESS, METADATA_PORT, relay('metadata'));
  if (services.linkLocal) plane.serveLinkLocal(LINK_LOCAL_ADDRESS, LINK_LOCAL_PORT, services.linkLocal);
  const makeWorker = () =>
    createNodeWorker({
      store,
      engine,
      network: plane,
      services,
      nodes,
      stateDirectory: join(layout.data, 'node'),
      cgroupParent: `/dabba-${layout.instance}`,
      clock: systemClock,
      random: systemRandom,
      logger,
    });
  let worker: NodeWorker | undefined;
  const kubernetes = createHostKubernetes({
    layout,
    endpoint: `http://127.0.0.1:${settings.port}`,
    store,
    engine,
    plane,
    logger,
  });
  const released = new AsyncDisposableStack();

  return {
    async start() {
      // The engine attaches endpoints as it restarts containers by their policy.
      await plane.start();
      await plane.bridges.create(defaultBridge(layout, startedAt));
      await engine.start();
      released.use(await docker.listen(layout.dockerSocket));
      worker = makeWorker();
      await worker.start();
      await kubernetes.start();
    },
    async status() {
      const containers = await engine.containers.list();
      return {
        pid: process.pid,
        startedAt,
        containers: containers.filter(({ state }) => state.status === 'running').length,
      };
    },
    async reset() {
      const own = (await engine.containers.list()).filter(
        (container) => !worker?.owns(container) && !kubernetes.owns(container),
      );
      await Promise.all(
        own.map(async ({ id }) => await engine.containers.remove(id, { force: true, removeVolumes: true })),
      );
      await nothingLeft(async () => ((await worker?.sandboxes()) ?? 0) + (await kubernetes.nodes()));
      for (const network of await engine.networks.list())
        if (!network.isPredefined) await engine.networks.remove(network.id);
      for (const image of await engine.images.list()) await engine.images.remove(image.id, { force: true });
    },
    async stop() {
      await released.disposeAsync();
      await kubernetes.stop();
      await worker?.stop();
      await engine.stop();
      await plane.stop();
    },
    async destroy() {
      await released.disposeAsync();
      await kubernetes.stop();
      await worker?.stop();
      await engine.destroy();
      await kubernetes.destroy();
      await plane.destroy();
      await rm(layout.runtime, { recursive: true, force: true });
    },
  };
}

/** Resolves when what lost its record has been taken down: its images are in use until then. */
async function nothingLeft(count: () => Promise<number>): Promise<void> {
  const signal = AbortSignal.timeout(SANDBOX_END_MS);
  // The end of a sandbox or node is announced to the store alone, record by record.
  while ((await count()) > 0) await systemClock.sleep(20, signal);
}
