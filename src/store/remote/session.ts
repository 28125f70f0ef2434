import type { Socket } from 'node:net';
import { DabbaError, type Logger, isDabbaError, messageOf } from '#base';
import type { ListOptions, Store, WatchOptions } from '../store.ts';
import { Blobs, type Frame, FrameSocket } from './frames.ts';
import {
  PROTOCOL_VERSION,
  type Reply,
  type Request,
  packBatch,
  packEntry,
  packError,
  parseHello,
  unpackTransaction,
} from './messages.ts';
import { type Authorize, Rights } from './rights.ts';

export interface SessionOptions {
  readonly store: Store;
  readonly authorize: Authorize;
  readonly logger: Logger;
  /** Who was granted which lease, over all sessions of the server. */
  readonly leaseOwners: Map<string, string>;
}

/** Batches of one watch on their way to a consumer that has not taken them. */
const WATCH_WINDOW = 64;
/** Bytes of values in one part of a list. */
const LIST_PART_BYTES = 256 * 1024;
const LIST_PART_ENTRIES = 1000;

interface OpenWatch {
  readonly abort: AbortController;
  inFlight: number;
  taken: (() => void) | undefined;
}

type RequestOf<Call extends Request['call']> = Request & { readonly call: Call };

/** One client's connection at the server. */
export class Session {
  readonly #options: SessionOptions;
  readonly #frames: FrameSocket;
  readonly #watches = new Map<number, OpenWatch>();
  /** Set when the client has said who it is. */
  #peer: { readonly name: string; readonly rights: Rights } | undefined;

  constructor(socket: Socket, options: SessionOptions) {
    this.#options = options;
    this.#frames = new FrameSocket(socket, (frame) => this.#receive(frame));
    socket.on('error', (error) => options.logger.warn('a store connection broke', { error: messageOf(error) }));
    socket.once('close', () => {
      for (const { abort, taken } of this.#watches.values()) {
        abort.abort();
        taken?.();
      }
    });
  }

  end(): void {
    this.#frames.socket.destroy();
  }

  #receive({ head, blobs }: Frame): void {
    // The client's code wrote the request; its rights are checked, and the store checks the rest as it does for any caller.
    if (this.#peer) void this.#answer(head as Request, blobs);
    else this.#admit(head);
  }

  #admit(head: unknown): void {
    const { authorize, logger } = this.#options;
    try {
      const { protocol, client: name } = parseHello(head);
      if (protocol !== PROTOCOL_VERSION)
        throw new DabbaError(
          'FailedPrecondition',
          `store protocol ${protocol} is spoken, ${PROTOCOL_VERSION} expected`,
        );
      this.#peer = { name, rights: new Rights(authorize, { name }) };
      this.#reply({ id: 0, welcome: true });
    } catch (error) {
      logger.warn('a store client was turned away', { error: messageOf(error) });
      this.#reply({ id: 0, error: packError(error) });
      this.#frames.socket.end();
    }
  }

  async #answer(request: Request, blobs: readonly Buffer[]): Promise<void> {
    try {
      await this.#perform(request, blobs);
    } catch (error) {
      if (!isDabbaError(error))
        this.#options.logger.error('a store request failed', { call: request.call, error: messageOf(error) });
      this.#reply({ id: request.id, error: packError(error) });
    }
  }

  async #perform(request: Request, values: readonly Buffer[]): Promise<void> {
    const { store } = this.#options;
    const { name, rights } = this.#peer!;
    const { id } = request;
    switch (request.call) {
      case 'get': {
        rights.check({ kind: 'read', key: request.key });
        const { revision } = request;
        const entry = await store.get(request.key, revision === undefined ? {} : { revision });
        const blobs = new Blobs();
        return this.#reply({ id, entry: entry ? packEntry(entry, blobs) : null }, blobs);
      }
      case 'list':
        rights.check({ kind: 'read', key: request.prefix });
        return this.#list(request);
      case 'txn': {
        const transaction = unpackTransaction(request.transaction, values);
        rights.checkTransaction(transaction);
        for (const operation of [...transaction.success, ...(transaction.failure ?? [])])
          if (operation.kind === 'put' && operation.leaseId !== undefined) this.#checkLease(operation.leaseId);
        return this.#reply({ id, result: await store.txn(transaction) });
      }
      case 'watch':
        rights.check({ kind: 'read', key: request.prefix });
        return this.#watch(request);
      case 'cancel':
        return this.#watches.get(id)?.abort.abort();
      case 'taken':
        return this.#taken(id, request.count);
      case 'grantLease': {
        const lease = await store.grantLease(request.ttlMs);
        this.#options.leaseOwners.set(lease.id, name);
        return this.#reply({ id, lease });
      }
      case 'keepAlive':
        this.#checkLease(request.leaseId);
        return this.#reply({ id, lease: await store.keepAlive(request.leaseId) });
      case 'revokeLease':
        this.#checkLease(request.leaseId);
        await store.revokeLease(request.leaseId);
        this.#options.leaseOwners.delete(request.leaseId);
        return this.#reply({ id, done: true });
      case 'compact':
        rights.check({ kind: 'write', key: '' });
        await store.compact(request.revision);
        return this.#reply({ id, done: true });
      case 'revision':
        return this.#reply({ id, revision: await store.revision() });
      default:
        throw new DabbaError('Unimplemented', `the store has no call "${(request as Request).call}"`);
    }
  }

  /** A lease granted before this server started has no known owner, and is whose id it knows. */
  #checkLease(leaseId: string): void {
    const { name, rights } = this.#peer!;
    const owner = this.#options.leaseOwners.get(leaseId);
    if (owner !== undefined && owner !== name) throw rights.denied(`use lease ${leaseId}`);
  }

  /** Sends a list in parts, so that neither side holds it as one message. */
  async #list({ id, prefix, options }: RequestOf<'list'>): Promise<void> {
    const { entries, revision, continue: rest } = await this.#options.store.list(prefix, knownListOptions(options));
    for (let at = 0; at < entries.length;) {
      const blobs = new Blobs();
      const part = [];
      for (let bytes = 0; at < entries.length && bytes < LIST_PART_BYTES && part.length < LIST_PART_ENTRIES; at++) {
        bytes += entries[at]!.value.length;
        part.push(packEntry(entries[at]!, blobs));
      }
      this.#reply({ id, entries: part }, blobs);
      await this.#frames.drained();
    }
    this.#reply({ id, entries: [], revision, ...(rest !== undefined && { continue: rest }) });
  }

  async #watch({ id, prefix, fromRevision, isProgressWanted }: RequestOf<'watch'>): Promise<void> {
    const watch: OpenWatch = { abort: new AbortController(), inFlight: 0, taken: undefined };
    const options: WatchOptions = {
      signal: watch.abort.signal,
      isProgressWanted,
      ...(fromRevision !== undefined && { fromRevision }),
    };
    // Called at once, for the call is what fixes the revision that the watch begins with.
    const batches = this.#options.store.watch(prefix, options);
    this.#watches.set(id, watch);
    try {
      this.#reply({ id, started: true });
      for await (const batch of batches) {
        const blobs = new Blobs();
        this.#reply({ id, batch: packBatch(batch, blobs) }, blobs);
        if (++watch.inFlight >= WATCH_WINDOW) await this.#windowOf(watch);
      }
    } finally {
      this.#watches.delete(id);
    }
    // The store ended it, not the client: it is closing. The client finds another connection and goes on from there.
    if (!watch.abort.signal.aborted) this.end();
  }

  async #windowOf(watch: OpenWatch): Promise<void> {
    if (watch.abort.signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    watch.taken = resolve;
    watch.abort.signal.addEventListener('abort', () => resolve(), { once: true });
    await promise;
    watch.taken = undefined;
  }

  #taken(id: number, count: number): void {
    const watch = this.#watches.get(id);
    if (!watch) return;
    watch.inFlight = Math.max(0, watch.inFlight - count);
    if (watch.inFlight < WATCH_WINDOW) watch.taken?.();
  }

  #reply(reply: Reply, blobs?: Blobs): void {
    this.#frames.send(reply, blobs?.list);
  }
}

function knownListOptions({ revision, limit, continue: rest }: ListOptions): ListOptions {
  return {
    ...(revision !== undefined && { revision }),
    ...(limit !== undefined && { limit }),
    ...(rest !== undefined && { continue: rest }),
  };
}
