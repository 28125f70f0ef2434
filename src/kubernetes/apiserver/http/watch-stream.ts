/** A watch as a stream of JSON lines, or of protobuf frames. Source: apiserver `endpoints/handlers/watch.go`. */
import { envelope, watchFrame } from '../../schema/protobuf-encode.ts';
import { StatusError } from '../../status.ts';
import { bytesIn, convert, fieldIn, objectIn } from '../operations/read.ts';
import { openWatch, type Seen } from '../operations/watch.ts';
import { type ApiParts, type NamedCall } from '../parts.ts';
import { type EventType, watchLine } from '../storage/change.ts';
import type { StoredObject } from '../storage/stored-object.ts';
import { apiVersionOf } from '../../object.ts';
import { type Exchange, flag, parameter } from './exchange.ts';
import type { Negotiated } from './negotiate.ts';
import { negotiatedFor } from './negotiated.ts';
import { enveloped, type NamedKind, refusalOf } from './respond.ts';
import { columnsOf, includeObjectOf, partialMetadata, tableOf } from './table.ts';
import { type EventSink, sinkOf } from './watch-sinks.ts';

/** Unsent bytes after which a reader is too slow to be kept. */
const MAX_UNSENT_BYTES = 16 * 1024 * 1024;
/** Changes that may come while a client takes what there is already. */
const MAX_WAITING = 10_000;
const BOOKMARK_MS = 60_000;
/** Upstream's `--min-request-timeout`: a watch without a timeout ends after half an hour to an hour. */
const DEFAULT_TIMEOUT_MS = 30 * 60_000;

const streamTypes: { readonly [form in Negotiated['form']]: string } = {
  json: 'application/json',
  yaml: 'application/json;stream=watch',
  protobuf: 'application/vnd.kubernetes.protobuf;stream=watch',
};

/** Resolves when the stream has ended. */
export async function streamWatch(parts: ApiParts, exchange: Exchange, call: NamedCall): Promise<void> {
  const as = negotiatedFor(parts, exchange, call);
  const sink = sinkOf(exchange);
  const end = AbortSignal.any([exchange.signal, sink.gone, AbortSignal.timeout(timeoutOf(exchange, parts))]);
  const lines = new Lines(parts, { exchange, call, as, sink });
  const isSendingInitial = initialOf(exchange);
  const { initial, backlog, revision, stop } = await openWatch(
    parts,
    call,
    watchQuery(exchange, call, isSendingInitial),
    (seen) => lines.add(seen),
  );
  using _listener = { [Symbol.dispose]: stop };
  await sink.open(streamTypes[as.form]);
  await lines.begin(initial ?? [], end);
  if (isSendingInitial) lines.bookmark(revision, { 'k8s.io/initial-events-end': 'true' });
  lines.goOn(backlog);
  exchange.leave();
  const wantsBookmarks = flag(exchange, 'allowWatchBookmarks');
  while (!end.aborted) {
    // A timer: bookmarks say that time has passed without an event.
    await parts.clock.sleep(BOOKMARK_MS, AbortSignal.any([end, lines.lost])).catch(() => undefined);
    if (lines.lost.aborted) break;
    // What waits to be told may be older than the bookmark would say; the next one will do.
    if (wantsBookmarks && !exchange.signal.aborted && !lines.isBehind) lines.bookmark(parts.feed.revision);
  }
  sink.end();
}

function timeoutOf(exchange: Exchange, { random }: ApiParts): number {
  const seconds = Number(parameter(exchange, 'timeoutSeconds') ?? 0);
  if (!Number.isFinite(seconds) || seconds < 0)
    throw new StatusError('BadRequest', 'timeoutSeconds is no whole number');
  return Math.round(seconds ? Math.min(seconds * 1000, 2 ** 31 - 1) : DEFAULT_TIMEOUT_MS * (1 + random.fraction()));
}

function initialOf(exchange: Exchange): boolean | undefined {
  if (parameter(exchange, 'sendInitialEvents') === undefined) {
    if (parameter(exchange, 'resourceVersionMatch'))
      throw new StatusError(
        'Invalid',
        'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided',
      );
    return undefined;
  }
  if (parameter(exchange, 'resourceVersionMatch') !== 'NotOlderThan')
    throw new StatusError(
      'Invalid',
      'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan',
    );
  return flag(exchange, 'sendInitialEvents');
}

function watchQuery(
  exchange: Exchange,
  { namespace, resource, name }: NamedCall,
  sendInitialEvents: boolean | undefined,
) {
  const version = parameter(exchange, 'resourceVersion');
  const asked = parameter(exchange, 'fieldSelector');
  const named = name ? `metadata.name=${name}` : undefined;
  return {
    namespace: resource.type.isNamespaced ? namespace : undefined,
    labelSelector: parameter(exchange, 'labelSelector'),
    fieldSelector: [asked, named].filter(Boolean).join(',') || undefined,
    resourceVersion: version,
    sendInitialEvents,
  };
}

interface Watching {
  readonly exchange: Exchange;
  readonly call: NamedCall;
  readonly as: Negotiated;
  readonly sink: EventSink;
}

/** Writes events, in order, to a client that may be slow. */
class Lines {
  readonly #parts: ApiParts;
  readonly #exchange: Exchange;
  readonly #call: NamedCall;
  readonly #as: Negotiated;
  readonly #sink: EventSink;
  readonly #lost = new AbortController();
  /** What came before its turn: the beginning is not written yet, or a webhook converts what came before. */
  #waiting: Seen[] | undefined = [];
  #hasColumns = true;
  /** Watchers that have it in common share their frames. */
  #form = '';

  constructor(parts: ApiParts, { exchange, call, as, sink }: Watching) {
    this.#parts = parts;
    this.#exchange = exchange;
    this.#call = call;
    this.#as = as;
    this.#sink = sink;
  }

  /** Aborts when the client is too slow, and the watch is to end. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Changes wait to be told. */
  get isBehind(): boolean {
    return this.#waiting !== undefined;
  }

  /** Writes what there is already, no faster than the client takes it; what changes meanwhile waits. */
  async begin(initial: readonly StoredObject[], signal: AbortSignal): Promise<void> {
    const { form, transform } = this.#as;
    this.#form = `${this.#sink.framing} ${form} ${transform} ${this.#call.version.version}`;
    await convert(this.#call.version, initial);
    for (const stored of initial) {
      this.#write(this.#event('ADDED', this.#bytesOf(stored)));
      await this.#sink.ready(signal);
      if (signal.aborted) return;
    }
  }

  /** From here on every change is written as it comes, after those that came meanwhile. */
  goOn(backlog: readonly Seen[]): void {
    const waiting = this.#waiting!;
    this.#waiting = undefined;
    for (const seen of [...backlog, ...waiting]) this.add(seen);
  }

  add(seen: Seen): void {
    if (this.#waiting) {
      if (this.#waiting.length < MAX_WAITING) this.#waiting.push(seen);
      else this.#lost.abort();
      return;
    }
    if (!this.#call.version.conversion) return this.#tell(seen);
    this.#waiting = [seen];
    void this.#tellConverted();
  }

  /** Where a webhook converts, changes wait for it; for what has come meanwhile it is asked at once. */
  async #tellConverted(): Promise<void> {
    try {
      while (this.#waiting?.length && !this.#lost.signal.aborted) {
        const taken = this.#waiting;
        this.#waiting = [];
        await convert(
          this.#call.version,
          taken.map(({ change }) => change.shown),
        );
        for (const seen of taken) this.#tell(seen);
      }
      this.#waiting = undefined;
    } catch (error) {
      this.#fail(error);
    }
  }

  #tell(seen: Seen): void {
    try {
      this.#write(this.#frameOf(seen));
    } catch (error) {
      this.#fail(error);
    }
  }

  /** A listener must not throw: the stream tells it and ends. */
  #fail(error: unknown): void {
    this.#write(this.#event('ERROR', this.#encode(refusalOf(error).toStatus())));
    this.#lost.abort();
  }

  bookmark(revision: number, annotations?: { readonly [name: string]: string }): void {
    const { version } = this.#call;
    const object = {
      kind: version.kind,
      apiVersion: apiVersionOf(version),
      metadata: { resourceVersion: String(revision), creationTimestamp: null, ...(annotations && { annotations }) },
    };
    const { transform, metaVersion } = this.#as;
    const isWhole = transform === 'none' || transform === 'Table';
    this.#write(this.#event('BOOKMARK', this.#encode(isWhole ? object : partialMetadata(object, metaVersion))));
  }

  #frameOf({ type, change }: Seen): Buffer {
    // Tables hold ages and come with columns once: each is made for its own client.
    if (this.#as.transform === 'Table') return this.#event(type, this.#bytesOf(change.shown));
    return change.line(type, this.#form, (type, stored) => this.#event(type, this.#bytesOf(stored)));
  }

  #event(type: EventType, object: Buffer): Buffer {
    return this.#sink.frame(this.#as.form === 'protobuf' ? watchFrame(type, object) : watchLine(type, object));
  }

  #encode(object: NamedKind): Buffer {
    if (this.#as.form === 'protobuf') return enveloped(this.#parts.schemas, object);
    return Buffer.from(JSON.stringify(object));
  }

  #bytesOf(stored: StoredObject): Buffer {
    const { version } = this.#call;
    if (this.#as.transform === 'none')
      return this.#as.form === 'protobuf'
        ? envelope(version, fieldIn(this.#parts, version, stored))
        : bytesIn(version, stored);
    const object = objectIn(version, stored);
    if (this.#as.transform !== 'Table') return this.#encode(partialMetadata(object, this.#as.metaVersion));
    const table = tableOf(columnsOf(this.#call), [object], {
      includeObject: includeObjectOf(parameter(this.#exchange, 'includeObject')),
      now: this.#parts.clock.now(),
      metaVersion: this.#as.metaVersion,
      metadata: { resourceVersion: String(stored.revision) },
      hasColumns: this.#hasColumns,
    });
    this.#hasColumns = false;
    return Buffer.from(JSON.stringify(table));
  }

  #write(frame: Buffer): void {
    this.#sink.write(frame);
    if (this.#sink.unsentBytes > MAX_UNSENT_BYTES) this.#lost.abort();
  }
}
