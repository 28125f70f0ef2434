/** What a running container uses at one moment. Counters grow from its start on; nanoseconds beyond 2^53 lose their last digits. */
export interface ContainerStats {
  readonly at: number;
  readonly cpu: {
    readonly usageNs: number;
    readonly userNs: number;
    readonly systemNs: number;
    /** By processor; cgroup v1 alone counts so. */
    readonly perCpuNs?: readonly number[];
    /** Enforcement periods of its quota, those in which it was held back, and for how long. */
    readonly periods: number;
    readonly throttledPeriods: number;
    readonly throttledNs: number;
    /** Of the whole machine, idle time included. */
    readonly machineNs: number;
    readonly onlineCpus: number;
  };
  readonly memory: {
    readonly usageBytes: number;
    /** cgroup v1 alone remembers it, and how often the limit was met. */
    readonly highestUsageBytes?: number;
    readonly failures?: number;
    /** Its limit, or the machine's memory. */
    readonly limitBytes: number;
    /** The kernel's own `memory.stat`. */
    readonly details: { readonly [name: string]: number };
  };
  readonly pids: { readonly current: number; readonly limit?: number };
  readonly blockBytes: readonly BlockCount[];
  readonly blockOperations: readonly BlockCount[];
  /** By interface of its own network namespace; absent in the machine's. */
  readonly networks?: { readonly [name: string]: NetworkCounts };
}

export interface BlockCount {
  readonly major: number;
  readonly minor: number;
  /** `Read`, `Write`, and on v1 `Sync`, `Async`, `Discard`, `Total`. */
  readonly operation: string;
  readonly count: number;
}

export interface NetworkCounts {
  readonly receivedBytes: number;
  readonly receivedPackets: number;
  readonly receiveErrors: number;
  readonly receiveDrops: number;
  readonly sentBytes: number;
  readonly sentPackets: number;
  readonly sendErrors: number;
  readonly sendDrops: number;
}
