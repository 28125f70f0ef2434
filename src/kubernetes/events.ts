/** Events of the core group: what happened to an object, said once and counted from then on. Behaviour: client-go `tools/record`. */
import { createHash } from 'node:crypto';
import { type Clock, type Logger, messageOf, isoSeconds } from '#base';
import { KeyedQueue } from '#reconcile';
import type { Random } from '#base';
import type { ApiClient } from './client/client.ts';
import { apiVersionOf, type KubernetesObject, type ResourceType } from './object.ts';
import { events } from './resources.ts';
import { isStatusError } from './status.ts';
import type { Event, ObjectReference } from './types.ts';

export interface EventNote {
  readonly type: 'Normal' | 'Warning';
  /** `SuccessfulCreate`. */
  readonly reason: string;
  readonly message: string;
  /** `spec.containers{web}`: the part of the object that it concerns. */
  readonly fieldPath?: string;
}

export interface EventRecorder {
  /** Notes something about an object; never waits and never throws. `type` says what the object is. */
  record(type: ResourceType, object: KubernetesObject, note: EventNote): void;
  /** A recorder that speaks as another component. */
  as(component: string, host?: string): EventRecorder;
}

export interface EventRecorderOptions {
  readonly client: ApiClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** Events remembered in order to count them; older ones start anew. */
const REMEMBERED = 4096;
/** Notes that wait to be written; further ones are dropped, as upstream drops them. */
const WAITING = 1000;

interface Pending {
  readonly reference: ObjectReference;
  readonly component: string;
  readonly host: string | undefined;
  readonly note: EventNote;
  /** How often since it was last written. */
  count: number;
  firstAt: string;
  lastAt: string;
}

interface Written {
  readonly name: string;
  readonly namespace: string;
  readonly count: number;
}

/** Makes the recorder of one component; `as` makes others that share its queue. */
export function eventRecorder(options: EventRecorderOptions, component: string, host?: string): EventRecorder {
  return recorderOf(new EventWriter(options), component, host);
}

function recorderOf(writer: EventWriter, component: string, host: string | undefined): EventRecorder {
  return {
    record: (type, object, note) => writer.add({ reference: referenceTo(type, object), component, host, note }),
    as: (other, otherHost) => recorderOf(writer, other, otherHost ?? host),
  };
}

/** Refers to an object as events and owner-less references do. */
export function referenceTo(type: ResourceType, { metadata = {} }: KubernetesObject): ObjectReference {
  return {
    apiVersion: apiVersionOf(type),
    kind: type.kind,
    name: metadata.name ?? '',
    ...(metadata.namespace && { namespace: metadata.namespace }),
    ...(metadata.uid && { uid: metadata.uid }),
    ...(metadata.resourceVersion && { resourceVersion: metadata.resourceVersion }),
  };
}

/** Writes notes behind the backs of those who make them, one at a time for each distinct note. */
class EventWriter {
  readonly #options: EventRecorderOptions;
  readonly #queue: KeyedQueue;
  readonly #pending = new Map<string, Pending>();
  readonly #written = new Map<string, Written>();

  constructor(options: EventRecorderOptions) {
    const { clock, random, logger, signal } = options;
    this.#options = options;
    this.#queue = new KeyedQueue({
      clock,
      random,
      signal,
      concurrency: 2,
      work: (key) => this.#write(key),
      onFailure: (key, error) => logger.warn('an event was not written', { key, error: messageOf(error) }),
    });
  }

  add(entry: Pick<Pending, 'reference' | 'component' | 'host' | 'note'>): void {
    const key = identityOf(entry);
    const now = isoSeconds(this.#options.clock.now());
    const pending = this.#pending.get(key);
    if (!pending && this.#pending.size >= WAITING) return;
    if (pending) {
      pending.count++;
      pending.lastAt = now;
    } else this.#pending.set(key, { ...entry, count: 1, firstAt: now, lastAt: now });
    this.#queue.add(key);
  }

  async #write(key: string): Promise<void> {
    const pending = this.#pending.get(key);
    if (!pending) return;
    this.#pending.delete(key);
    const written = this.#written.get(key);
    try {
      this.#remember(key, written ? await this.#count(written, pending) : await this.#create(pending));
    } catch (error) {
      // Its namespace goes or is gone, or nobody may write it: nothing would make it better.
      if (isStatusError(error, 'Forbidden', 'NotFound', 'Invalid')) return;
      this.#pending.set(key, pending);
      throw error;
    }
  }

  async #count(written: Written, pending: Pending): Promise<Written> {
    const count = written.count + pending.count;
    const body = { count, lastTimestamp: pending.lastAt, message: pending.note.message };
    try {
      await this.#options.client.patch(events, written, { kind: 'merge', body });
      return { ...written, count };
    } catch (error) {
      // Its time to live is over: it begins again.
      if (isStatusError(error, 'NotFound')) return this.#create(pending);
      throw error;
    }
  }

  async #create({ reference, component, host, note, count, firstAt, lastAt }: Pending): Promise<Written> {
    const namespace = reference.namespace ?? 'default';
    const name = `${reference.name}.${this.#options.random.hex(16)}`;
    const event: Event = {
      metadata: { namespace, name },
      involvedObject: { ...reference, ...(note.fieldPath && { fieldPath: note.fieldPath }) },
      type: note.type,
      reason: note.reason,
      message: note.message.slice(0, 1024),
      source: { component, ...(host && { host }) },
      reportingComponent: component,
      ...(host && { reportingInstance: host }),
      firstTimestamp: firstAt,
      lastTimestamp: lastAt,
      count,
    };
    await this.#options.client.create(events, event);
    return { namespace, name, count };
  }

  #remember(key: string, written: Written): void {
    this.#written.delete(key);
    this.#written.set(key, written);
    const [oldest] = this.#written.keys();
    if (this.#written.size > REMEMBERED && oldest !== undefined) this.#written.delete(oldest);
  }
}

/** What two notes share when they are one event that happened twice. */
function identityOf({
  reference,
  component,
  host,
  note,
}: Pick<Pending, 'reference' | 'component' | 'host' | 'note'>): string {
  const { resourceVersion: _version, ...object } = reference;
  return createHash('sha256')
    .update(JSON.stringify([object, component, host, note.type, note.reason, note.message, note.fieldPath]))
    .digest('base64url');
}
