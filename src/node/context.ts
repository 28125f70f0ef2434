import type { Clock, Logger, Random } from '#base';
import type { Engine } from '#engine';
import type { NetworkInterface, NetworkPlane } from '#network';
import type { Collection } from '#store';
import type { SandboxCgroups } from './cgroups.ts';
import type { LocalSandboxes } from './local.ts';
import type { LogForwarders } from './logs/forwarders.ts';
import type { SandboxServices } from './ports.ts';
import type { NodeRecords } from './sandbox.ts';

/** What every step of a sandbox's life works with. */
export interface WorkerContext {
  readonly records: NodeRecords;
  readonly networkInterfaces: Collection<NetworkInterface>;
  readonly engine: Engine;
  readonly network: NetworkPlane;
  readonly services: SandboxServices;
  readonly cgroups: SandboxCgroups;
  /** The cgroup that holds every sandbox of this worker. */
  readonly cgroupParent: string;
  readonly local: LocalSandboxes;
  readonly logs: LogForwarders;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}
