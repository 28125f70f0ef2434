import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

/** A request by its path. */
export interface Asked {
  /** What the path's groups matched, decoded. */
  readonly parts: readonly string[];
  readonly query: URLSearchParams;
}

/** A request that wants an answer. */
export interface Exchange extends Asked {
  readonly response: ServerResponse;
  /** Aborts when the client has gone. */
  readonly signal: AbortSignal;
}

/** A request for another protocol on the same connection. */
export interface Upgrade extends Asked {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
}

/** May throw `StatusError` before the first byte of an answer. */
export type Route =
  | { readonly kind: 'answer'; readonly path: RegExp; readonly handle: (exchange: Exchange) => Promise<void> }
  | { readonly kind: 'upgrade'; readonly path: RegExp; readonly handle: (upgrade: Upgrade) => Promise<void> };
