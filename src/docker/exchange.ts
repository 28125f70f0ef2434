import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { DabbaError } from '#base';
import { Fields } from './fields.ts';
import { write } from './writable.ts';

/** One request and its answer, as handlers see it. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Values of the `{…}` parts of the route's path, decoded. */
  readonly params: { readonly [name: string]: string };
  readonly query: URLSearchParams;
  /** API version the client speaks, e.g. 1.41 as 41. */
  readonly minorVersion: number;
  /** Aborts when the client has gone. */
  readonly signal: AbortSignal;
  /** Present when the client asked to take over the connection; what it sent along comes out of it first. */
  readonly upgrade?: Duplex;
}

const limitBytes = 8 << 20;

/** Reads the whole body as a JSON object; an empty body is an empty object. */
export async function readBody({ request }: Exchange): Promise<Fields> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    if (sizeBytes > limitBytes)
      throw new DabbaError('InvalidArgument', `the request body is larger than ${limitBytes} bytes`);
    chunks.push(chunk);
  }
  return new Fields(parseJson(Buffer.concat(chunks).toString(), 'the request body'));
}

/** Undefined for an empty text. Throws `InvalidArgument` for what is no JSON. */
export function parseJson(text: string, what: string): unknown {
  if (text.trim() === '') return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new DabbaError('InvalidArgument', `${what} is not JSON: ${(error as Error).message}`, { cause: error }); // JSON.parse throws SyntaxError
  }
}

/** Docker's truth: anything but empty, `0`, `no`, `false`, `none`. */
export function queryFlag({ query }: Exchange, name: string): boolean {
  return !['', '0', 'no', 'false', 'none'].includes((query.get(name) ?? '').trim().toLowerCase());
}

/** A whole number, or undefined when absent. */
export function queryNumber({ query }: Exchange, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  if (!/^-?\d{1,15}$/.test(text)) throw new DabbaError('InvalidArgument', `${name}: "${text}" is not a number`);
  return Number(text);
}

/** `filters`: each name with the values it must be one of. The old form `{"name": {"value": true}}` is understood too. */
export function queryFilters({ query }: Exchange): ReadonlyMap<string, readonly string[]> {
  const fields = new Fields(parseJson(query.get('filters') ?? '', 'filters'), 'filters');
  return new Map(fields.keys().map((name) => [name, fields.set(name)] as const));
}

/** Answers with JSON. */
export function sendJson({ response }: Pick<Exchange, 'response'>, status: number, value: unknown): void {
  const body = Buffer.from(JSON.stringify(value));
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': body.length }).end(body);
}

/** Answers without a body. */
export function sendStatus({ response }: Exchange, status: number): void {
  response.writeHead(status).end();
}

/** A stream of JSON lines. The status line goes out with the first one, so a failure before it can still be a proper error. */
export class JsonLines {
  readonly #response: ServerResponse;

  constructor({ response }: Exchange) {
    this.#response = response;
  }

  /** Resolves when there is room for more. */
  async send(value: unknown): Promise<void> {
    this.start();
    await write(this.#response, `${JSON.stringify(value)}\r\n`);
  }

  get isStarted(): boolean {
    return this.#response.headersSent;
  }

  /** Sends the headers now. */
  start(): void {
    if (this.#response.headersSent) return;
    this.#response.writeHead(200, { 'content-type': 'application/json' });
    this.#response.flushHeaders();
  }

  end(): void {
    this.start();
    this.#response.end();
  }
}
