import type { IdMapping } from '#kernel';
import type { ImageConfig } from './images.ts';
import type { EndpointCreate, PortProtocol, PortRequest } from './networks.ts';

export type { IdMapping, IdRange } from '#kernel';

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
  /** `shareable`: its own, which others may join; a path: a prepared one, e.g. of a sandbox. */
  readonly ipc?: NamespaceOf | 'shareable' | { readonly path: string };
  readonly uts?: 'host';
  /** The machine's on cgroup v1, its own on v2, unless told. */
  readonly cgroup?: 'host' | 'private';
  /**
   * The machine's unless ids are mapped: then its own, or that of the containers whose namespaces it shares, which must map the same. What it and its
   * volumes hold on disk keeps the ids that it sees, so others share the layers. `host` is told only to be shown again.
   */
  readonly user?: 'host' | IdMapping;
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

/** Another container, by id or name (kept by its name), that is called by a further name. It must run when this one starts, in a network of both. */
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
      /** Where the container maps ids, those of the source's files are the container's, not the machine's. */
      readonly isMapped?: boolean;
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
    }
  | {
      /** The files of an image, read-only. The image is in use for as long as the container exists. */
      readonly kind: 'image';
      /** Reference or id of an image that is here. */
      readonly image: string;
      readonly target: string;
      /** A path within the image to be mounted instead of all of it. */
      readonly subpath?: string;
      /** Nothing in it can be run. */
      readonly isDataOnly?: boolean;
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
