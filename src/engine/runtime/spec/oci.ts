/** The members of an OCI runtime configuration (runtime-spec 1.0.2, config.md and config-linux.md) that we write. */
export interface OciSpec {
  readonly ociVersion: string;
  readonly process: OciProcess;
  readonly root: { readonly path: string; readonly readonly: boolean };
  readonly hostname?: string;
  readonly mounts: readonly OciMount[];
  readonly annotations?: { readonly [name: string]: string };
  readonly linux: OciLinux;
}

export interface OciProcess {
  readonly terminal: boolean;
  readonly user: OciUser;
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly capabilities: OciCapabilities;
  readonly rlimits: readonly OciRlimit[];
  readonly oomScoreAdj?: number;
  readonly noNewPrivileges: boolean;
}

export interface OciUser {
  readonly uid: number;
  readonly gid: number;
  readonly additionalGids: readonly number[];
}

export interface OciCapabilities {
  readonly bounding: readonly string[];
  readonly effective?: readonly string[];
  readonly permitted?: readonly string[];
}

export interface OciRlimit {
  readonly type: string;
  readonly soft: number;
  readonly hard: number;
}

export interface OciMount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

export interface OciDeviceRule {
  readonly allow: boolean;
  readonly type?: 'c' | 'b' | 'a';
  readonly major?: number;
  readonly minor?: number;
  readonly access: string;
}

export interface OciDevice {
  readonly path: string;
  readonly type: 'c' | 'b';
  readonly major: number;
  readonly minor: number;
  readonly fileMode: number;
  readonly uid: number;
  readonly gid: number;
}

export interface OciResources {
  readonly devices?: readonly OciDeviceRule[];
  readonly memory?: {
    readonly limit?: number;
    readonly reservation?: number;
    readonly swap?: number;
    readonly swappiness?: number;
    readonly disableOOMKiller?: boolean;
  };
  readonly cpu?: {
    readonly shares?: number;
    readonly quota?: number;
    readonly period?: number;
    readonly cpus?: string;
    readonly mems?: string;
    readonly realtimePeriod?: number;
    readonly realtimeRuntime?: number;
  };
  readonly pids?: { readonly limit: number };
  readonly blockIO?: {
    readonly weight?: number;
    readonly weightDevice?: readonly OciBlockWeight[];
    readonly throttleReadBpsDevice?: readonly OciBlockRate[];
    readonly throttleWriteBpsDevice?: readonly OciBlockRate[];
    readonly throttleReadIOPSDevice?: readonly OciBlockRate[];
    readonly throttleWriteIOPSDevice?: readonly OciBlockRate[];
  };
}

export interface OciBlockRate {
  readonly major: number;
  readonly minor: number;
  readonly rate: number;
}

export interface OciBlockWeight {
  readonly major: number;
  readonly minor: number;
  readonly weight: number;
}

export interface OciIdMapping {
  readonly containerID: number;
  readonly hostID: number;
  readonly size: number;
}

export interface OciLinux {
  readonly namespaces: readonly { readonly type: string; readonly path?: string }[];
  readonly uidMappings?: readonly OciIdMapping[];
  readonly gidMappings?: readonly OciIdMapping[];
  readonly cgroupsPath: string;
  readonly resources: OciResources;
  readonly devices?: readonly OciDevice[];
  readonly sysctl: { readonly [name: string]: string };
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
  readonly seccomp?: OciSeccomp;
  readonly rootfsPropagation?: string;
}

export interface OciSeccomp {
  readonly defaultAction: string;
  readonly defaultErrnoRet?: number;
  readonly architectures: readonly string[];
  readonly syscalls: readonly {
    readonly names: readonly string[];
    readonly action: string;
    readonly errnoRet?: number;
    readonly args?: readonly {
      readonly index: number;
      readonly value: number;
      readonly op: string;
      readonly valueTwo?: number;
    }[];
  }[];
}
