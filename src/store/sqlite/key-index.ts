import { SortedKeys } from './sorted-keys.ts';

/** One change of one key, without its value: where its row is, and what the row says of the key. */
export interface Version {
  readonly modRevision: number;
  /** Its place within the revision. */
  readonly place: number;
  /** 0: the key was deleted. */
  readonly createRevision: number;
  readonly version: number;
  readonly leaseId: string | undefined;
}

/** A version that may be forgotten once everything before `at` is. */
interface Superseded {
  readonly at: number;
  readonly key: string;
}

/**
 * What is known of every key, in memory, as etcd's tree index is: so that a put writes its row and nothing else. Built from the rows of the log
 * in their order when the store is opened, and kept by adding each new one.
 */
export class KeyIndex {
  /** The kept versions of each key, oldest first. */
  readonly #versions = new Map<string, Version[]>();
  readonly #sorted = new SortedKeys();
  /** In the order of `at`, and for each key oldest first; those before `#forgotten` are gone. */
  #superseded: Superseded[] = [];
  #forgotten = 0;

  /** Takes in the next row of the log. */
  append(key: string, version: Version): void {
    const versions = this.#versions.get(key);
    const last = versions?.at(-1);
    if (versions) versions.push(version);
    else {
      this.#versions.set(key, [version]);
      this.#sorted.add(key);
    }
    // A deletion is superseded by the next revision of all, whoever's it is.
    if (last && !isDeletion(last)) this.#superseded.push({ at: version.modRevision, key });
    if (isDeletion(version)) this.#superseded.push({ at: version.modRevision + 1, key });
  }

  /** Takes back the last `append`, which was this key's. */
  undo(key: string): void {
    const versions = this.#versions.get(key)!;
    const version = versions.pop()!;
    const last = versions.at(-1);
    if (isDeletion(version)) this.#superseded.pop();
    if (last && !isDeletion(last)) this.#superseded.pop();
    if (!last) this.#drop(key);
  }

  /** The key as it is; undefined if it is absent. */
  latest(key: string): Version | undefined {
    return live(this.#versions.get(key)?.at(-1));
  }

  /** The key as it was at `revision`. */
  at(key: string, revision: number): Version | undefined {
    return live(this.#versions.get(key)?.findLast((version) => version.modRevision <= revision));
  }

  /** Keys from `first` on that start with `prefix`, as they were at `revision`, in order. Nothing may change meanwhile. */
  *under(prefix: string, first: string, revision: number): Generator<readonly [string, Version], void, undefined> {
    for (const key of this.#sorted.from(first)) {
      if (!key.startsWith(prefix)) return;
      const version = this.at(key, revision);
      if (version) yield [key, version];
    }
  }

  /** Forgets up to `limit` versions that were overwritten or deleted before `revision`, and returns them. */
  forget(revision: number, limit: number): Version[] {
    const gone: Version[] = [];
    while (
      gone.length < limit &&
      this.#superseded[this.#forgotten] &&
      this.#superseded[this.#forgotten]!.at <= revision
    )
      gone.push(this.#forgetOldest(this.#superseded[this.#forgotten++]!.key));
    // Cut off only when half of it is gone, so that each entry is moved once on average.
    if (this.#forgotten * 2 > this.#superseded.length) {
      this.#superseded = this.#superseded.slice(this.#forgotten);
      this.#forgotten = 0;
    }
    return gone;
  }

  #forgetOldest(key: string): Version {
    const versions = this.#versions.get(key)!;
    const oldest = versions.shift()!;
    if (!versions.length) this.#drop(key);
    return oldest;
  }

  #drop(key: string): void {
    this.#versions.delete(key);
    this.#sorted.remove(key);
  }
}

function isDeletion({ createRevision }: Version): boolean {
  return createRevision === 0;
}

function live(version: Version | undefined): Version | undefined {
  return version && !isDeletion(version) ? version : undefined;
}
