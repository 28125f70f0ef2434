import { join } from 'node:path';
import { DabbaError, messageOf, type Clock, type Logger } from '#base';
import type { Store } from '#store';
import { formatCidr, parseCidr } from '../cidr.ts';
import { createForwarder, resolvConfServers } from '../dns/forwarder.ts';
import type { DnsZone } from '../dns/zone.ts';
import type { Cidr } from '../model.ts';
import type { NetworkPlane } from '../network.ts';
import { networkRecords } from '../records.ts';
import { Balancers } from './balancers.ts';
import { balancerNamesZone } from '../dns/balancer-names.ts';
import { Clusters } from './clusters.ts';
import { DesiredState } from './desired.ts';
import { EngineNetworks, type BridgeRecord } from './engine-networks.ts';
import { Fabrics } from './fabrics.ts';
import { HealthChecks } from './health-checks.ts';
import { Machine, type MachineRecord } from './machine.ts';
import { runNft as spawnNft, type RunNft } from './nft.ts';
import {
  RecordFolder,
  type ClusterRecord,
  type FabricRecord,
  type InterfaceRecord,
  type SandboxRecord,
} from './state.ts';
import { Vpcs } from './vpcs.ts';

export interface LinuxNetworkPlaneOptions {
  readonly store: Store;
  /** Where records are kept. */
  readonly stateDirectory: string;
  /** Where namespaces are mounted. Should not survive a reboot, since they do not. */
  readonly runtimeDirectory: string;
  /** The pool of public addresses, which this plane routes on this machine. */
  readonly publicCidr: Cidr;
  /** Name of this daemon among those of the machine: one to six lower-case letters and digits. Part of link and table names. */
  readonly instance: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Names that VPC resolvers answer before their own private ones. */
  readonly zones?: readonly DnsZone[];
  /** How nft is run. Default: `nft -f -`, in the namespace by nsenter. */
  readonly runNft?: RunNft;
}

/**
 * The network plane over Linux network namespaces, veth pairs, nftables and routes. It needs root and the programs nft and nsenter.
 * `start` throws `FailedPrecondition` when the public range is routed elsewhere; `destroy` works in a process that never started too.
 */
export function createLinuxNetworkPlane(options: LinuxNetworkPlaneOptions): NetworkPlane {
  const { store, stateDirectory, runtimeDirectory, instance, clock, logger } = options;
  if (!/^[a-z0-9]{1,6}$/.test(instance))
    throw new DabbaError('InvalidArgument', `"${instance}" is not a name of one to six lower-case letters and digits`);
  const runNft = options.runNft ?? spawnNft;
  const ending = new AbortController();
  const machineRecords = new RecordFolder<MachineRecord>(stateDirectory);
  const fabricRecords = new RecordFolder<FabricRecord>(join(stateDirectory, 'fabrics'));
  const interfaceRecords = new RecordFolder<InterfaceRecord>(join(stateDirectory, 'interfaces'));
  const networks = new RecordFolder<BridgeRecord>(join(stateDirectory, 'networks'), { isDurable: true });
  const sandboxRecords = new RecordFolder<SandboxRecord>(join(stateDirectory, 'sandboxes'));
  const clusterRecords = new RecordFolder<ClusterRecord>(join(stateDirectory, 'clusters'));
  const publicCidr = formatCidr(parseCidr(options.publicCidr));
  const published = () => bridges.targets();
  const untranslated = () => bridges.untranslated();
  const machine = new Machine({
    instance,
    publicCidr,
    records: machineRecords,
    runNft,
    logger,
    published,
    untranslated,
  });
  const forward = createForwarder(resolvConfServers(), ending.signal);
  const desired = new DesiredState({ store, clock, logger, signal: ending.signal, onChange: () => changes.wake() });
  const clusters = new Clusters({ records: clusterRecords, fabrics: () => fabrics });
  const records = networkRecords(store);
  const balancers = new Balancers({ desired, clusters });
  const zones = [...(options.zones ?? []), balancerNamesZone((name) => balancers.addressesOf(name))];
  const vpcs = new Vpcs({ desired, fabrics: () => fabrics, forward, zones, clusters, balancers });
  const checks = new HealthChecks({
    balancers,
    desired,
    fabrics: () => fabrics,
    record: async (id, health) =>
      await store.txn({
        compare: [records.targetGroups.ifPresent(id)],
        success: [records.targetHealth.put(id, health)],
      }),
    clock,
    logger,
  });
  const bridges = new EngineNetworks({
    machine,
    fabrics: () => fabrics,
    networks,
    sandboxes: sandboxRecords,
    forward,
    logger,
  });
  const fabrics = new Fabrics({
    machine,
    runNft,
    logger,
    namespaces: join(runtimeDirectory, 'netns'),
    fabricRecords,
    interfaceRecords,
    kinds: ({ kind }) => (kind === 'vpc' ? vpcs : bridges),
  });
  const changes = new Coalesced(async () => {
    await vpcs.onChange();
    checks.refresh();
  }, logger);
  const loadRecords = () => {
    for (const folder of [machineRecords, fabricRecords, interfaceRecords, networks, sandboxRecords, clusterRecords])
      folder.load();
  };
  const letGo = async () => {
    ending.abort();
    await changes.idle();
    await checks.stop();
    await bridges.letGo();
    await fabrics.stop();
  };

  return {
    bridges,
    clusters,
    async start() {
      loadRecords();
      await bridges.adoptSandboxes();
      await machine.start();
      await desired.start();
      fabrics.adopt(sandboxRecords.all().map(({ key }) => key));
      await bridges.mend();
      await vpcs.onChange();
      checks.refresh();
    },
    async attach(eni, namespace) {
      const attached = await vpcs.attach(eni, namespace);
      checks.refresh();
      return attached;
    },
    detach: async (id) => await vpcs.detach(id),
    attached: () => vpcs.attached(),
    serveLinkLocal: (address, port, onServer) => vpcs.addEndpoint({ address, port, onServer }),
    serveAt: (id, port, server) => vpcs.serveAt(id, port, server),
    async stop() {
      await letGo();
      machine.stop();
    },
    async destroy() {
      await letGo();
      loadRecords();
      await fabrics.destroy();
      for (const { key } of sandboxRecords.all()) sandboxRecords.delete(key);
      for (const { key } of clusterRecords.all()) clusterRecords.delete(key);
      await machine.destroy();
      machine.stop();
    },
  };
}

/** Runs an action after it was asked for, once for many askings, and never twice at a time. */
class Coalesced {
  readonly #action: () => Promise<void>;
  readonly #logger: Logger;
  #isWanted = false;
  #running: Promise<void> | undefined;

  constructor(action: () => Promise<void>, logger: Logger) {
    this.#action = action;
    this.#logger = logger;
  }

  wake(): void {
    this.#isWanted = true;
    this.#running ??= this.#run();
  }

  async idle(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    await Promise.resolve();
    while (this.#isWanted) {
      this.#isWanted = false;
      try {
        await this.#action();
      } catch (error) {
        this.#logger.error('a change of the network records could not be applied', { error: messageOf(error) });
      }
    }
    this.#running = undefined;
  }
}
