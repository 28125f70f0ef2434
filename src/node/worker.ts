import type { Clock, Logger, Random } from '#base';
import type { Container, Engine } from '#engine';
import { type NetworkPlane, networkRecords } from '#network';
import { runReconcilers } from '#reconcile';
import type { Store } from '#store';
import { type SandboxCgroups, linuxCgroups } from './cgroups.ts';
import type { WorkerContext } from './context.ts';
import { sandboxOf } from './identity.ts';
import { instanceReconciler } from './instance-reconciler.ts';
import { instanceRecords } from './instances.ts';
import { LocalSandboxes } from './local.ts';
import { LogForwarders } from './logs/forwarders.ts';
import type { SandboxServices } from './ports.ts';
import { sandboxReconciler } from './reconciler.ts';
import { register } from './registration.ts';
import { type Node, nodeRecords } from './sandbox.ts';

export { linuxCgroups, type SandboxCgroups };

export interface NodeWorkerOptions {
  readonly store: Store;
  /** Started before the worker, stopped after it; likewise `network`. */
  readonly engine: Engine;
  readonly network: NetworkPlane;
  readonly services: SandboxServices;
  /** The nodes that this machine stands for, one a zone. */
  readonly nodes: readonly Node[];
  /** Holds a folder for each sandbox. */
  readonly stateDirectory: string;
  /** The cgroup beneath which sandboxes get theirs. Default `/dabba`. */
  readonly cgroupParent?: string;
  readonly cgroups?: SandboxCgroups;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** Runs the sandboxes that schedulers assign to this machine's nodes. */
export interface NodeWorker {
  /** Announces the nodes and takes up work; resolves when they are announced. */
  start(): Promise<void>;
  /** Lets go: what runs goes on, and the next worker finds it. */
  stop(): Promise<void>;
  /** How many sandboxes hold something on this machine. */
  sandboxes(): Promise<number>;
  /** True if the container belongs to a sandbox, and not to a user of the engine. */
  owns(container: Container): boolean;
}

export function createNodeWorker(options: NodeWorkerOptions): NodeWorker {
  const { store, engine, network, services, nodes, clock, random } = options;
  const logger = options.logger.with({ part: 'node' });
  const local = new LocalSandboxes(options.stateDirectory);
  const logs = new LogForwarders({ containers: engine.containers, services, local, clock, logger });
  const context: WorkerContext = {
    records: nodeRecords(store),
    networkInterfaces: networkRecords(store).networkInterfaces,
    engine,
    network,
    services,
    cgroups: options.cgroups ?? linuxCgroups(),
    cgroupParent: options.cgroupParent ?? '/dabba',
    local,
    logs,
    clock,
    random,
    logger,
  };
  const stopping = new AbortController();
  const { signal } = stopping;
  let running: readonly Promise<void>[] = [];
  return {
    async start() {
      await local.open();
      const { ended } = await register({ store, records: context.records, nodes, clock, logger, signal });
      const machineIds = new Set(nodes.map(({ machineId }) => machineId));
      const instances = instanceRecords(store);
      const reconcilers = [
        sandboxReconciler(context, nodes),
        ...[...machineIds].map((machineId) => instanceReconciler({ ...context, instances }, machineId)),
      ];
      running = [ended, runReconcilers({ store, reconcilers, clock, random, logger, signal })];
    },
    async stop() {
      stopping.abort();
      await Promise.all(running);
      await logs.close();
    },
    sandboxes: async () => (await local.keys()).length,
    owns: ({ create }) => sandboxOf(create.labels) !== undefined,
  };
}
