import type { KeyValue, WatchEvent } from '#store';
import type { GroupVersionKind, KubernetesObject } from '../../object.ts';
import { StatusError } from '../../status.ts';
import { Change } from './change.ts';
import { StoredCodec, StoredObject } from './stored-object.ts';

/** Changes kept for watches that begin in the past. */
const KEPT_CHANGES = 2048;
const KEPT_BYTES = 8 * 1024 * 1024;

/** Every object of one resource in memory, in key order, with its last changes. Filled and fed by a `RegistryFeed`; reads are synchronous. */
export class ResourceCache<T extends KubernetesObject = KubernetesObject> {
  readonly prefix: string;
  #codec: StoredCodec;
  readonly #objects = new Map<string, StoredObject<T>>();
  /** In key order. */
  readonly #sorted: string[] = [];
  readonly #changes: Change<T>[] = [];
  #keptBytes = 0;
  /** Changes at or before this revision are no longer kept. */
  #forgottenRevision = 0;
  #lastChange = 0;
  /** The revision of the last list: older events say nothing new. */
  #loadedRevision = 0;
  readonly #listeners = new Set<(change: Change<T>) => void>();

  /** `prefix` is the full key prefix of the resource. */
  constructor(prefix: string, codec: StoredCodec) {
    this.prefix = prefix;
    this.#codec = codec;
  }

  get codec(): StoredCodec {
    return this.#codec;
  }

  storeAs(type: GroupVersionKind): void {
    this.#codec = new StoredCodec(type);
  }

  get size(): number {
    return this.#objects.size;
  }

  /** The revision of the last change of any object here. */
  get lastChange(): number {
    return this.#lastChange;
  }

  get(path: string): StoredObject<T> | undefined {
    return this.#objects.get(path);
  }

  /** Those whose path begins with `begin` and lies behind `after`, in order. */
  *range(begin = '', after = ''): Generator<StoredObject<T>> {
    // A copy of the order: objects may come and go while somebody reads on slowly.
    const from = this.#position(after > begin ? `${after}\0` : begin);
    const to = begin ? this.#position(`${begin}\u{10ffff}`) : this.#sorted.length;
    const found = this.#sorted.slice(from, to).map((path) => this.#objects.get(path)!);
    yield* found;
  }

  /** The changes behind `revision`. Throws `Expired` when they are no longer all kept. */
  changesAfter(revision: number): readonly Change<T>[] {
    if (revision < this.#forgottenRevision)
      throw new StatusError('Expired', `too old resource version: ${revision} (${this.#forgottenRevision})`);
    return this.#changes.slice(firstBehind(this.#changes, revision));
  }

  /** The revision behind which all changes are kept. */
  get changesBegin(): number {
    return this.#forgottenRevision;
  }

  /** How many more changes can be kept. */
  get room(): number {
    return KEPT_CHANGES - this.#changes.length;
  }

  /**
   * Adds to the changes those that came before them: `events` are all of the resource's between `revision` and `changesBegin`. Does nothing when there is no room for all, or
   * an event does not say what was there before.
   */
  recall(events: readonly WatchEvent[], revision: number): void {
    const changes: Change<T>[] = [];
    for (const event of events) {
      const change = this.#changeOf(event);
      if (!change) return;
      changes.push(change);
    }
    const size = changes.reduce((sum, { shown }) => sum + shown.bytes.length, 0);
    if (changes.length > this.room || this.#keptBytes + size > KEPT_BYTES) return;
    this.#changes.unshift(...changes);
    this.#keptBytes += size;
    this.#forgottenRevision = revision;
  }

  #changeOf(event: WatchEvent): Change<T> | undefined {
    const { previous } = event;
    const read = ({ key, value, modRevision }: KeyValue) =>
      this.codec.read<T>(key.slice(this.prefix.length), value, modRevision);
    const before = previous && read(previous);
    if (event.kind === 'delete') return before && new Change(undefined, before, before.at(event.revision, this.codec));
    if (!before && event.entry.version > 1) return undefined;
    const now = read(event.entry);
    return new Change(now, before, now);
  }

  /** Calls `listener` in order with each change from now on. It must not throw. */
  onChange(listener: (change: Change<T>) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Makes the cache what a list of the store says, telling the difference. */
  load(entries: readonly KeyValue[], revision: number): void {
    const isFirst = this.#forgottenRevision === 0;
    const listed = new Set(entries.map(({ key }) => key.slice(this.prefix.length)));
    for (const path of Array.from(this.#objects.keys())) if (!listed.has(path)) this.#remove(path, revision);
    const changed = entries.filter(
      (entry) => this.#objects.get(entry.key.slice(this.prefix.length))?.revision !== entry.modRevision,
    );
    for (const entry of changed) this.#put(entry);
    this.#loadedRevision = revision;
    if (!isFirst) return;
    // What was there before the first list are no changes.
    this.#changes.length = 0;
    this.#keptBytes = 0;
    this.#forgottenRevision = revision;
  }

  apply(event: WatchEvent): void {
    if ((event.kind === 'put' ? event.entry.modRevision : event.revision) <= this.#loadedRevision) return;
    if (event.kind === 'put') this.#put(event.entry);
    else this.#remove(event.key.slice(this.prefix.length), event.revision);
  }

  #put(entry: KeyValue): void {
    const path = entry.key.slice(this.prefix.length);
    const before = this.#objects.get(path);
    if (before && before.revision >= entry.modRevision) return;
    const now = this.codec.read<T>(path, entry.value, entry.modRevision);
    this.#objects.set(path, now);
    if (!before) this.#sorted.splice(this.#position(path), 0, path);
    this.#tell(new Change(now, before, now));
  }

  #remove(path: string, revision: number): void {
    const before = this.#objects.get(path);
    if (!before || before.revision >= revision) return;
    this.#objects.delete(path);
    this.#sorted.splice(this.#position(path), 1);
    this.#tell(new Change<T>(undefined, before, before.at(revision, this.codec)));
  }

  #tell(change: Change<T>): void {
    this.#lastChange = Math.max(this.#lastChange, change.revision);
    this.#changes.push(change);
    this.#keptBytes += change.shown.bytes.length;
    while (this.#changes.length > KEPT_CHANGES || this.#keptBytes > KEPT_BYTES) this.#forget();
    for (const listener of this.#listeners) listener(change);
  }

  /** Forgets the oldest changes, an eighth of them at once, since taking from an array's front moves the rest. */
  #forget(): void {
    const gone = this.#changes.splice(0, Math.max(1, this.#changes.length >> 3));
    for (const { shown } of gone) this.#keptBytes -= shown.bytes.length;
    this.#forgottenRevision = gone.at(-1)!.revision;
  }

  #position(path: string): number {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#sorted[middle]! < path) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function firstBehind(changes: readonly { readonly revision: number }[], revision: number): number {
  let low = 0;
  let high = changes.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (changes[middle]!.revision <= revision) low = middle + 1;
    else high = middle;
  }
  return low;
}
