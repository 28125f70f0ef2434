import type { Clock } from '#base';
import type { ApiClient } from '../client/client.ts';
import type { Informer, Informers } from '../client/informer.ts';
import { podsIn } from '../controllers/indexes.ts';
import { isDeleting, metaOf, nameOf } from '../controllers/meta.ts';
import {
  BOUND_BY_CONTROLLER,
  claimNamesOf,
  classNameOf,
  findVolume,
  isBound,
  isReachable,
  NO_PROVISIONER,
  SELECTED_NODE,
  waitsForConsumer,
} from '../controllers/persistentvolume/matching.ts';
import { isFinished } from '../controllers/pods.ts';
import { apiVersionOf, keyOf } from '../object.ts';
import { nodes, persistentVolumeClaims, persistentVolumes, storageClasses } from '../resources.ts';
import { StatusError } from '../status.ts';
import type { Node, PersistentVolume, PersistentVolumeClaim, Pod, StorageClass } from '../types.ts';
import type { Filter, Plugin, Refusal } from './plugin.ts';

const conflict: Refusal = { reasons: ["node(s) didn't match PersistentVolume's node affinity"], isFinal: true };
const nothingToBind: Refusal = { reasons: ["node(s) didn't find available persistent volumes to bind"], isFinal: true };

const inUse: Refusal = {
  reasons: ['node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode'],
  isFinal: false,
};

/** How long a pod with a node waits for its claims to be bound: upstream's `bindTimeoutSeconds`. */
const BIND_TIMEOUT_MS = 600_000;

/** A pod's claims: those that have a volume, and those that get one where the pod goes. */
interface Claims {
  readonly bound: readonly PersistentVolume[];
  readonly delayed: readonly PersistentVolumeClaim[];
}

/**
 * Brings pods to their volumes, and volumes to their pods: a claim of a class that waits for its first consumer is bound, or provisioned, for the node that was chosen.
 * Behaviour: kubernetes `scheduler/framework/plugins/volumebinding`.
 */
export class VolumeBinder {
  readonly plugins: readonly Plugin[];
  readonly #client: ApiClient;
  readonly #clock: Clock;
  readonly #claims: Informer<PersistentVolumeClaim>;
  readonly #volumes: Informer<PersistentVolume>;
  readonly #classes: Informer<StorageClass>;
  readonly #nodes: Informer<Node>;
  readonly #pods: Informer<Pod>;
  /** Volumes that are being bound to a claim, before the server shows it. */
  readonly #reserved = new Map<string, string>();
  /** Claims for one pod alone, by key, whose pod is being bound. */
  readonly #taken = new Map<string, string>();

  constructor({
    client,
    informers,
    clock,
  }: {
    readonly client: ApiClient;
    readonly informers: Informers;
    readonly clock: Clock;
  }) {
    this.#client = client;
    this.#clock = clock;
    this.#claims = informers.of(persistentVolumeClaims);
    this.#volumes = informers.of(persistentVolumes);
    this.#classes = informers.of(storageClasses);
    this.#nodes = informers.of(nodes);
    this.#pods = podsIn(informers);
    this.plugins = [
      {
        name: 'VolumeBinding',
        wokenBy: ['node-added', 'node-labels', 'claims'],
        filter: ({ pod }) => this.#filter(pod),
      },
      {
        name: 'VolumeRestrictions',
        wokenBy: ['pod-removed', 'claims'],
        filter: ({ pod }) => this.#restrict(pod),
      },
    ];
  }

  async synced(): Promise<void> {
    await Promise.all([this.#claims, this.#volumes, this.#classes].map((copy) => copy.synced()));
  }

  /** Tells when claims, volumes or classes change. */
  onChange(handler: () => void): () => void {
    const stops = [this.#claims.onChange(handler), this.#volumes.onChange(handler), this.#classes.onChange(handler)];
    return () => stops.forEach((stop) => stop());
  }

  /** Sets volumes aside for a pod that has been given a node; returns the function that frees what was not used. */
  reserve(pod: Pod, nodeName: string): () => void {
    const found = this.#claimsOf(pod);
    const node = this.#nodes.get(nodeName);
    if (typeof found === 'string' || !node) return () => undefined;
    const exclusive = this.#exclusiveOf(pod);
    for (const key of exclusive) this.#taken.set(key, metaOf(pod).uid);
    const reserved: string[] = [];
    for (const claim of found.delayed) {
      const volume = findVolume(claim, this.#freeFor(claim), node);
      if (!volume) continue;
      this.#reserved.set(metaOf(volume).name, keyOf(claim));
      reserved.push(metaOf(volume).name);
    }
    return () => {
      for (const name of reserved) this.#reserved.delete(name);
      for (const key of exclusive) this.#taken.delete(key);
    };
  }

  /** Has the pod's claims bound for a node, and waits until they are. Throws if they cannot be. */
  async bind(pod: Pod, nodeName: string, signal: AbortSignal): Promise<void> {
    const found = this.#claimsOf(pod);
    if (typeof found === 'string') throw new StatusError('Conflict', found);
    if (!found.delayed.length) return;
    for (const claim of found.delayed) await this.#start(claim, nodeName);
    const keys = found.delayed.map(keyOf);
    await this.#until(() => {
      const claims = keys.map((key) => this.#claims.get(key));
      if (claims.some((claim) => !claim)) throw new StatusError('NotFound', 'a claim of the pod was deleted');
      return claims.every((claim) => isBound(claim!));
    }, signal);
  }

  #filter(pod: Pod): Filter | string | undefined {
    if (!claimNamesOf(pod).length) return undefined;
    const found = this.#claimsOf(pod);
    if (typeof found === 'string') return found;
    return {
      check: ({ node }) => {
        if (!found.bound.every((volume) => isReachable(volume, node!))) return conflict;
        return found.delayed.every((claim) => this.#isPossible(claim, node!)) ? undefined : nothingToBind;
      },
    };
  }

  /** A claim for one pod alone is in use while another pod has it: a matter of the whole cluster, which preemption may settle on that pod's node. */
  #restrict(pod: Pod): Filter | undefined {
    const exclusive = this.#exclusiveOf(pod);
    if (!exclusive.length) return undefined;
    const holders = new Map<string, string>();
    for (const other of exclusive.flatMap((key) => this.#pods.by('claim', key)))
      if (other.metadata?.uid !== pod.metadata?.uid && other.spec?.nodeName && !isFinished(other))
        holders.set(other.metadata!.uid!, other.spec.nodeName);
    const known = new Set(holders.keys());
    return {
      check: () => (holders.size || exclusive.some((key) => this.#taken.has(key)) ? inUse : undefined),
      move({ uid }, node, by) {
        if (by === 1 && known.has(uid)) holders.set(uid, node.name);
        else if (by === -1) holders.delete(uid);
      },
    };
  }

  #exclusiveOf(pod: Pod): readonly string[] {
    const { namespace } = pod.metadata!;
    return claimNamesOf(pod)
      .map(({ name }) => `${namespace}/${name}`)
      .filter((key) => this.#claims.get(key)?.spec?.accessModes?.includes('ReadWriteOncePod'));
  }

  /** The pod's claims, or why it must wait wherever it would go. */
  #claimsOf(pod: Pod): Claims | string {
    const bound: PersistentVolume[] = [];
    const delayed: PersistentVolumeClaim[] = [];
    for (const { name, isEphemeral } of claimNamesOf(pod)) {
      const claim = this.#claims.get(`${pod.metadata!.namespace}/${name}`);
      if (!claim && isEphemeral)
        return `waiting for ephemeral volume controller to create the persistentvolumeclaim "${name}"`;
      if (!claim) return `persistentvolumeclaim "${name}" not found`;
      if (isDeleting(claim)) return `persistentvolumeclaim "${name}" is being deleted`;
      if (isBound(claim)) {
        const volume = this.#volumes.get(claim.spec!.volumeName!);
        if (!volume)
          return `persistentvolumeclaim "${name}" bound to non-existent persistentvolume "${claim.spec!.volumeName}"`;
        bound.push(volume);
      } else if (waitsForConsumer(this.#classes.get(classNameOf(claim)))) delayed.push(claim);
      else return 'pod has unbound immediate PersistentVolumeClaims';
    }
    return { bound, delayed };
  }

  #isPossible(claim: PersistentVolumeClaim, node: Node): boolean {
    const selected = claim.metadata?.annotations?.[SELECTED_NODE];
    if (selected) return selected === metaOf(node).name;
    if (findVolume(claim, this.#freeFor(claim), node)) return true;
    const storageClass = this.#classes.get(classNameOf(claim));
    if (!storageClass || storageClass.provisioner === NO_PROVISIONER) return false;
    return isTopologyAllowed(storageClass, node);
  }

  #freeFor(claim: PersistentVolumeClaim): readonly PersistentVolume[] {
    const key = keyOf(claim);
    return this.#volumes.list().filter((volume) => {
      const holder = this.#reserved.get(metaOf(volume).name);
      return holder === undefined || holder === key;
    });
  }

  /** Promises a volume that is there to the claim, or asks for one to be made. */
  async #start(claim: PersistentVolumeClaim, nodeName: string): Promise<void> {
    const { namespace, name, uid, resourceVersion } = metaOf(claim);
    const node = this.#nodes.get(nodeName);
    const volume = node && findVolume(claim, this.#freeFor(claim), node);
    if (!volume) {
      const body = { metadata: { resourceVersion, annotations: { [SELECTED_NODE]: nodeName } } };
      await this.#client.patch(persistentVolumeClaims, nameOf(claim), { kind: 'merge', body });
      return;
    }
    if (volume.spec?.claimRef?.uid) return;
    const claimRef = {
      apiVersion: apiVersionOf(persistentVolumeClaims),
      kind: 'PersistentVolumeClaim',
      namespace,
      name,
      uid,
    };
    const annotations = { [BOUND_BY_CONTROLLER]: 'yes' };
    const body = { metadata: { resourceVersion: metaOf(volume).resourceVersion, annotations }, spec: { claimRef } };
    await this.#client.patch(persistentVolumes, nameOf(volume), { kind: 'merge', body });
  }

  async #until(isDone: () => boolean, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const check = () => {
      try {
        if (isDone()) resolve();
      } catch (error) {
        reject(error);
      }
    };
    const stop = this.#claims.onChange(check);
    const over = new AbortController();
    // A deadline, not an event: nothing announces that nobody provisions.
    this.#clock.sleep(BIND_TIMEOUT_MS, AbortSignal.any([signal, over.signal])).then(
      () => reject(new StatusError('Timeout', 'binding volumes: context deadline exceeded')),
      () => reject(new StatusError('Timeout', 'binding volumes: interrupted')),
    );
    try {
      await promise;
    } finally {
      stop();
      over.abort();
    }
  }
}

function isTopologyAllowed({ allowedTopologies }: StorageClass, { metadata }: Node): boolean {
  if (!allowedTopologies?.length) return true;
  return allowedTopologies.some(({ matchLabelExpressions }) =>
    (matchLabelExpressions ?? []).every(({ key, values }) => values.includes(metadata?.labels?.[key] ?? '')),
  );
}
