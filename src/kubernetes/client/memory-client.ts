import { type Clock, isoSeconds, type Random, systemClock, systemRandom } from '#base';
import { type KubernetesObject, keyOf, type ObjectName, type ResourceType } from '../object.ts';
import { alreadyExists, conflict, notFound, StatusError } from '../status.ts';
import { formatLabelSelector, labelSelectorOf } from '../selector.ts';
import type { DeleteOptions, LabelSelector } from '../types.ts';
import type {
  ApiClient,
  GetOptions,
  ListOptions,
  ObjectList,
  Patch,
  SubresourceOptions,
  WatchEvent,
  WatchOptions,
  WriteOptions,
} from './client.ts';
import { applyMergePatch, draftOf, type Json, objectOf } from './memory-json.ts';
import { isGraceful, rules } from './memory-rules.ts';
import { matcherOf } from './memory-selection.ts';
import { WatchQueue } from './memory-watch.ts';

export interface MemoryClientOptions {
  readonly clock?: Clock;
  readonly random?: Random;
}

/** One committed change, as listeners are told of it. */
export interface MemoryChange {
  readonly version: number;
  readonly now: KubernetesObject | undefined;
  readonly before: KubernetesObject | undefined;
}

interface Table {
  readonly objects: Map<string, KubernetesObject>;
  readonly history: MemoryChange[];
  readonly listeners: Set<(change: MemoryChange) => void>;
}

/** How many changes of a resource a watch may go back. */
const HISTORY = 1000;

/**
 * A cluster's objects without a cluster: the semantics of storage that every component relies on (versions, conflicts, finalizers, graceful deletion, the
 * status subresource, watches, selectors), and nothing of admission, defaults or validation. For tests; `client.contract.ts` says what it shares with the
 * other adapters. Server-side apply, JSON and strategic patches answer `NotImplemented`.
 */
export class MemoryClient implements ApiClient {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #tables = new Map<string, Table>();
  #version = 0;

  constructor({ clock = systemClock, random = systemRandom }: MemoryClientOptions = {}) {
    this.#clock = clock;
    this.#random = random;
  }

  async get<T extends KubernetesObject>(
    type: ResourceType<T>,
    name: ObjectName,
    { subresource }: GetOptions = {},
  ): Promise<T> {
    const stored = this.#find(type, name);
    return subresource === 'scale' ? this.#scaleOf(stored) : stored;
  }

  async list<T extends KubernetesObject>(type: ResourceType<T>, options: ListOptions = {}): Promise<ObjectList<T>> {
    const matches = matcherOf(options);
    const all = [...this.#table(type).objects.entries()].filter(([, object]) => matches(object)).sort(byKey);
    const start = options.continue === undefined ? 0 : all.findIndex(([key]) => key > options.continue!);
    const page = start < 0 ? [] : all.slice(start, options.limit ? start + options.limit : undefined);
    const isMore = start >= 0 && start + page.length < all.length;
    return {
      // Only objects of this type are put into its table.
      items: page.map(([, object]) => object as T),
      resourceVersion: String(this.#version),
      ...(isMore && { continue: page.at(-1)![0] }),
    };
  }

  async *watch<T extends KubernetesObject>(type: ResourceType<T>, options: WatchOptions): AsyncIterable<WatchEvent<T>> {
    const { signal, resourceVersion } = options;
    const table = this.#table(type);
    const since = resourceVersion === undefined ? this.#version : Number(resourceVersion);
    const oldest = table.history[0]?.version ?? 0;
    if (table.history.length === HISTORY && since < oldest - 1)
      throw new StatusError('Expired', `too old resource version: ${since} (${oldest})`);
    const queue = new WatchQueue<T>(matcherOf(options));
    for (const change of table.history) if (change.version > since) queue.push(change);
    const listener = (change: MemoryChange) => queue.push(change);
    table.listeners.add(listener);
    try {
      yield* queue.drain(signal);
    } finally {
      table.listeners.delete(listener);
    }
  }

  async create<T extends KubernetesObject>(type: ResourceType<T>, object: T, options: WriteOptions = {}): Promise<T> {
    const draft = draftOf(object);
    const meta = (draft['metadata'] ??= {}) as Json;
    if (meta['resourceVersion'])
      throw new StatusError('BadRequest', 'resourceVersion should not be set on objects to be created');
    meta['name'] ??= this.#generateName(meta);
    const table = this.#table(type);
    const key = keyOf(draft);
    if (table.objects.has(key)) throw alreadyExists(type, String(meta['name']));
    rules.onCreate(type, draft, { uid: this.#random.uuid(), now: isoSeconds(this.#clock.now()) });
    return this.#commit<T>(type, key, draft, options);
  }

  async update<T extends KubernetesObject>(
    type: ResourceType<T>,
    object: T,
    options: SubresourceOptions = {},
  ): Promise<T> {
    const stored = this.#find(type, object.metadata as ObjectName);
    if (options.subresource === 'scale') return this.#scale(type, stored, draftOf(object));
    return this.#replace(type, stored, draftOf(object), options);
  }

  async patch<T extends KubernetesObject>(
    type: ResourceType<T>,
    name: ObjectName,
    patch: Patch,
    options: SubresourceOptions = {},
  ): Promise<T> {
    if (patch.kind !== 'merge')
      throw new StatusError('NotImplemented', `the memory client takes merge patches alone, not ${patch.kind}`);
    const stored = this.#find(type, name);
    const asked = (patch.body as Json)['metadata'] as Json | undefined;
    const next = applyMergePatch(draftOf(stored), patch.body) as Json;
    if (asked?.['resourceVersion'] === undefined) delete (next['metadata'] as Json)['resourceVersion'];
    if (options.subresource === 'scale') return this.#scale(type, stored, next);
    return this.#replace(type, stored, next, options);
  }

  async delete(type: ResourceType, name: ObjectName, options: DeleteOptions = {}): Promise<void> {
    const stored = this.#find(type, name);
    const { uid, resourceVersion } = options.preconditions ?? {};
    if (uid !== undefined && uid !== stored.metadata!.uid)
      throw conflict(
        type,
        name.name,
        `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${stored.metadata!.uid}`,
      );
    if (resourceVersion !== undefined && resourceVersion !== stored.metadata!.resourceVersion)
      throw conflict(
        type,
        name.name,
        `Precondition failed: ResourceVersion in precondition: ${resourceVersion}, ResourceVersion in object meta: ${stored.metadata!.resourceVersion}`,
      );
    const draft = draftOf(stored);
    rules.onDelete(type, draft, options, this.#clock.now());
    if (isKept(type, draft)) this.#commit(type, keyOf(stored), draft, {});
    else this.#remove(type, stored);
  }

  async post<Answer extends KubernetesObject>(
    type: ResourceType,
    name: ObjectName,
    subresource: string,
    body: KubernetesObject,
  ): Promise<Answer> {
    const stored = this.#find(type, name);
    if (type.resource === 'pods' && subresource === 'eviction') {
      await this.delete(type, name, (body as { deleteOptions?: DeleteOptions }).deleteOptions ?? {});
      return { apiVersion: 'v1', kind: 'Status', status: 'Success' } as KubernetesObject as Answer;
    }
    if (type.resource === 'pods' && subresource === 'binding') {
      const draft = draftOf(stored);
      rules.onBind(draft, body, name.name, isoSeconds(this.#clock.now()));
      this.#commit(type, keyOf(stored), draft, {});
      return { apiVersion: 'v1', kind: 'Status', status: 'Success' } as KubernetesObject as Answer;
    }
    throw new StatusError('NotFound', 'the server could not find the requested resource');
  }

  /** Counts every change there was. */
  get version(): number {
    return this.#version;
  }

  /** Tells `listener` of every change of one resource at once, within the call that makes it. */
  listen(type: ResourceType, listener: (change: MemoryChange) => void): () => void {
    const { listeners } = this.#table(type);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  /** All objects of a resource, now. */
  all<T extends KubernetesObject>(type: ResourceType<T>): readonly T[] {
    return [...this.#table(type).objects.values()] as T[];
  }

  #replace<T extends KubernetesObject>(type: ResourceType<T>, stored: T, next: Json, options: SubresourceOptions): T {
    const { name, resourceVersion } = next['metadata'] as { name: string; resourceVersion?: string };
    if (resourceVersion && resourceVersion !== stored.metadata!.resourceVersion)
      throw conflict(
        type,
        name,
        'the object has been modified; please apply your changes to the latest version and try again',
      );
    const draft = rules.onUpdate(draftOf(stored), next, options.subresource);
    // A write that changes nothing is none.
    if (JSON.stringify(draft) === JSON.stringify(stored)) return stored;
    if (!isKept(type, draft)) return this.#remove(type, objectOf<T>(draft));
    return this.#commit(type, keyOf(stored), draft, options);
  }

  #scale<T extends KubernetesObject>(type: ResourceType<T>, stored: T, next: Json): T {
    const replicas = (next['spec'] as Json)['replicas'];
    const draft = draftOf(stored);
    draft['spec'] = { ...(draft['spec'] as Json), replicas };
    return this.#scaleOf(this.#replace(type, stored, draft, {}));
  }

  #scaleOf<T extends KubernetesObject>(stored: T): T {
    const scaled = draftOf(stored);
    const { name, namespace, resourceVersion } = scaled['metadata'] as Json;
    const status = (scaled['status'] ?? {}) as Json;
    return {
      apiVersion: 'autoscaling/v1',
      kind: 'Scale',
      metadata: { name, namespace, resourceVersion },
      spec: { replicas: (scaled['spec'] as Json)['replicas'] },
      status: { replicas: status['replicas'] ?? 0, selector: selectorOf(scaled) },
    } as KubernetesObject as T;
  }

  #table(type: ResourceType): Table {
    const id = `${type.group}/${type.resource}`;
    let table = this.#tables.get(id);
    if (!table) this.#tables.set(id, (table = { objects: new Map(), history: [], listeners: new Set() }));
    return table;
  }

  #find<T extends KubernetesObject>(type: ResourceType<T>, { namespace, name }: ObjectName): T {
    const object = this.#table(type).objects.get(keyOf({ metadata: { name, ...(namespace && { namespace }) } }));
    if (!object) throw notFound(type, name);
    return object as T;
  }

  #commit<T extends KubernetesObject>(type: ResourceType<T>, key: string, draft: Json, options: WriteOptions): T {
    const version = options.isDryRun ? this.#version : ++this.#version;
    (draft['metadata'] as Json)['resourceVersion'] = String(version);
    const now = deepFreeze(objectOf<T>(draft));
    if (options.isDryRun) return now;
    const table = this.#table(type);
    const before = table.objects.get(key);
    table.objects.set(key, now);
    tell(table, { version, now, before });
    return now;
  }

  #remove<T extends KubernetesObject>(type: ResourceType<T>, last: T): T {
    const version = ++this.#version;
    const table = this.#table(type);
    table.objects.delete(keyOf(last));
    const metadata = { ...last.metadata, resourceVersion: String(version) };
    const before = deepFreeze({ ...last, metadata });
    tell(table, { version, now: undefined, before });
    return before;
  }

  #generateName(meta: Json): string {
    if (!meta['generateName']) throw new StatusError('Invalid', 'Required value: name or generateName is required', {});
    // The alphabet of apimachinery `util/rand`: no vowels, no look-alikes.
    return `${meta['generateName'] as string}${this.#random.text(5, 'bcdfghjklmnpqrstvwxz2456789')}`;
  }
}

/** The selector of a workload, as its scale tells it. */
function selectorOf({ spec }: Json): string {
  return formatLabelSelector(labelSelectorOf((spec as { selector?: LabelSelector }).selector));
}

/** True while something holds the object back: finalizers, or the grace of a running pod. */
function isKept(type: ResourceType, object: Json): boolean {
  const meta = object['metadata'] as Json & { finalizers?: readonly string[] };
  if (!meta['deletionTimestamp'] || meta.finalizers?.length) return true;
  const finalizers = (object['spec'] as { finalizers?: readonly string[] } | undefined)?.finalizers;
  if (type.resource === 'namespaces' && finalizers?.length) return true;
  return isGraceful(type) && Number(meta['deletionGracePeriodSeconds'] ?? 0) > 0;
}

function tell(table: Table, change: MemoryChange): void {
  table.history.push(change);
  if (table.history.length > HISTORY) table.history.shift();
  for (const listener of table.listeners) listener(change);
}

function byKey([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}
