import type { Digest } from '#base';
import type { ContainerCreate, ExposedPort, Mount, Resources } from './container-create.ts';
import type { ContainerEndpoint, PublishedPort } from './networks.ts';
import type { ContainerStats } from './stats.ts';
import type { Attachment, AttachOptions, Exec, ExecCreate, LogEntry, LogOptions, TerminalSize } from './streams.ts';

export interface Container {
  readonly id: string;
  readonly name: string;
  readonly create: ContainerCreate;
  readonly imageId: Digest;
  /** What was asked and what the image gives, joined: what the process is started with. */
  readonly process: {
    readonly args: readonly string[];
    readonly environment: readonly string[];
    readonly workingDirectory: string;
    readonly user: string;
  };
  readonly mounts: readonly ContainerMount[];
  readonly state: ContainerState;
  readonly restartCount: number;
  readonly createdAt: number;
  readonly address?: {
    readonly network: string;
    readonly ip: string;
    readonly prefixLength: number;
    readonly gateway: string;
  };
  /** Its networks, in mode `bridge`. */
  readonly endpoints: readonly ContainerEndpoint[];
  /** By its image and by request. */
  readonly exposedPorts: readonly ExposedPort[];
  /** While it runs. */
  readonly publishedPorts: readonly PublishedPort[];
  /** Requests the machine could not grant in full, e.g. a clamped rlimit. */
  readonly warnings: readonly string[];
  /** Where its files are on this machine: the recorded output, in CRI's form, and what it finds in /etc while it runs. */
  readonly files: {
    readonly log: string;
    readonly hosts: string;
    readonly hostname: string;
    readonly resolvConf: string;
  };
}

/** A mount as it was made: every volume has its name and place, every image its id. */
export type ContainerMount =
  | Exclude<Mount, { readonly kind: 'volume' | 'image' }>
  | (Extract<Mount, { readonly kind: 'image' }> & { readonly imageId: Digest })
  | (Omit<Extract<Mount, { readonly kind: 'volume' }>, 'labels' | 'options'> & {
      readonly source: string;
      readonly isAnonymous: boolean;
    });

export interface ContainerState {
  readonly status: 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead';
  readonly pid?: number;
  readonly exitCode?: number;
  readonly isOutOfMemory: boolean;
  readonly error?: string;
  readonly startedAt?: number;
  readonly finishedAt?: number;
  readonly health?: {
    readonly status: 'starting' | 'healthy' | 'unhealthy';
    readonly failingStreak: number;
    readonly log: readonly {
      readonly startAt: number;
      readonly endAt: number;
      readonly exitCode: number;
      readonly output: string;
    }[];
  };
}

export interface Containers {
  create(request: ContainerCreate): Promise<Container>;
  start(id: string): Promise<void>;
  /**
   * Sends the stop signal, then SIGKILL after the timeout; resolves when it has ended. Stopping a stopped container succeeds. Aborting `letGo`
   * ends the waiting and rejects: the signal was sent, the SIGKILL will not be.
   */
  stop(id: string, options?: StopOptions): Promise<void>;
  /** Freezes every process of it. Throws `Conflict` unless it runs, or when it is paused already. */
  pause(id: string): Promise<void>;
  /** Throws `Conflict` unless it is paused. */
  unpause(id: string): Promise<void>;
  /** Changes limits or the restart policy, of a running container at once. Members that are absent stay as they are. */
  update(id: string, change: ContainerUpdate): Promise<{ readonly warnings: readonly string[] }>;
  /** Bytes of its read/write layer. */
  sizeOf(id: string): Promise<number>;
  /** What it uses at this moment; undefined when it does not run. */
  stats(id: string): Promise<ContainerStats | undefined>;
  /** `signal` by name (`SIGTERM`, `TERM`) or number. Throws `Conflict` unless running. */
  kill(id: string, signal: string): Promise<void>;
  /** Throws `Conflict` while it runs, unless `force`. */
  remove(id: string, options?: { readonly force?: boolean; readonly removeVolumes?: boolean }): Promise<void>;
  /** By id, unambiguous id prefix, or name. */
  find(idOrName: string): Promise<Container | undefined>;
  list(): Promise<readonly Container[]>;
  rename(id: string, name: string): Promise<void>;
  /** Resolves when the condition is met: not running, next exit, or removed. */
  wait(
    id: string,
    condition: 'not-running' | 'next-exit' | 'removed',
    signal: AbortSignal,
  ): Promise<{ readonly exitCode: number }>;
  /** Recorded output, then with `follow` what comes, until the container ends. */
  logs(id: string, options: LogOptions): AsyncIterable<LogEntry>;
  /** Live streams of the container's first process. May be called before `start`. */
  attach(id: string, options: AttachOptions): Promise<Attachment>;
  /** Terminal size in cells. */
  resize(id: string, size: TerminalSize): Promise<void>;
  exec(id: string, request: ExecCreate): Promise<Exec>;
  /** Processes inside, as `ps` columns. */
  top(
    id: string,
    psArguments: readonly string[],
  ): Promise<{ readonly titles: readonly string[]; readonly processes: readonly (readonly string[])[] }>;
}

export interface StopOptions {
  readonly timeoutMs?: number;
  /** Instead of the container's own stop signal. */
  readonly signal?: string;
  readonly letGo?: AbortSignal;
}

export interface ContainerUpdate {
  readonly resources?: Resources;
  readonly restartPolicy?: NonNullable<ContainerCreate['restartPolicy']>;
}
