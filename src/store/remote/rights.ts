import { DabbaError } from '#base';
import type { Transaction } from '../store.ts';

/** One thing that a client wants to do. `key` is a key or a prefix; a prefix means all that lies under it, the empty one everything. */
export interface StoreAccess {
  readonly kind: 'read' | 'write';
  readonly key: string;
}

/** Who is on the other side, as it calls itself; that it can connect at all is what proves it. */
export interface RemoteClient {
  readonly name: string;
}

/** Decides whether `client` may do something. Compaction counts as writing everything. */
export type Authorize = (access: StoreAccess, client: RemoteClient) => boolean;

/** The rights of one client, checked before the store is asked. */
export class Rights {
  readonly #authorize: Authorize;
  readonly #client: RemoteClient;

  constructor(authorize: Authorize, client: RemoteClient) {
    this.#authorize = authorize;
    this.#client = client;
  }

  /** Throws `PermissionDenied` unless the client may. */
  check(access: StoreAccess): void {
    if (!this.#authorize(access, this.#client)) throw this.denied(`${access.kind} ${access.key || 'everything'}`);
  }

  /** Throws `PermissionDenied` unless the client may do every part of both branches. */
  checkTransaction(transaction: Transaction): void {
    // A comparison tells something of the key; so does writing it, therefore either right will do.
    for (const { key } of transaction.compare ?? [])
      if (!this.#authorize({ kind: 'write', key }, this.#client)) this.check({ kind: 'read', key });
    for (const operation of [...transaction.success, ...(transaction.failure ?? [])])
      this.check({ kind: 'write', key: operation.kind === 'deletePrefix' ? operation.prefix : operation.key });
  }

  denied(action: string): DabbaError {
    return new DabbaError('PermissionDenied', `${this.#client.name} may not ${action}`);
  }
}
