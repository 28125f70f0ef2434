import { messageOf } from '#base';
import type { Container, Image } from '#engine';
import type { AttachedInterface } from '#network';
import { asAllocated } from '../../allocated.ts';
import { pods } from '../../resources.ts';
import type * as types from '../../types.ts';
import type { KubeletContext } from '../context.ts';
import { type PodRef, podRefOf } from '../identity.ts';
import { PodProbes, type ProbeFailure } from '../probe/pod-probes.ts';
import type { Waiting } from '../status/container-status.ts';
import { PodStatusWriter } from '../status/writer.ts';
import { PodVolumes } from '../volume/volumes.ts';
import { type Allocation, withAllocation } from './allocation.ts';
import type { ContainerRole } from './containers.ts';
import { HostPorts } from './host-ports.ts';
import type { ResizeState } from './resize.ts';
import { Tasks } from './tasks.ts';
import { probeTarget } from './target.ts';

/** How the pull of a container's image stands. `attempt` is the run of the container that it is for. */
export type ImageState =
  | { readonly kind: 'here'; readonly image: Image; readonly attempt: number }
  | {
      readonly kind: 'failed';
      readonly waiting: Waiting;
      readonly message: string;
      readonly retryAt: number;
      readonly backoffMs: number;
    };

/** The kubelet's `immediateEvictionGracePeriodSeconds`. */
const evictionGraceMs = 1000;

/** A run that is to end though its pod goes on. */
export interface Doom {
  readonly message: string;
  readonly graceMs: number;
}

/** One pod on its node: its object as last seen, and what its worker remembers of it between steps. All of it may be lost: the next kubelet finds the pod again. */
export class PodRun {
  readonly context: KubeletContext;
  readonly ref: PodRef;
  readonly firstSeenAt: number;
  readonly volumes: PodVolumes;
  readonly tasks: Tasks;
  readonly probes: PodProbes;
  readonly status: PodStatusWriter;
  readonly hostPorts = new HostPorts();
  pod: types.Pod;
  /** Its object is no more. */
  isGone = false;
  /** The node had no place for it: nothing of it was ever made. */
  isRefused = false;
  /** Its network, once it is there. */
  sandbox: AttachedInterface | undefined;
  areVolumesMade = false;
  /** It holds nothing here any more but the logs of its containers. */
  isReleased = false;
  /** Why it was ended though nobody deleted it. */
  failure: { readonly reason: string; readonly message: string } | undefined;
  /** The node needs what it holds. */
  isEvicted = false;
  /** Why containers do not run, by name. */
  readonly waiting = new Map<string, Waiting>();
  readonly images = new Map<string, ImageState>();
  /** `repository@digest` by image id. */
  readonly imageNames = new Map<string, string>();
  /** Termination messages by engine id. */
  readonly messages = new Map<string, string>();
  /** What of the node it was given; known once its note was read. */
  allocation: Allocation | undefined;
  /** The pod asks for other resources than its containers run with. */
  resize: ResizeState | undefined;
  readonly doomed = new Map<string, Doom>();
  /** Runs whose postStart hook has not returned. */
  readonly hooks = new Set<string>();
  readonly #wake: () => void;

  constructor(context: KubeletContext, pod: types.Pod, wake: () => void) {
    const { client, clock, random, logger, signal } = context;
    this.context = context;
    this.ref = podRefOf(pod);
    this.pod = pod;
    this.#wake = wake;
    this.firstSeenAt = clock.now();
    this.volumes = new PodVolumes(context, pod);
    this.status = new PodStatusWriter(this.ref, { client, clock, random, logger, signal });
    this.tasks = new Tasks({
      signal,
      onSettled: wake,
      onFailure: (task, error) =>
        logger.warn('work on a pod failed', { pod: this.ref.name, task, error: messageOf(error) }),
    });
    this.probes = new PodProbes({
      clock,
      random,
      signal,
      targetOf: (container, run) => probeTarget(this, container.spec, run),
      onChange: wake,
      onFailure: (run, failure) => this.#onProbeFailure(run, failure),
    });
  }

  /** True once the pod is to end: deleted, or failed as a whole. */
  get isEnding(): boolean {
    return this.isGone || this.pod.metadata?.deletionTimestamp !== undefined || this.failure !== undefined;
  }

  /**
   * True while the node's room is held for it. One whose object is no more has given it back, even if its processes are still being ended: the scheduler counts pods by their
   * objects, and what it has just given away must not be refused here.
   */
  get isCounted(): boolean {
    const { phase } = this.pod.status ?? {};
    return !this.isGone && !this.isRefused && phase !== 'Succeeded' && phase !== 'Failed';
  }

  /** The pod with the resources it was given, which are those its containers are begun with. */
  get allocated(): types.Pod {
    return this.allocation ? withAllocation(this.pod, this.allocation) : asAllocated(this.pod);
  }

  /** How long its processes have to end by themselves. */
  get graceMs(): number {
    if (this.isEvicted) return evictionGraceMs;
    const { metadata, spec } = this.pod;
    const seconds = metadata?.deletionGracePeriodSeconds ?? spec?.terminationGracePeriodSeconds ?? 30;
    return Math.max(0, seconds) * 1000;
  }

  /** Ends it for the sake of its node. */
  evict(message: string): void {
    this.failure = { reason: 'Evicted', message };
    this.isEvicted = true;
    this.event('Warning', 'Evicted', message);
    this.#wake();
  }

  /** Tells of something as an Event of the pod, or of one of its containers. */
  event(
    type: 'Normal' | 'Warning',
    reason: string,
    message: string,
    of?: { readonly role: ContainerRole; readonly spec: { readonly name: string } },
  ): void {
    const fieldPath = of && `spec.${fields[of.role]}{${of.spec.name}}`;
    this.context.events.record(pods, this.pod, { type, reason, message, ...(fieldPath && { fieldPath }) });
  }

  #onProbeFailure(run: Container, { kind, container, message, isFinal }: ProbeFailure): void {
    const word = kind[0]!.toUpperCase() + kind.slice(1);
    this.event('Warning', 'Unhealthy', `${word} probe failed: ${message}`, container);
    if (!isFinal) return;
    const probe = kind === 'startup' ? container.spec.startupProbe : container.spec.livenessProbe;
    const seconds = probe?.terminationGracePeriodSeconds ?? this.pod.spec?.terminationGracePeriodSeconds ?? 30;
    const words = `Container ${container.spec.name} failed ${kind} probe, will be restarted`;
    this.doomed.set(run.id, { message: words, graceMs: seconds * 1000 });
    this.#wake();
  }
}

const fields: { readonly [Role in ContainerRole]: string } = {
  init: 'initContainers',
  sidecar: 'initContainers',
  main: 'containers',
  ephemeral: 'ephemeralContainers',
};
