import { DabbaError } from '#base';
import { Collection, type Store, type WatchCache } from '#store';

export interface TableOptions<T> {
  readonly store: Store;
  /** Holds everything under a prefix that this table's lies in. */
  readonly cache: WatchCache<unknown>;
  readonly prefix: string;
  readonly nameOf: (record: T) => string;
  /** Ends the waiting for the cache. */
  readonly signal: AbortSignal;
}

/**
 * Records of one kind, of every account: read from memory, written to the store. A write resolves when memory shows it, so that the next call
 * sees it. Ids are `<account>/<name in lower case>`.
 */
export class Table<T extends { readonly account: string }> {
  readonly #collection: Collection<T>;
  readonly #options: TableOptions<T>;

  constructor(options: TableOptions<T>) {
    this.#collection = new Collection(options.store, options.prefix);
    this.#options = options;
  }

  get(account: string, name: string): T | undefined {
    return this.read(this.#collection.key(idOf(account, name)));
  }

  /** By the store's key. */
  read(key: string): T | undefined {
    // Only this table writes below its prefix.
    return this.#options.cache.get(key)?.value as T | undefined;
  }

  /** The account's records, in order of their names in lower case. */
  list(account: string): T[] {
    return this.#options.cache.list(this.#collection.key(`${account}/`)).map(({ value }) => value as T);
  }

  /** Throws `AlreadyExists`. `leaseId` names a lease for the record to die with. */
  async create(record: T, leaseId?: string): Promise<void> {
    const id = idOf(record.account, this.#options.nameOf(record));
    const put = this.#collection.put(id, record);
    const { succeeded, revision } = await this.#options.store.txn({
      compare: [this.#collection.ifAbsent(id)],
      success: [leaseId !== undefined && put.kind === 'put' ? { ...put, leaseId } : put],
    });
    if (!succeeded) throw new DabbaError('AlreadyExists', `${this.#collection.key(id)} exists already`);
    await this.#seen(revision);
  }

  /** Changes a record; `change` may run several times. Throws `NotFound`. */
  async update(account: string, name: string, change: (record: T) => T): Promise<T> {
    const { value, modRevision } = await this.#collection.update(idOf(account, name), change);
    await this.#seen(modRevision);
    return value;
  }

  /** Deletes a record that `check` does not object to (by throwing). Deleting an absent one succeeds. */
  async delete(account: string, name: string, check: (record: T) => void = () => {}): Promise<void> {
    for (;;) {
      const read = await this.#collection.get(idOf(account, name));
      if (!read) return;
      check(read.value);
      const { succeeded, revision } = await this.#options.store.txn({
        compare: [this.#collection.ifUnchanged(read)],
        success: [this.#collection.remove(read.id)],
      });
      if (succeeded) return this.#seen(revision);
    }
  }

  #seen(revision: number): Promise<void> {
    return this.#options.cache.waitFor(revision, this.#options.signal);
  }
}

function idOf(account: string, name: string): string {
  return `${account}/${name.toLowerCase()}`;
}
