import type { ServerResponse } from 'node:http';

/** A request that a route answers. */
export interface Exchange {
  /** What the path's groups matched, decoded. */
  readonly parts: readonly string[];
  readonly query: URLSearchParams;
  readonly response: ServerResponse;
  /** Aborts when the client has gone. */
  readonly signal: AbortSignal;
}

export interface Route {
  readonly method: string;
  readonly path: RegExp;
  /** May throw `HttpFailure` before the first byte of the answer. */
  handle(exchange: Exchange): Promise<void>;
}

/** A refusal with its HTTP status; the message is the body. */
export class HttpFailure extends Error {
  readonly statusCode: number;

  constructor(statusCode: number, message: string) {
    super(message);
    this.name = 'HttpFailure';
    this.statusCode = statusCode;
  }
}

export function notFound(what: string): HttpFailure {
  return new HttpFailure(404, what);
}
