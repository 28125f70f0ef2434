/** A small client of the Kubernetes API for tests: plain requests, whole answers, watches; nothing is interpreted on the way. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, request } from 'node:https';
import type { IncomingMessage } from 'node:http';

/** Any JSON of the API: tests look into it as upstream's do, and an absent field fails the assertion. */
// oxlint-disable-next-line typescript/no-explicit-any -- the shape is what the test asserts
export type Json = any;

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Json;
}

export interface Access {
  /** `https://127.0.0.1:PORT`. */
  readonly server: string;
  readonly ca: string;
  readonly certificate?: string;
  readonly key?: string;
  readonly token?: string;
}

export type Event = { readonly type: string; readonly object: Json };

const patchTypes = {
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  json: 'application/json-patch+json',
  apply: 'application/apply-patch+yaml',
} as const;

export class Api implements Disposable {
  readonly access: Access;
  readonly #agent: Agent;

  constructor(access: Access) {
    this.access = access;
    const { ca, certificate: cert, key } = access;
    this.#agent = new Agent({ keepAlive: true, ca, ...(cert && { cert }), ...(key && { key }) });
  }

  /** One request; `body` is JSON unless it is text. */
  async call(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer> {
    const response = await this.#open(method, path, body, headers);
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString('utf8');
    const isJson = /json/.test(response.headers['content-type'] ?? '');
    return { status: response.statusCode!, headers: response.headers, body: isJson && text ? JSON.parse(text) : text };
  }

  /** The object at `path`. */
  async get(path: string, headers?: Readonly<Record<string, string>>): Promise<Json> {
    return this.#ok(await this.call('GET', path, undefined, headers), `GET ${path}`);
  }

  async post(path: string, body: unknown): Promise<Json> {
    return this.#ok(await this.call('POST', path, body), `POST ${path}`);
  }

  async put(path: string, body: unknown): Promise<Json> {
    return this.#ok(await this.call('PUT', path, body), `PUT ${path}`);
  }

  async patch(path: string, body: unknown, kind: keyof typeof patchTypes = 'merge'): Promise<Json> {
    return this.#ok(await this.call('PATCH', path, body, { 'content-type': patchTypes[kind] }), `PATCH ${path}`);
  }

  async delete(path: string, body?: unknown): Promise<Json> {
    return this.#ok(await this.call('DELETE', path, body), `DELETE ${path}`);
  }

  /** The request must be refused with this code; answers the `Status`. */
  async refused(
    code: number,
    method: string,
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Json> {
    const answer = await this.call(method, path, body, headers);
    assert.equal(answer.status, code, `${method} ${path}: ${JSON.stringify(answer.body).slice(0, 600)}`);
    assert.equal(answer.body.kind, 'Status');
    return answer.body;
  }

  /** Opens a watch of `path` (its query may hold selectors); its events follow until `signal` or the server ends it. */
  async open(path: string, signal: AbortSignal): Promise<AsyncGenerator<Event>> {
    const query = `${path}${path.includes('?') ? '&' : '?'}watch=true`;
    const response = await this.#open('GET', query, undefined, {}, signal);
    assert.equal(response.statusCode, 200, `watch ${path}`);
    return events(response, signal);
  }

  /** The same as one sequence. */
  async *watch(path: string, signal: AbortSignal): AsyncGenerator<Event> {
    yield* await this.open(path, signal);
  }

  /** Reads lines of a stream until one `holds`; false when it ended before. */
  async follow(path: string, signal: AbortSignal, holds: (line: string) => boolean): Promise<boolean> {
    const response = await this.#open('GET', path, undefined, {}, signal);
    for await (const line of lines(response, signal)) if (holds(line)) return true;
    return false;
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }

  #ok({ status, body }: Answer, what: string): Json {
    assert.ok(status < 300, `${what}: ${status} ${JSON.stringify(body).slice(0, 600)}`);
    return body;
  }

  async #open(
    method: string,
    path: string,
    body: unknown,
    headers: Readonly<Record<string, string>>,
    signal?: AbortSignal,
  ): Promise<IncomingMessage> {
    const { token } = this.access;
    const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
    const sent = request(new URL(path, this.access.server), {
      method,
      agent: this.#agent,
      headers: {
        ...(text !== undefined && {
          'content-type': 'application/json',
          'content-length': String(Buffer.byteLength(text)),
        }),
        ...(token && { authorization: `Bearer ${token}` }),
        ...headers,
      },
      ...(signal && { signal }),
    });
    sent.end(text);
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    return response;
  }
}

async function* events(response: IncomingMessage, signal: AbortSignal): AsyncGenerator<Event> {
  for await (const line of lines(response, signal)) yield JSON.parse(line);
}

/** The lines of a stream, until it ends or the signal aborts it. */
async function* lines(response: IncomingMessage, signal: AbortSignal): AsyncGenerator<string> {
  let rest = '';
  try {
    for await (const chunk of response.setEncoding('utf8')) {
      const whole = (rest + String(chunk)).split('\n');
      rest = whole.pop()!;
      yield* whole;
    }
    if (rest) yield rest;
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** How long anything of the cluster may take to become true in a test. */
export const PATIENCE_MS = 15_000;

/** Follows one collection from now on and hands out its events in order. */
export class Watch implements AsyncDisposable {
  readonly #stop: AbortController;
  readonly #events: AsyncGenerator<Event>;

  private constructor(stop: AbortController, events: AsyncGenerator<Event>) {
    this.#stop = stop;
    this.#events = events;
  }

  /** Resolves when the server has begun to follow. */
  static async on(api: Api, path: string, patienceMs = PATIENCE_MS): Promise<Watch> {
    const stop = new AbortController();
    return new Watch(stop, await api.open(path, AbortSignal.any([stop.signal, AbortSignal.timeout(patienceMs)])));
  }

  /** The next event that is of `type` and for which `holds`; fails when none comes. */
  async next(type: string, holds: (object: Json) => boolean = () => true): Promise<Json> {
    for (;;) {
      const { value, done } = await this.#events.next();
      assert.ok(!done, `the watch ended before ${type}`);
      if (value.type === type && holds(value.object)) return value.object;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#events.return(undefined);
  }
}

/** Waits until an object holds what is asked, woken by its watch; answers it. */
export async function until(api: Api, path: string, holds: (object: Json) => boolean): Promise<Json> {
  const at = path.lastIndexOf('/');
  const [collection, name] = [path.slice(0, at), path.slice(at + 1)];
  const list = await api.get(`${collection}?fieldSelector=metadata.name%3D${name}`);
  const found = list.items.find(holds);
  if (found) return found;
  const signal = AbortSignal.timeout(PATIENCE_MS);
  let last: Json = list.items[0];
  for await (const { object } of api.watch(
    `${collection}?fieldSelector=metadata.name%3D${name}&resourceVersion=${list.metadata.resourceVersion}`,
    signal,
  )) {
    last = object;
    if (holds(object)) return object;
  }
  throw new Error(
    `${path} never became what was awaited; its status is ${JSON.stringify(last?.status ?? last)?.slice(0, 2000)}`,
  );
}

/** Waits until an object is gone. */
export async function untilGone(api: Api, path: string): Promise<void> {
  const at = path.lastIndexOf('/');
  const [collection, name] = [path.slice(0, at), path.slice(at + 1)];
  const selector = `fieldSelector=metadata.name%3D${name}`;
  const list = await api.get(`${collection}?${selector}`);
  if (list.items.length === 0) return;
  const signal = AbortSignal.timeout(PATIENCE_MS);
  for await (const { type } of api.watch(
    `${collection}?${selector}&resourceVersion=${list.metadata.resourceVersion}`,
    signal,
  ))
    if (type === 'DELETED') return;
  assert.fail(`${path} was never deleted`);
}
