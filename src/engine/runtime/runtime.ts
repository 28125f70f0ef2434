import type { Clock, Logger, Random } from '#base';
import type { ImageInternals } from '../image/internals.ts';
import type { EventHub } from '../events.ts';
import type { ContainerNetworks } from '../ports.ts';
import type { VolumeSet } from '../volume/volumes.ts';
import type { Cgroups } from './cgroups.ts';
import type { MonitorSettings } from './conmon.ts';
import type { Limiter } from '../limiter.ts';
import type { Runc } from './runc.ts';
import type { MachineLimits } from './spec/limits.ts';

/** What every part of the runtime works with. Made once, by `openContainers`. */
export interface Runtime {
  /** Container folders, one an id. */
  readonly containersDirectory: string;
  /** OCI bundles, under a path short enough for sockets. */
  readonly bundlesDirectory: string;
  readonly execsDirectory: string;
  /** Mounts with mapped ids, while containers start. */
  readonly mappedDirectory: string;
  /** Parent of the containers' cgroups, unless they name another. */
  readonly cgroupParent: string;
  readonly images: ImageInternals;
  readonly volumes: VolumeSet;
  readonly networks: ContainerNetworks;
  readonly monitor: MonitorSettings;
  readonly runc: Runc;
  readonly cgroups: Cgroups;
  readonly limits: MachineLimits;
  /** Of the starts that are under way at once. */
  readonly starts: Limiter;
  /** Attachments and execs still under way; closed when the engine lets go. */
  readonly openStreams: Set<AsyncDisposable>;
  readonly events: EventHub;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}
