/** Where the events of a watch go: a chunked answer, or messages of a WebSocket. Source: apiserver `endpoints/handlers/watch.go`, "HandleHTTP", "HandleWS". */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Writable } from 'node:stream';
import type { WebSocket } from 'ws';
import { StatusError } from '../../status.ts';
import { acceptWebSocket, offeredProtocols } from '../../streaming/websocket-session.ts';
import type { Exchange } from './exchange.ts';

export interface EventSink {
  /** Begins the answer. Throws what the client is told. */
  open(contentType: string): Promise<void>;
  /** Names the frames that are made here: one that bears the same name may be written to another sink. Known once open. */
  readonly framing: string;
  /** An event as it is written, the same bytes for all watchers of one framing. */
  frame(event: Buffer): Buffer;
  /** Never waits, and does nothing for a client that has gone. */
  write(frame: Buffer): void;
  /** Resolves when the client has taken enough for more to be written, or the signal aborts. */
  ready(signal: AbortSignal): Promise<void>;
  readonly unsentBytes: number;
  /** Aborts when the client has gone. */
  readonly gone: AbortSignal;
  end(): void;
}

export function sinkOf(exchange: Exchange): EventSink {
  const { request, upgrade } = exchange;
  const isWebSocket = upgrade && request.headers.upgrade?.toLowerCase() === 'websocket';
  return isWebSocket ? new WebSocketSink(exchange, upgrade) : new ChunkedSink(exchange);
}

/** Makes the chunks itself, so that thousands of connections are written one buffer, each in one piece. */
class ChunkedSink implements EventSink {
  readonly gone: AbortSignal;
  readonly #response: ServerResponse;
  #isChunked = false;

  constructor({ response, signal }: Exchange) {
    this.#response = response;
    this.gone = signal;
  }

  get framing(): string {
    return this.#isChunked ? 'chunked' : 'plain';
  }

  async open(contentType: string): Promise<void> {
    this.#response.writeHead(200, { 'content-type': contentType });
    this.#response.flushHeaders();
    // What the headers promise to a client of HTTP/1.1, and not to one of 1.0; from here on it is ours to keep.
    this.#isChunked = this.#response.chunkedEncoding;
    this.#response.chunkedEncoding = false;
  }

  frame(event: Buffer): Buffer {
    if (!this.#isChunked) return event;
    return Buffer.concat([Buffer.from(`${event.length.toString(16)}\r\n`), event, Buffer.from('\r\n')]);
  }

  write(frame: Buffer): void {
    if (!this.#response.destroyed && !this.#response.writableEnded) this.#response.write(frame);
  }

  async ready(signal: AbortSignal): Promise<void> {
    await drained(this.#response, signal);
  }

  get unsentBytes(): number {
    return this.#response.writableLength;
  }

  end(): void {
    this.#response.end(this.#isChunked ? '0\r\n\r\n' : '');
  }
}

/** Events in JSON are messages of text, others binary; a subprotocol changes nothing, and is answered when it is the only one that is offered. */
class WebSocketSink implements EventSink {
  readonly framing = 'message';
  readonly #exchange: Exchange;
  readonly #upgrade: NonNullable<Exchange['upgrade']>;
  readonly #gone = new AbortController();
  #socket: WebSocket | undefined;
  #isBinary = false;

  constructor(exchange: Exchange, upgrade: NonNullable<Exchange['upgrade']>) {
    this.#exchange = exchange;
    this.#upgrade = upgrade;
  }

  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  async open(contentType: string): Promise<void> {
    const { request, response, signal } = this.#exchange;
    const [protocol = '', ...others] = offeredProtocols(request);
    if (others.length) throw new StatusError('BadRequest', 'a watch takes one subprotocol or none');
    // Of a connection that has ended, nothing would ever be heard.
    signal.throwIfAborted();
    this.#isBinary = !contentType.startsWith('application/json');
    response.detachSocket(this.#upgrade.socket as Parameters<typeof response.detachSocket>[0]);
    const socket = await acceptWebSocket({ request, ...this.#upgrade }, protocol);
    this.#socket = socket;
    // `close` follows.
    socket.on('error', () => undefined);
    socket.on('close', () => this.#gone.abort());
    // Nobody waits for what a client says when the server stops.
    signal.addEventListener('abort', () => socket.terminate(), { once: true });
    if (signal.aborted) socket.terminate();
  }

  frame(event: Buffer): Buffer {
    return event;
  }

  write(frame: Buffer): void {
    const socket = this.#socket!;
    if (socket.readyState === socket.OPEN) socket.send(frame, { binary: this.#isBinary });
  }

  async ready(signal: AbortSignal): Promise<void> {
    await drained(this.#upgrade.socket, signal);
  }

  get unsentBytes(): number {
    return this.#socket!.bufferedAmount;
  }

  end(): void {
    this.#socket!.close(1000);
  }
}

async function drained(stream: Writable, signal: AbortSignal): Promise<void> {
  if (stream.writableNeedDrain) await once(stream, 'drain', { signal }).catch(() => undefined);
}
