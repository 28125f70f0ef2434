/**
 * What runs on a node: the records through which schedulers (ECS today) and node workers speak. A scheduler writes a `SandboxSpec`, the
 * worker of that node alone writes its `SandboxStatus`; both are level-triggered. Deleting the spec ends the sandbox and forgets it.
 */
import { Collection, type Store } from '#store';

/** A place with bounded CPU and memory that runs sandboxes, in one availability zone. Written by its own worker. */
export interface Node {
  readonly id: string;
  /** Letter of the availability zone within any region: `a`, `b`, `c`. */
  readonly zoneLetter: string;
  readonly cpuUnits: number;
  readonly memoryMiB: number;
  /** The machine (host process) that carries it. */
  readonly machineId: string;
  readonly startedAt: number;
}

/** One network namespace with its own address, some containers, shared volumes, one identity, one cgroup. */
export interface SandboxSpec {
  readonly id: string;
  readonly nodeId: string;
  /** The account that owns it. */
  readonly tenant: string;
  readonly region: string;
  /** Running until told otherwise; `stopped` asks the worker to stop every container, in order, and keep the status. */
  readonly desired: 'running' | 'stopped';
  /** Id of the network interface record to attach (`network/`), looked up under `tenant/region`. */
  readonly networkInterfaceId?: string;
  readonly hostname?: string;
  /** Hard limits of the sandbox as a whole. 1024 CPU units are one core. */
  readonly cpuUnits?: number;
  readonly memoryMiB?: number;
  readonly volumes: readonly { readonly name: string }[];
  readonly containers: readonly ContainerSpec[];
  /** Whom the worker asks its ports for, e.g. for pull credentials, logs and credentials inside; opaque here (an ECS task ARN). */
  readonly identity: string;
  /** What the scheduler tells the room above the worker of this sandbox, e.g. for metadata served inside; opaque here. */
  readonly facts?: { readonly [name: string]: string };
}

export interface ContainerSpec {
  readonly name: string;
  readonly image: string;
  /** When an essential container ends, the whole sandbox stops. */
  readonly isEssential: boolean;
  readonly entryPoint?: readonly string[];
  readonly command?: readonly string[];
  readonly environment: { readonly [name: string]: string };
  readonly workingDirectory?: string;
  readonly user?: string;
  readonly cpuUnits?: number;
  readonly memoryMiB?: number;
  readonly memoryReservationMiB?: number;
  readonly isReadOnlyRoot?: boolean;
  readonly isPrivileged?: boolean;
  readonly isInitEnabled?: boolean;
  readonly isTty?: boolean;
  readonly capabilities?: { readonly add: readonly string[]; readonly drop: readonly string[] };
  readonly ulimits?: readonly { readonly name: string; readonly soft: number; readonly hard: number }[];
  readonly mounts: readonly { readonly volume: string; readonly path: string; readonly isReadOnly: boolean }[];
  readonly dependsOn: readonly {
    readonly container: string;
    readonly condition: 'START' | 'COMPLETE' | 'SUCCESS' | 'HEALTHY';
  }[];
  readonly healthCheck?: HealthCheck;
  readonly log?: { readonly driver: string; readonly options: { readonly [name: string]: string } };
  readonly stopTimeoutMs: number;
  readonly startTimeoutMs?: number;
  readonly labels: { readonly [name: string]: string };
}

/** As ECS and Docker define it: `CMD …` or `CMD-SHELL …`. */
export interface HealthCheck {
  readonly command: readonly string[];
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly retries: number;
  readonly startPeriodMs: number;
}

/** Observed state. Phases only move forward. */
export interface SandboxStatus {
  readonly id: string;
  readonly phase: 'preparing' | 'pulling' | 'starting' | 'running' | 'stopping' | 'stopped';
  readonly containers: readonly ContainerStatus[];
  /** Why it stopped or cannot start; set with phase `stopping` or `stopped`. */
  readonly failure?: SandboxFailure;
  readonly pullStartedAt?: number;
  readonly pullStoppedAt?: number;
  readonly startedAt?: number;
  readonly stoppedAt?: number;
}

/** `reason` is the field's own word, e.g. `CannotPullContainerError`, and `message` what follows it. */
export interface SandboxFailure {
  readonly kind: 'failed-to-start' | 'essential-container-exited' | 'requested' | 'node-lost';
  readonly reason?: string;
  readonly message: string;
}

export interface ContainerStatus {
  readonly name: string;
  readonly phase: 'pending' | 'running' | 'stopped';
  readonly runtimeId?: string;
  readonly imageDigest?: string;
  readonly health: 'unknown' | 'healthy' | 'unhealthy';
  readonly exitCode?: number;
  readonly isOutOfMemory?: boolean;
  readonly reason?: string;
  readonly startedAt?: number;
  readonly stoppedAt?: number;
}

/**
 * Where the records live. Spec and status ids are `<nodeId>/<tenant>/<sandboxId>`, so that a node's are one prefix and its worker needs
 * rights to nothing else. Node ids hold no `/`. A node's record dies with its lease.
 */
export interface NodeRecords {
  readonly nodes: Collection<Node>;
  readonly specs: Collection<SandboxSpec>;
  readonly statuses: Collection<SandboxStatus>;
}

export function nodeRecords(store: Store): NodeRecords {
  return {
    nodes: new Collection(store, 'node/nodes/'),
    specs: new Collection(store, 'node/specs/'),
    statuses: new Collection(store, 'node/statuses/'),
  };
}

/** The id of a sandbox's spec and status within their collections. */
export function sandboxKey(sandbox: { readonly nodeId: string; readonly tenant: string; readonly id: string }): string {
  return `${sandbox.nodeId}/${sandbox.tenant}/${sandbox.id}`;
}
