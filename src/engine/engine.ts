import type { Digest } from '#base';
import type { ContainerStats } from './stats.ts';
import type { ContainerFiles } from './files.ts';
import type { ImportOptions, LoadedImage, LoadOptions, Platform, RemoteImage } from './image-archive.ts';
import type { Volumes } from './volumes.ts';

export type * from './files.ts';
export type * from './image-archive.ts';

export type * from './stats.ts';
export type * from './volumes.ts';
import type { Builder } from './builder.ts';

export type * from './builder.ts';
import type {
  ContainerEndpoint,
  EndpointCreate,
  Networks,
  PortProtocol,
  PortRequest,
  PublishedPort,
} from './networks.ts';

export type * from './networks.ts';

/**
 * The container engine of one machine: images, containers, builds. It speaks neither Docker nor CRI; `docker/` and `node/` translate.
 *
 * **Vocabulary.** OCI's: *manifest, descriptor, digest, diff ID, chain ID, layer*. An *image reference* is `[host/]name[:tag|@digest]`,
 * normalised as Docker does (`debian` is `docker.io/library/debian:latest`). An *image* is named by the digest of its config (the image ID).
 * A *container* is one image plus one read/write layer, created, running or stopped. An *exec* is a further process in a running container.
 *
 * **Lifecycle.** All truth is on disk under the engine's directory. Containers are children of conmon, not of us: they outlive the process.
 * `start` of the engine rescans, adopts what runs, collects exits that happened meanwhile, and removes what was half made. `stop` lets go
 * and leaves containers running. `destroy` ends everything that runs and leaves no process, mount or cgroup; containers stay on disk as
 * `exited` with their read/write layer, and a restart policy brings them back at the next `start`. It may be called without `start`.
 * `images`, `containers`, `volumes` and `builder` may be handed on at once; until `start` their methods throw `Unavailable`.
 *
 * **Example.** `await engine.images.pull(ref, { credentials, signal })`, `const c = await engine.containers.create({ image: ref, … })`,
 * `await engine.containers.start(c.id)`, `const { exitCode } = await engine.containers.wait(c.id, 'stopped', signal)`.
 *
 * Errors are `DabbaError`: `NotFound`, `AlreadyExists` (name in use), `Conflict` (wrong state), `InvalidArgument`, `PermissionDenied` and
 * `Unauthenticated` (a registry said no), `Unavailable` (registry or kernel), `ResourceExhausted` (disk full), `Unimplemented`.
 */
export interface Engine {
  readonly images: Images;
  readonly containers: Containers;
  readonly networks: Networks;
  readonly volumes: Volumes;
  readonly files: ContainerFiles;
  readonly builder: Builder;
  /** Image, container and volume events from now on, as they happen. */
  events(signal: AbortSignal): AsyncIterable<EngineEvent>;
  start(): Promise<void>;
  stop(): Promise<void>;
  destroy(): Promise<void>;
}

export interface RegistryCredentials {
  readonly username: string;
  readonly password: string;
}

export interface TransferOptions {
  readonly credentials?: RegistryCredentials;
  readonly signal: AbortSignal;
  /** Progress, throttled; one call per change of a layer's state or every 100 ms. */
  readonly onProgress?: (progress: LayerProgress) => void;
}

export interface LayerProgress {
  readonly digest: Digest;
  readonly state: 'waiting' | 'exists' | 'transferring' | 'transferred' | 'unpacking' | 'done';
  readonly currentBytes?: number;
  readonly totalBytes?: number;
}

export interface Images {
  /**
   * Fetches an image from its registry, verifies every digest, unpacks its layers. What is here already is not fetched again. Of an index
   * the machine's own platform is taken unless another is asked for; one that is absent is `NotFound`.
   */
  pull(reference: string, options: TransferOptions & { readonly platform?: Platform }): Promise<Image>;
  /** Uploads what the registry lacks, then the manifest. Returns the manifest's digest and size. */
  push(reference: string, options: TransferOptions): Promise<{ readonly digest: Digest; readonly sizeBytes: number }>;
  /** Asks the registry whether these credentials are good; returns its word for it. Throws `Unauthenticated`. */
  login(host: string, credentials: RegistryCredentials, signal: AbortSignal): Promise<string>;
  /** By reference, image ID, or unambiguous ID prefix. Undefined if absent. */
  find(nameOrId: string): Promise<Image | undefined>;
  list(): Promise<readonly Image[]>;
  tag(nameOrId: string, reference: string): Promise<void>;
  /** Removes a tag, and the image with its last one. Throws `Conflict` while a container uses it, unless `force`. */
  remove(nameOrId: string, options?: { readonly force?: boolean }): Promise<readonly RemovedImage[]>;
  /** Makes a one-layer image from a root filesystem tar (`docker import`), plain, gzip or zstd. */
  importRootfs(tar: AsyncIterable<Uint8Array>, options: ImportOptions): Promise<Image>;
  /** Unpacked bytes of each layer of an image, lowest first. */
  layerSizes(image: Image): Promise<readonly number[]>;
  /**
   * An archive of images: an OCI layout that is Docker's `manifest.json` form too. A repository without a tag stands for all of its tags, an ID
   * for the image without names. Each piece is valid until the next is asked for. Throws `NotFound` before the first byte.
   */
  save(namesOrIds: readonly string[], signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
  /** Takes in the images of an archive (OCI layout, `docker save`), plain, gzip or zstd. Every digest named is verified. */
  load(archive: AsyncIterable<Uint8Array>, options: LoadOptions): Promise<readonly LoadedImage[]>;
  /** Asks the registry what a reference leads to, without fetching it. */
  lookUp(reference: string, options: Pick<TransferOptions, 'credentials' | 'signal'>): Promise<RemoteImage>;
}

export type RemovedImage = { readonly untagged: string } | { readonly deleted: string };

/** The runtime part of an OCI image config (image-spec, "config", `config` member) with Docker's additions. */
export interface ImageConfig {
  readonly User?: string;
  readonly ExposedPorts?: { readonly [port: string]: object };
  readonly Env?: readonly string[];
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly Volumes?: { readonly [path: string]: object };
  readonly WorkingDir?: string;
  readonly Labels?: { readonly [name: string]: string };
  readonly StopSignal?: string;
  readonly Shell?: readonly string[];
  readonly Healthcheck?: {
    readonly Test?: readonly string[];
    readonly Interval?: number;
    readonly Timeout?: number;
    readonly StartPeriod?: number;
    readonly StartInterval?: number;
    readonly Retries?: number;
  };
  readonly OnBuild?: readonly string[];
}

export interface Image {
  /** Digest of the config. */
  readonly id: Digest;
  /** Normalised references that point here, e.g. `docker.io/library/debian:latest`. */
  readonly references: readonly string[];
  /** `repository@digest` under which it was pulled or pushed. */
  readonly repoDigests: readonly string[];
  readonly config: ImageConfig;
  readonly architecture: string;
  readonly os: string;
  readonly createdAt: number;
  readonly author?: string;
  readonly diffIds: readonly Digest[];
  readonly history: readonly {
    readonly created?: string;
    readonly created_by?: string;
    readonly empty_layer?: boolean;
    readonly comment?: string;
    /** Key of the build step that gave it, by which another build finds the step (`BuildRequest.cacheSources`). Images built elsewhere have none. */
    readonly cache_key?: string;
  }[];
  /** Unpacked size of all layers. */
  readonly sizeBytes: number;
  /** When it was last pulled, made, loaded or tagged here. */
  readonly taggedAt?: number;
}

/** What a container is made from. Durations in ms, sizes in bytes. Absent members take the image's value or Docker's default. */
export interface ContainerCreate {
  readonly image: string;
  /** Unique; generated when absent. */
  readonly name?: string;
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  /** `NAME=value`; joined over the image's. */
  readonly environment?: readonly string[];
  readonly workingDirectory?: string;
  /** `user[:group]`, names or numbers. */
  readonly user?: string;
  readonly hostname?: string;
  readonly labels?: { readonly [name: string]: string };
  readonly isTty?: boolean;
  readonly isStdinOpen?: boolean;
  readonly isStdinOnce?: boolean;
  readonly isReadOnlyRoot?: boolean;
  readonly isPrivileged?: boolean;
  readonly isInitEnabled?: boolean;
  readonly network: ContainerNetwork;
  /** Ports of the machine that lead to it while it runs in networks of mode `bridge`. */
  readonly publishedPorts?: readonly PortRequest[];
  /** Each exposed port gets some free port of the machine. */
  readonly isEveryPortPublished?: boolean;
  /** Beyond the image's. */
  readonly exposedPorts?: readonly ExposedPort[];
  readonly mounts?: readonly Mount[];
  readonly resources?: Resources;
  readonly capabilities?: { readonly add?: readonly string[]; readonly drop?: readonly string[] };
  readonly ulimits?: readonly { readonly name: string; readonly soft: number; readonly hard: number }[];
  readonly sysctls?: { readonly [name: string]: string };
  readonly restartPolicy?: {
    readonly name: 'no' | 'always' | 'unless-stopped' | 'on-failure';
    readonly maximumRetryCount?: number;
  };
  readonly stopSignal?: string;
  readonly stopTimeoutMs?: number;
  readonly isRemovedOnExit?: boolean;
  /** Parent cgroup path; default the engine's own. */
  readonly cgroupParent?: string;
  readonly healthCheck?: ImageConfig['Healthcheck'];
  readonly oomScoreAdj?: number;
  readonly domainname?: string;
  readonly namespaces?: SharedNamespaces;
  /** Size of /dev/shm. */
  readonly sharedMemoryBytes?: number;
  /** Groups of the process beyond its user's own, names or numbers. */
  readonly supplementaryGroups?: readonly string[];
  readonly devices?: readonly DeviceMapping[];
  /** Further rules of the devices cgroup, e.g. `c 10:200 rwm`. */
  readonly deviceRules?: readonly string[];
  /** Set-user-ID bits and the like give no process of it more than it has. */
  readonly isPrivilegeGainForbidden?: boolean;
  /** `unconfined`, or the text of a profile in Docker's JSON; default Docker's own. */
  readonly seccomp?: string;
  /** Instead of Docker's: paths hidden from it, and paths it may only read. */
  readonly maskedPaths?: readonly string[];
  readonly readonlyPaths?: readonly string[];
  readonly resolution?: Resolution;
  readonly links?: readonly ContainerLink[];
  readonly log?: LogLimits;
  /** Containers whose mounts it gets too, where it has none of its own. */
  readonly mountsFrom?: readonly { readonly container: string; readonly isReadOnly?: boolean }[];
  /** Passed on in its OCI configuration. */
  readonly annotations?: { readonly [name: string]: string };
}

/** Namespaces not its own: the machine's, or those of another container, by id or name. */
export interface SharedNamespaces {
  readonly pid?: NamespaceOf;
  /** `shareable`: its own, which others may join. */
  readonly ipc?: NamespaceOf | 'shareable';
  readonly uts?: 'host';
  /** The machine's on cgroup v1, its own on v2, unless told. */
  readonly cgroup?: 'host' | 'private';
  /** Always the machine's; told only to be shown again. */
  readonly user?: 'host';
}

export type NamespaceOf = 'host' | { readonly container: string };

export interface DeviceMapping {
  readonly hostPath: string;
  readonly containerPath: string;
  /** Of `r`, `w`, `m`. */
  readonly permissions: string;
}

/** How it resolves names, beyond what its network says; given name servers, search domains and options replace the network's. */
export interface Resolution {
  readonly nameservers?: readonly string[];
  readonly searchDomains?: readonly string[];
  readonly options?: readonly string[];
  readonly hosts?: readonly { readonly address: string; readonly names: readonly string[] }[];
}

/** When the recorded output is cut: a file that grew to `maxSizeBytes` is put aside, and of `maxFiles` files the oldest goes. */
export interface LogLimits {
  /** Nothing is recorded: what nobody is attached to is lost. */
  readonly isOff?: boolean;
  readonly maxSizeBytes?: number;
  /** Default 1. */
  readonly maxFiles?: number;
}

/** `namespace`: a prepared one, e.g. of a sandbox; `bridge`: one of the engine's own networks; `none`: loopback alone; `host`: the machine's. */
export type ContainerNetwork =
  | {
      readonly mode: 'namespace';
      readonly path: string;
      readonly nameservers: readonly string[];
      readonly searchDomains: readonly string[];
      readonly hosts: readonly { readonly address: string; readonly names: readonly string[] }[];
    }
  | {
      readonly mode: 'bridge';
      readonly network: string;
      /** Its networks with what is asked of each, `network` among them. Default: `network` alone. */
      readonly endpoints?: readonly EndpointCreate[];
    }
  | { readonly mode: 'none' }
  | { readonly mode: 'host' }
  /** Another container's, by id or name, with its host name and files of names. It must run whenever this one starts. */
  | { readonly mode: 'container'; readonly container: string };

/** Another container, by id or name, that is called by a further name. It must run when this one starts, in a network of both. */
export interface ContainerLink {
  readonly container: string;
  readonly alias: string;
}

export type Mount =
  | {
      readonly kind: 'bind';
      readonly source: string;
      readonly target: string;
      readonly isReadOnly?: boolean;
      /** mount_namespaces(7); default `rprivate`. */
      readonly propagation?: 'private' | 'rprivate' | 'shared' | 'rshared' | 'slave' | 'rslave';
      /** Without what is mounted beneath the source. */
      readonly isShallow?: boolean;
      /** Makes a source that is not there a directory, instead of failing. */
      readonly isSourceMade?: boolean;
    }
  | {
      readonly kind: 'volume';
      /** Empty for an anonymous one. */
      readonly name: string;
      readonly target: string;
      readonly isReadOnly?: boolean;
      /** An empty volume stays empty, instead of being filled from the image. */
      readonly isCopyLess?: boolean;
      /** A path within the volume to be mounted instead of all of it. */
      readonly subpath?: string;
      /** For a volume that this makes. */
      readonly labels?: { readonly [name: string]: string };
      readonly options?: { readonly [name: string]: string };
    }
  | {
      readonly kind: 'tmpfs';
      readonly target: string;
      readonly sizeBytes?: number;
      readonly mode?: number;
      /** Further words for mount(8), e.g. `exec`, `uid=1000`. */
      readonly options?: readonly string[];
    };

export interface Resources {
  readonly cpuShares?: number;
  /** Hard limit in thousandths of a core. */
  readonly cpuMillis?: number;
  readonly cpusetCpus?: string;
  readonly memoryBytes?: number;
  readonly memoryReservationBytes?: number;
  readonly memorySwapBytes?: number;
  /** Negative: none. */
  readonly pidsLimit?: number;
  readonly cpusetMems?: string;
  /** Instead of `cpuMillis`: time in each period, both in microseconds. */
  readonly cpuQuotaUs?: number;
  readonly cpuPeriodUs?: number;
  readonly cpuRealtimePeriodUs?: number;
  readonly cpuRealtimeRuntimeUs?: number;
  /** 0 to 100; cgroup v1 alone. */
  readonly memorySwappiness?: number;
  /** cgroup v1 alone. */
  readonly isOomKillDisabled?: boolean;
  /** 10 to 1000. */
  readonly blockWeight?: number;
  readonly blockLimits?: readonly BlockLimit[];
}

/** A bound on one block device; bytes or operations a second, or its weight. */
export interface BlockLimit {
  readonly kind: 'read-bytes' | 'write-bytes' | 'read-operations' | 'write-operations' | 'weight';
  readonly device: string;
  readonly value: number;
}

export interface ExposedPort {
  readonly containerPort: number;
  readonly protocol: PortProtocol;
}

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

/** A mount as it was made: every volume has its name and place. */
export type ContainerMount =
  | Exclude<Mount, { readonly kind: 'volume' }>
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

export interface LogOptions {
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly follow: boolean;
  /** Only the last lines. */
  readonly tail?: number;
  /** Milliseconds since the epoch. */
  readonly since?: number;
  readonly until?: number;
  /** Byte position in the log to start from, as an earlier entry gave it; for exact resumption. */
  readonly fromPosition?: number;
  readonly signal: AbortSignal;
}

/** One line of output without its newline, or, when `isPartial`, a piece of a line still being written. */
export interface LogEntry {
  /** Nanoseconds since the epoch. */
  readonly atNs: bigint;
  readonly stream: 'stdout' | 'stderr';
  readonly data: Buffer;
  readonly isPartial: boolean;
  /** Byte position behind this entry. */
  readonly nextPosition: number;
}

export interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
}

export interface AttachOptions {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

/** Both directions of a process. `output` ends when the process closes its streams. */
export interface Attachment extends AsyncDisposable {
  readonly output: AsyncIterable<{ readonly stream: 'stdout' | 'stderr'; readonly data: Buffer }>;
  /** Resolves when the bytes were taken. */
  write(data: Uint8Array): Promise<void>;
  /** End of input. */
  closeInput(): Promise<void>;
}

export interface ExecCreate {
  readonly args: readonly string[];
  readonly environment?: readonly string[];
  readonly workingDirectory?: string;
  readonly user?: string;
  readonly isTty?: boolean;
  readonly isPrivileged?: boolean;
  readonly stdin: boolean;
  /** Nobody is to read its output, so the process need not end with us. */
  readonly isDetached?: boolean;
}

/** A further process. Its streams are pipes of ours, which end with us; those of a terminal or a detached process are conmon's, and outlive us. */
export interface Exec {
  readonly id: string;
  readonly pid: number;
  readonly attachment: Attachment;
  resize(size: TerminalSize): Promise<void>;
  /** Resolves when the process has ended. */
  wait(signal: AbortSignal): Promise<{ readonly exitCode: number }>;
}

export interface EngineEvent {
  readonly at: number;
  readonly type: 'container' | 'image' | 'volume' | 'network';
  /** Docker's words: create, start, die, destroy, oom, kill, exec_start, pull, push, tag, untag, delete, … */
  readonly action: string;
  readonly id: string;
  readonly attributes: { readonly [name: string]: string };
}
