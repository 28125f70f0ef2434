import type { Socket } from 'node:net';
import { type Clock, DabbaError, type Logger, messageOf } from '#base';
import { type Frame, FrameSocket } from './frames.ts';
import { type Hello, PROTOCOL_VERSION, type Reply, type Request, unpackError } from './messages.ts';

export interface LinkOptions {
  readonly open: () => Socket;
  readonly hello: Omit<Hello, 'protocol'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly patienceMs: number;
}

type WithoutId<T> = T extends unknown ? Omit<T, 'id'> : never;
/** A request before it has a number. */
export type Question = WithoutId<Request>;

/** Something that is asked of the server, once or anew on every connection. */
export interface Outstanding {
  /** What to send on a connection; called again on the next one if this one breaks. */
  question(): { readonly request: Question; readonly blobs: readonly Uint8Array[] };
  /** True when it is over. */
  onReply(reply: Reply, blobs: readonly Buffer[]): boolean;
  onError(error: DabbaError): void;
  /** The connection broke after it was sent: true to ask again on the next one. */
  onLoss(): boolean;
  /** True for what waits however long the server is away. */
  readonly isPatient: boolean;
}

/** Pauses between attempts to connect. Nothing announces that a server listens again, so a timer it is. */
const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 1000;

/** One lasting line to the server over many connections: numbers what is asked, sends it in order, and asks again what can be repeated. */
export class Link {
  readonly #options: LinkOptions;
  /** In the order they were asked, which is the order they are sent in on every connection. */
  readonly #outstanding = new Map<number, { readonly what: Outstanding; isSent: boolean }>();
  readonly #closing = new AbortController();
  #frames: FrameSocket | undefined;
  #isWelcome = false;
  #nextId = 1;
  /** Set while there is no hope: what calls fail with at once. */
  #despair: DabbaError | undefined;
  /** The last revision the server told us of; a watch that has to begin anew begins behind it. */
  seenRevision = 0;

  constructor(options: LinkOptions) {
    this.#options = options;
    void this.#run();
  }

  /** Resolves with the last reply. `isOnce`: fails as `Unavailable` when the connection breaks after it was sent. */
  ask(
    request: Question,
    blobs: readonly Uint8Array[] = [],
    options: {
      readonly isOnce?: boolean;
      readonly onPart?: (reply: Reply, blobs: readonly Buffer[]) => void;
      readonly onRestart?: () => void;
    } = {},
  ): Promise<{ readonly reply: Reply; readonly blobs: readonly Buffer[] }> {
    const { promise, resolve, reject } = Promise.withResolvers<{ reply: Reply; blobs: readonly Buffer[] }>();
    this.begin({
      isPatient: false,
      question: () => ({ request, blobs }),
      onReply: (reply, values) => {
        options.onPart?.(reply, values);
        const isPart = 'entries' in reply && reply.revision === undefined;
        if (!isPart) resolve({ reply, blobs: values });
        return !isPart;
      },
      onError: reject,
      onLoss: () => {
        if (options.isOnce) return false;
        options.onRestart?.();
        return true;
      },
    });
    return promise;
  }

  /** Starts asking; returns the number by which the request can be told more. */
  begin(what: Outstanding): number {
    const id = this.#nextId++;
    const hopeless = this.#closing.signal.aborted ? closed() : what.isPatient ? undefined : this.#despair;
    if (hopeless) {
      what.onError(hopeless);
      return id;
    }
    const entry = { what, isSent: false };
    this.#outstanding.set(id, entry);
    if (this.#isWelcome) this.#send(id, entry);
    return id;
  }

  /** Tells the server more about a request that is under way; lost if there is no connection. */
  tell(id: number, more: { readonly call: 'cancel' } | { readonly call: 'taken'; readonly count: number }): void {
    if (more.call === 'cancel') this.#outstanding.delete(id);
    if (this.#isWelcome) this.#frames?.send({ id, ...more });
  }

  close(): void {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    this.#frames?.socket.destroy();
    for (const id of this.#outstanding.keys()) this.#fail(id, closed());
  }

  async #run(): Promise<void> {
    let pauseMs = FIRST_PAUSE_MS;
    let patience = this.#startPatience();
    while (!this.#closing.signal.aborted) {
      if (await this.#connection(() => patience.abort())) {
        pauseMs = FIRST_PAUSE_MS;
        patience = this.#startPatience();
      }
      await this.#options.clock.sleep(pauseMs, this.#closing.signal).catch(() => undefined);
      pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
    }
  }

  /** Lives through one connection; resolves when it is over, with whether the server let us in. */
  async #connection(onWelcome: () => void): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { open, hello, logger } = this.#options;
    const socket = open();
    socket.on('error', (error) => logger.warn('the store is out of reach', { error: messageOf(error) }));
    socket.once('close', () => resolve());
    this.#frames = new FrameSocket(socket, (frame) => {
      if (this.#isWelcome) this.#receive(frame);
      else if (this.#isLetIn(frame.head as Reply)) onWelcome();
    });
    if (this.#closing.signal.aborted) socket.destroy();
    this.#frames.send({ protocol: PROTOCOL_VERSION, ...hello } satisfies Hello);
    await promise;
    const wasWelcome = this.#isWelcome;
    this.#isWelcome = false;
    this.#lose();
    return wasWelcome;
  }

  #isLetIn(reply: Reply): boolean {
    if ('error' in reply) {
      this.#giveUp(unpackError(reply.error));
      return false;
    }
    this.#isWelcome = true;
    this.#despair = undefined;
    for (const [id, entry] of this.#outstanding) this.#send(id, entry);
    return true;
  }

  #send(id: number, entry: { readonly what: Outstanding; isSent: boolean }): void {
    const { request, blobs } = entry.what.question();
    entry.isSent = true;
    this.#frames!.send({ id, ...request }, blobs);
  }

  #receive({ head, blobs }: Frame): void {
    const reply = head as Reply;
    if ('error' in reply) return this.#fail(reply.id, unpackError(reply.error));
    this.#see(reply);
    if (this.#outstanding.get(reply.id)?.what.onReply(reply, blobs)) this.#outstanding.delete(reply.id);
  }

  #see(reply: Reply): void {
    const revision =
      'result' in reply
        ? reply.result.revision
        : 'batch' in reply
          ? reply.batch.revision
          : 'revision' in reply
            ? reply.revision
            : 0;
    this.seenRevision = Math.max(this.seenRevision, revision ?? 0);
  }

  #lose(): void {
    for (const [id, entry] of this.#outstanding) {
      if (!entry.isSent) continue;
      entry.isSent = false;
      if (!entry.what.onLoss()) this.#fail(id, new DabbaError('Unavailable', 'the connection to the store broke'));
    }
  }

  /** While there is no connection: after some time, calls stop waiting. */
  #startPatience(): AbortController {
    const over = new AbortController();
    void this.#options.clock.sleep(this.#options.patienceMs, AbortSignal.any([over.signal, this.#closing.signal])).then(
      () =>
        this.#giveUp(
          new DabbaError('Unavailable', `the store has been out of reach for ${this.#options.patienceMs} ms`),
        ),
      () => undefined,
    );
    return over;
  }

  #giveUp(error: DabbaError): void {
    this.#despair = error;
    for (const [id, { what }] of this.#outstanding) if (!what.isPatient) this.#fail(id, error);
  }

  #fail(id: number, error: DabbaError): void {
    const entry = this.#outstanding.get(id);
    this.#outstanding.delete(id);
    entry?.what.onError(error);
  }
}

function closed(): DabbaError {
  return new DabbaError('Unavailable', 'the store is closed');
}
