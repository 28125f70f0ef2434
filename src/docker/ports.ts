import type { Clock, Logger, Random } from '#base';
import type { Engine, IdMapping } from '#engine';

/** What the Docker API is made from. */
export interface DockerApiParts {
  readonly engine: Engine;
  readonly info: MachineInfo;
  /** What the ids of containers and of build steps are on the machine. Absent: themselves. */
  readonly idMapping?: IdMapping | undefined;
  /** Repositories of the local public gallery, as references name them (`docker search`). */
  readonly publicRepositories: () => Promise<readonly string[]>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** What the machine says of itself. */
export interface MachineInfo {
  readonly id: string;
  readonly hostName: string;
  readonly version: string;
  /** The engine's directory. */
  readonly rootDirectory: string;
  readonly operatingSystem: string;
  readonly kernelVersion: string;
  /** As Go names it: `amd64`. */
  readonly architecture: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly cgroupVersion: '1' | '2';
}
