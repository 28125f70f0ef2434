import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Decision, UserInfo } from '../../auth/user.ts';
import type { Schemas } from '../../schema/schema.ts';
import type { RequestInfo } from './request-info.ts';

/** One request on its way through the steps of the pipeline. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The connection itself, when the client asks to leave HTTP (`Upgrade`), and the bytes it sent already. */
  readonly upgrade: { readonly socket: Duplex; readonly head: Buffer } | undefined;
  readonly url: URL;
  readonly info: RequestInfo;
  /** Who asks; anonymous until a step says otherwise. */
  user: UserInfo;
  /** Whether it may be served, and why; absent until that is decided. */
  decision?: Decision | undefined;
  /** What a creation, which names nothing in its URL, has made. */
  createdName?: string | undefined;
  readonly warnings: Set<string>;
  /** What answers in protobuf are written with. */
  readonly schemas: Schemas;
  /** Leaves its seats to other requests (priority and fairness): at the end at the latest, and of a watch when it has caught up. Idempotent. */
  leave: () => void;
  /** Aborts when the client has gone or the server stops. */
  readonly signal: AbortSignal;
}

/** A query parameter, undefined when absent or empty. */
export function parameter({ url }: Exchange, name: string): string | undefined {
  return url.searchParams.get(name) || undefined;
}

export function flag(exchange: Exchange, name: string): boolean {
  return ['1', 'true', 'True', 'TRUE', 't', 'T'].includes(parameter(exchange, name) ?? '');
}
