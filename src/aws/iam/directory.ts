import type { Clock, Logger } from '#base';
import { watchCache, type Store, type WatchCache } from '#store';
import type {
  AccessKeyRecord,
  GroupRecord,
  InstanceProfileRecord,
  OidcProviderRecord,
  PolicyRecord,
  RoleRecord,
  SessionRecord,
  UserRecord,
} from './records.ts';
import { Table } from './table.ts';

const PREFIX = 'iam/';

/** All of IAM, in memory: every call of every service asks it who is calling and what they may do. */
export class Directory {
  readonly users: Table<UserRecord>;
  readonly groups: Table<GroupRecord>;
  readonly roles: Table<RoleRecord>;
  readonly policies: Table<PolicyRecord>;
  readonly instanceProfiles: Table<InstanceProfileRecord>;
  readonly oidcProviders: Table<OidcProviderRecord>;
  readonly accessKeys: Table<AccessKeyRecord>;
  readonly sessions: Table<SessionRecord>;
  /** Where an access key is stored, by its id in lower case: a call names its key but not its account. */
  readonly #keyPaths = new Map<string, string>();

  private constructor(store: Store, cache: WatchCache<unknown>, signal: AbortSignal) {
    const table = <T extends { readonly account: string }>(kind: string, nameOf: (record: T) => string) =>
      new Table<T>({ store, cache, prefix: `${PREFIX}${kind}/`, nameOf, signal });
    this.users = table('users', (user: UserRecord) => user.name);
    this.groups = table('groups', (group: GroupRecord) => group.name);
    this.roles = table('roles', (role: RoleRecord) => role.name);
    this.policies = table('policies', (policy: PolicyRecord) => policy.name);
    this.instanceProfiles = table('instance-profiles', (profile: InstanceProfileRecord) => profile.name);
    this.oidcProviders = table('oidc-providers', ({ url }: OidcProviderRecord) => encodeURIComponent(url));
    this.accessKeys = table('access-keys', (key: AccessKeyRecord) => key.id);
    this.sessions = table('sessions', (session: SessionRecord) => session.id);
    for (const { key } of cache.list()) this.#note(key, 'put');
    cache.onChange((changes) => {
      for (const { key, current } of changes) this.#note(key, current ? 'put' : 'deleted');
    });
  }

  /** Reads everything and follows it until `signal` is aborted. */
  static async open(options: {
    readonly store: Store;
    readonly clock: Clock;
    readonly logger: Logger;
    readonly signal: AbortSignal;
  }): Promise<Directory> {
    const cache = await watchCache<unknown>({ ...options, prefix: PREFIX });
    return new Directory(options.store, cache, options.signal);
  }

  findAccessKey(id: string): AccessKeyRecord | undefined {
    const path = this.#keyPaths.get(id.toLowerCase());
    const key = path === undefined ? undefined : this.accessKeys.read(path);
    return key?.id === id ? key : undefined;
  }

  findSession(id: string): SessionRecord | undefined {
    const path = this.#keyPaths.get(id.toLowerCase());
    const session = path === undefined ? undefined : this.sessions.read(path);
    return session?.id === id ? session : undefined;
  }

  #note(path: string, change: 'put' | 'deleted'): void {
    const [, kind, , name] = path.split('/');
    if ((kind !== 'access-keys' && kind !== 'sessions') || name === undefined) return;
    if (change === 'put') this.#keyPaths.set(name, path);
    else this.#keyPaths.delete(name);
  }
}
