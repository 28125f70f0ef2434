import { DabbaError } from '#base';
import { Collection, type KeyValue, type Store, type Transaction } from '#store';

export interface TableOptions<T> {
  readonly prefix: string;
  readonly nameOf: (record: T) => string;
  /** Writes, and resolves when the directory shows what was written; false when a comparison failed. */
  readonly commit: (transaction: Transaction) => Promise<boolean>;
  /** Resolves when the directory shows what was written at a revision. */
  readonly seen: (revision: number) => Promise<void>;
}

/**
 * Records of one kind, of every account: read from memory, written to the store. A write resolves when memory shows it, so that the next call
 * sees it. Ids are `<account>/<name in lower case>`.
 */
export class Table<T extends { readonly account: string }> {
  readonly #records = new Map<string, T>();
  readonly #byName = new Map<string, T>();
  readonly #collection: Collection<T>;
  readonly #options: TableOptions<T>;

  constructor(store: Store, options: TableOptions<T>) {
    this.#collection = new Collection(store, options.prefix);
    this.#options = options;
  }

  get prefix(): string {
    return this.#options.prefix;
  }

  get(account: string, name: string): T | undefined {
    return this.#records.get(idOf(account, name));
  }

  /** By a name that is unique over all accounts: an access key's id. */
  find(name: string): T | undefined {
    return this.#byName.get(name);
  }

  /** The account's records, in order of their names in lower case. */
  list(account: string): T[] {
    return [...this.#records]
      .filter(([id]) => id.startsWith(`${account}/`))
      .sort(([first], [second]) => (first < second ? -1 : 1))
      .map(([, record]) => record);
  }

  /** Throws `AlreadyExists`. `leaseId` names a lease for the record to die with. */
  async create(record: T, leaseId?: string): Promise<void> {
    const id = idOf(record.account, this.#options.nameOf(record));
    const put = this.#collection.put(id, record);
    const created = await this.#options.commit({
      compare: [this.#collection.ifAbsent(id)],
      success: [leaseId !== undefined && put.kind === 'put' ? { ...put, leaseId } : put],
    });
    if (!created) throw new DabbaError('AlreadyExists', `${this.#collection.key(id)} exists already`);
  }

  /** Changes a record; `change` may run several times. Throws `NotFound`. */
  async update(account: string, name: string, change: (record: T) => T): Promise<T> {
    const { value, modRevision } = await this.#collection.update(idOf(account, name), change);
    await this.#options.seen(modRevision);
    return value;
  }

  /** Deletes a record that `check` does not object to (by throwing). Deleting an absent one succeeds. */
  async delete(account: string, name: string, check: (record: T) => void = () => {}): Promise<void> {
    for (;;) {
      const read = await this.#collection.get(idOf(account, name));
      if (!read) return;
      check(read.value);
      const compare = [this.#collection.ifUnchanged(read)];
      if (await this.#options.commit({ compare, success: [this.#collection.remove(read.id)] })) return;
    }
  }

  /** Takes in what the store says of a key; `entry` is undefined when it was deleted. */
  apply(key: string, entry: KeyValue | undefined): void {
    const id = key.slice(this.prefix.length);
    const old = this.#records.get(id);
    if (old) this.#byName.delete(this.#options.nameOf(old));
    this.#records.delete(id);
    if (!entry) return;
    const { value } = this.#collection.read(entry);
    this.#records.set(id, value);
    this.#byName.set(this.#options.nameOf(value), value);
  }

  clear(): void {
    this.#records.clear();
    this.#byName.clear();
  }
}

function idOf(account: string, name: string): string {
  return `${account}/${name.toLowerCase()}`;
}
