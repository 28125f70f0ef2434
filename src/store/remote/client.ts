import { type Socket, connect } from 'node:net';
import { type Clock, type Logger, silentLogger } from '#base';
import { checkTransaction } from '../transaction.ts';
import type {
  KeyValue,
  Lease,
  ListOptions,
  ListResult,
  Store,
  Transaction,
  TransactionResult,
  WatchBatch,
  WatchOptions,
} from '../store.ts';
import { Blobs } from './frames.ts';
import { Link } from './link.ts';
import { packTransaction, unpackEntry } from './messages.ts';
import { RemoteWatch } from './watch.ts';

export type RemoteStoreOptions = {
  /** Who we are: the owner of the leases we are granted, over all our connections. */
  readonly client: string;
  readonly clock: Clock;
  readonly logger?: Logger;
  /** How long calls wait for a store that is away before they fail as `Unavailable`. Default 10 s. Watches wait for ever. */
  readonly patienceMs?: number;
} & ({ readonly socketPath: string } | { /** Opens some other stream to the server. */ readonly open: () => Socket });

/**
 * A store in another process. Returns at once and connects by itself, again after every loss; calls wait for that. A read that was under way
 * when the connection broke is asked again; a transaction is not: it fails as `Unavailable` and may or may not have happened. A watch goes on
 * behind the last revision it delivered.
 */
export function connectRemoteStore(options: RemoteStoreOptions): Store {
  return new RemoteStore(
    new Link({
      open: 'open' in options ? options.open : () => connect(options.socketPath),
      hello: { client: options.client },
      clock: options.clock,
      logger: options.logger ?? silentLogger,
      patienceMs: options.patienceMs ?? 10_000,
    }),
  );
}

class RemoteStore implements Store {
  readonly #link: Link;
  readonly #closing = new AbortController();

  constructor(link: Link) {
    this.#link = link;
  }

  async get(key: string, options: { readonly revision?: number } = {}): Promise<KeyValue | undefined> {
    const { reply, blobs } = await this.#link.ask({ call: 'get', key, ...options });
    const { entry } = reply as { entry: Parameters<typeof unpackEntry>[0] | null };
    return entry ? unpackEntry(entry, blobs) : undefined;
  }

  async list(prefix: string, options: ListOptions = {}): Promise<ListResult> {
    const entries: KeyValue[] = [];
    const { reply } = await this.#link.ask({ call: 'list', prefix, options }, [], {
      onPart: (part, blobs) => {
        if ('entries' in part) for (const packed of part.entries) entries.push(unpackEntry(packed, blobs));
      },
      onRestart: () => (entries.length = 0),
    });
    const { revision, continue: rest } = reply as { revision: number; continue?: string };
    return rest === undefined ? { entries, revision } : { entries, revision, continue: rest };
  }

  async txn(transaction: Transaction): Promise<TransactionResult> {
    // What cannot be right is refused here, so that it never costs the connection a frame that is too large.
    checkTransaction(transaction);
    const blobs = new Blobs();
    const packed = packTransaction(transaction, blobs);
    const { reply } = await this.#link.ask({ call: 'txn', transaction: packed }, blobs.list, { isOnce: true });
    return (reply as { result: TransactionResult }).result;
  }

  watch(prefix: string, options: WatchOptions): AsyncIterable<WatchBatch> {
    return new RemoteWatch(this.#link, prefix, {
      ...options,
      signal: AbortSignal.any([options.signal, this.#closing.signal]),
    });
  }

  async grantLease(ttlMs: number): Promise<Lease> {
    return this.#lease(await this.#link.ask({ call: 'grantLease', ttlMs }));
  }

  async keepAlive(leaseId: string): Promise<Lease> {
    return this.#lease(await this.#link.ask({ call: 'keepAlive', leaseId }));
  }

  async revokeLease(leaseId: string): Promise<void> {
    await this.#link.ask({ call: 'revokeLease', leaseId });
  }

  async compact(revision: number): Promise<void> {
    await this.#link.ask({ call: 'compact', revision });
  }

  async revision(): Promise<number> {
    const { reply } = await this.#link.ask({ call: 'revision' });
    return (reply as { revision: number }).revision;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#link.close();
  }

  #lease({ reply }: { readonly reply: unknown }): Lease {
    return (reply as { lease: Lease }).lease;
  }
}
