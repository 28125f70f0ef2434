import { isDabbaError, messageOf, type Clock, type Logger } from '#base';
import { CompactedError, type KeyValue, type Store, type Transaction } from '#store';
import type {
  AccessKeyRecord,
  GroupRecord,
  InstanceProfileRecord,
  PolicyRecord,
  RoleRecord,
  SessionRecord,
  UserRecord,
} from './records.ts';
import { Table } from './table.ts';

const PREFIX = 'iam/';
const RETRY_MS = 500;

/**
 * All of IAM, in memory: every call of every service asks it who is calling and what they may do. The store is the truth; a watch keeps the
 * memory in step, and a write made here resolves only when the memory shows it.
 */
export class Directory {
  readonly users: Table<UserRecord>;
  readonly groups: Table<GroupRecord>;
  readonly roles: Table<RoleRecord>;
  readonly policies: Table<PolicyRecord>;
  readonly instanceProfiles: Table<InstanceProfileRecord>;
  readonly accessKeys: Table<AccessKeyRecord>;
  readonly sessions: Table<SessionRecord>;
  readonly store: Store;
  readonly #tables: readonly {
    readonly prefix: string;
    apply(key: string, entry: KeyValue | undefined): void;
    clear(): void;
  }[];
  #revision = 0;
  #waiting: { readonly revision: number; readonly wake: () => void }[] = [];

  private constructor(store: Store) {
    this.store = store;
    const table = <T extends { readonly account: string }>(kind: string, nameOf: (record: T) => string) =>
      new Table<T>(store, {
        prefix: `${PREFIX}${kind}/`,
        nameOf,
        commit: (transaction) => this.#commit(transaction),
        seen: (revision) => this.#seen(revision),
      });
    this.users = table('users', (user: UserRecord) => user.name);
    this.groups = table('groups', (group: GroupRecord) => group.name);
    this.roles = table('roles', (role: RoleRecord) => role.name);
    this.policies = table('policies', (policy: PolicyRecord) => policy.name);
    this.instanceProfiles = table('instance-profiles', (profile: InstanceProfileRecord) => profile.name);
    this.accessKeys = table('access-keys', (key: AccessKeyRecord) => key.id);
    this.sessions = table('sessions', (session: SessionRecord) => session.id);
    this.#tables = [
      this.users,
      this.groups,
      this.roles,
      this.policies,
      this.instanceProfiles,
      this.accessKeys,
      this.sessions,
    ];
  }

  /** Reads everything and follows it until `signal` is aborted. */
  static async open(options: {
    readonly store: Store;
    readonly clock: Clock;
    readonly logger: Logger;
    readonly signal: AbortSignal;
  }): Promise<Directory> {
    const directory = new Directory(options.store);
    await directory.#read();
    void directory.#follow(options);
    return directory;
  }

  async #read(): Promise<void> {
    const { entries, revision } = await this.store.list(PREFIX);
    for (const table of this.#tables) table.clear();
    for (const entry of entries) this.#apply(entry.key, entry);
    this.#advance(revision);
  }

  async #follow(options: {
    readonly clock: Clock;
    readonly logger: Logger;
    readonly signal: AbortSignal;
  }): Promise<void> {
    const { clock, logger, signal } = options;
    while (!signal.aborted)
      try {
        for await (const batch of this.store.watch(PREFIX, { fromRevision: this.#revision + 1, signal })) {
          for (const event of batch.events)
            if (event.kind === 'put') this.#apply(event.entry.key, event.entry);
            else this.#apply(event.key, undefined);
          this.#advance(batch.revision);
        }
        return;
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof CompactedError) await this.#read();
        else if (isDabbaError(error, 'Unavailable')) await clock.sleep(RETRY_MS, signal).catch(() => undefined);
        else {
          // What was read stays in use, and nothing newer would be seen: better to say so loudly and start anew.
          logger.error('the watch over identities failed', { error: messageOf(error) });
          await clock.sleep(RETRY_MS, signal).catch(() => undefined);
        }
      }
  }

  #apply(key: string, entry: KeyValue | undefined): void {
    this.#tables.find((table) => key.startsWith(table.prefix))?.apply(key, entry);
  }

  #advance(revision: number): void {
    this.#revision = Math.max(this.#revision, revision);
    const due = this.#waiting.filter((one) => one.revision <= this.#revision);
    if (!due.length) return;
    this.#waiting = this.#waiting.filter((one) => one.revision > this.#revision);
    for (const { wake } of due) wake();
  }

  #seen(revision: number): Promise<void> {
    if (revision <= this.#revision) return Promise.resolve();
    return new Promise((wake) => this.#waiting.push({ revision, wake }));
  }

  async #commit(transaction: Transaction): Promise<boolean> {
    const { succeeded, revision } = await this.store.txn(transaction);
    if (succeeded) await this.#seen(revision);
    return succeeded;
  }
}
