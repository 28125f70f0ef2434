/** The events of a watch as its client wants them: JSON lines, or protobuf frames. Source: apiserver `endpoints/handlers/response.go`. */
import { apiVersionOf } from '../../object.ts';
import { envelope, watchFrame } from '../../schema/protobuf-encode.ts';
import { bytesIn, convert, fieldIn, objectIn } from '../operations/read.ts';
import type { Seen } from '../operations/watch.ts';
import type { ApiParts, NamedCall } from '../parts.ts';
import { type EventType, watchLine } from '../storage/change.ts';
import type { StoredObject } from '../storage/stored-object.ts';
import { type Exchange, parameter } from './exchange.ts';
import type { Negotiated } from './negotiate.ts';
import { enveloped, type NamedKind, refusalOf } from './respond.ts';
import { columnsOf, includeObjectOf, partialMetadata, tableOf } from './table.ts';
import type { EventSink } from './watch-sinks.ts';

/** Unsent bytes after which a reader is too slow to be kept. */
const MAX_UNSENT_BYTES = 16 * 1024 * 1024;
/** Changes that may come while a client takes what there is already. */
const MAX_WAITING = 10_000;

interface Watching {
  readonly exchange: Exchange;
  readonly call: NamedCall;
  readonly as: Negotiated;
  readonly sink: EventSink;
}

/** Writes events, in order, to a client that may be slow. */
export class WatchEvents {
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

  /** Aborts when the client is too slow, or was told of a failure: the watch is to end. */
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
    try {
      await convert(this.#call.version, initial);
      for (const stored of initial) {
        this.#write(this.#event('ADDED', this.#bytesOf(stored)));
        await this.#sink.ready(signal);
        if (signal.aborted) return;
      }
    } catch (error) {
      this.#fail(error);
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

  /** The answer has begun, and a listener must not throw: the stream tells it and ends. */
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
