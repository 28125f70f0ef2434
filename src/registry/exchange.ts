import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from '#base';
import type { RegistryCaller, RegistryContent, RegistryPolicy, RepositoryName } from './registry.ts';

/** One request that has been found to be allowed, on its way to the handler of its route. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly query: URLSearchParams;
  readonly content: RegistryContent;
  readonly policy: RegistryPolicy;
  readonly logger: Logger;
  readonly host: string;
  readonly caller: RegistryCaller | undefined;
  /** The name as the path has it, for links back; differs from the repository's where the path also names account and region. */
  readonly name: string;
  readonly repository: RepositoryName;
  /** Notes for the audit what the operation turned out to be about. */
  note(facts: Pick<Noted, 'digest' | 'tag'>): void;
}

/** What handlers tell the audit. */
export interface Noted {
  digest?: string;
  tag?: string;
}

/** Answers with a JSON document. */
export function replyJson(
  response: ServerResponse,
  document: unknown,
  { status = 200, headers = {} }: { readonly status?: number; readonly headers?: Headers } = {},
): void {
  const body = Buffer.from(JSON.stringify(document));
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': body.length, ...headers });
  response.end(response.req.method === 'HEAD' ? undefined : body);
}

/** Answers without a body. */
export function replyEmpty(response: ServerResponse, status: number, headers: Headers = {}): void {
  response.writeHead(status, status === 204 ? headers : { 'content-length': 0, ...headers });
  response.end();
}

export type Headers = { readonly [name: string]: string | number | string[] };

/** The body, chunk by chunk. Unlike iterating the request itself, giving up on it leaves the connection fit to be answered. */
export function bodyOf(request: IncomingMessage): AsyncIterable<Uint8Array> {
  // No encoding was set on the request, so its chunks are buffers.
  return request.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>;
}
