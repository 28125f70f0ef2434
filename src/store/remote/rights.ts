import { DabbaError } from '#base';
import type { Transaction } from '../store.ts';

/** What one client may do. `key` may also be a prefix: then the whole prefix is meant. */
export interface StoreRights {
  canRead(key: string): boolean;
  canWrite(key: string): boolean;
  /** May compact, which concerns everyone. */
  readonly canCompact: boolean;
}

/** Who asks to be let in. The proof is checked by whoever grants rights. */
export interface RemoteClient {
  readonly name: string;
  readonly token: string;
}

/** Rights to read and write what lies under some prefixes. Writing does not imply reading. */
export function prefixRights(prefixes: {
  readonly read: readonly string[];
  readonly write: readonly string[];
}): StoreRights {
  const isUnder = (allowed: readonly string[]) => (key: string) => allowed.some((prefix) => key.startsWith(prefix));
  return { canRead: isUnder(prefixes.read), canWrite: isUnder(prefixes.write), canCompact: false };
}

/** Throws `PermissionDenied` unless the client may read what `key` names. */
export function checkRead(rights: StoreRights, client: RemoteClient, key: string): void {
  if (!rights.canRead(key)) throw denied(client, `read ${key || 'everything'}`);
}

/** Throws `PermissionDenied` unless the client may do every part of both branches, and read what it compares. */
export function checkRights(rights: StoreRights, client: RemoteClient, transaction: Transaction): void {
  // A comparison tells something of the key; so does writing it, therefore either right will do.
  for (const { key } of transaction.compare ?? [])
    if (!rights.canRead(key) && !rights.canWrite(key)) throw denied(client, `compare ${key}`);
  for (const operation of [...transaction.success, ...(transaction.failure ?? [])]) {
    const key = operation.kind === 'deletePrefix' ? operation.prefix : operation.key;
    if (!rights.canWrite(key)) throw denied(client, `write ${key || 'everything'}`);
  }
}

export function denied(client: RemoteClient, action: string): DabbaError {
  return new DabbaError('PermissionDenied', `${client.name} may not ${action}`);
}
