import { chmodSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { DabbaError, isDabbaError, messageOf, systemCode, type ErrorKind } from '#base';

/** JSON over HTTP on a unix socket: how the `dabba` command, the control plane and the host process talk to one another on one machine. */
export type SocketRoutes = { readonly [methodAndPath: string]: SocketHandler };

export interface SocketCall {
  readonly query: URLSearchParams;
  /** The request's body, for routes that take bytes. */
  readonly body: IncomingMessage;
  /** Aborts when the caller goes away. */
  readonly signal: AbortSignal;
}

/** Answers with what is sent as JSON. Throws `DabbaError` for failures that the caller is told of. */
export type SocketHandler = (call: SocketCall) => Promise<unknown>;

/** Serves `routes` (`'GET /status'`) on a unix socket that only root may open. A socket file left by a dead process is replaced. */
export async function serveSocket(path: string, routes: SocketRoutes): Promise<AsyncDisposable> {
  rmSync(path, { force: true });
  const server = createServer((request, response) => void answer(routes, request, response));
  server.requestTimeout = 0;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  chmodSync(path, 0o600);
  return {
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

async function answer(routes: SocketRoutes, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const aborted = new AbortController();
  response.once('close', () => aborted.abort(new DabbaError('Cancelled', 'the caller went away')));
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://socket');
  try {
    const handler = routes[`${request.method} ${pathname}`];
    if (!handler) throw new DabbaError('NotFound', `no route ${request.method} ${pathname}`);
    const result = await handler({ query: searchParams, body: request, signal: aborted.signal });
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(result ?? {}));
  } catch (error) {
    const kind: ErrorKind = isDabbaError(error) ? error.kind : 'Internal';
    if (!response.headersSent) response.writeHead(500, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ kind, message: messageOf(error) }));
  }
}

/** Calls a route. Throws the `DabbaError` the other side threw, or `Unavailable` when nobody listens. */
export async function callSocket(
  path: string,
  methodAndPath: string,
  options: { readonly body?: AsyncIterable<Uint8Array>; readonly signal?: AbortSignal } = {},
): Promise<unknown> {
  const [method, url] = methodAndPath.split(' ') as [string, string];
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const request = httpRequest({ socketPath: path, method, path: url, agent: false, signal: options.signal }, resolve);
    request.once('error', reject);
    if (options.body) pump(options.body, request).catch((error: unknown) => request.destroy(error as Error));
    else request.end();
  }).catch((error: unknown) => {
    if (['ENOENT', 'ECONNREFUSED', 'ECONNRESET'].includes(systemCode(error) ?? ''))
      throw new DabbaError('Unavailable', `nobody answers at ${path}`, { cause: error });
    if (options.signal?.aborted) throw new DabbaError('Cancelled', `no answer from ${path} in time`, { cause: error });
    throw error;
  });
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const value: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'));
  if (response.statusCode === 200) return value;
  const failure = value as { kind: ErrorKind; message: string }; // what `answer` writes
  throw new DabbaError(failure.kind, failure.message);
}

async function pump(source: AsyncIterable<Uint8Array>, target: NodeJS.WritableStream): Promise<void> {
  for await (const chunk of source)
    if (!target.write(chunk)) await new Promise<void>((resolve) => void target.once('drain', () => resolve()));
  target.end();
}

/** A connection to whatever listens at a unix socket. Throws `Unavailable` when nobody does. */
export async function dialSocket(path: string, signal: AbortSignal): Promise<Socket> {
  const socket = connect(path);
  try {
    await once(socket, 'connect', { signal });
    return socket;
  } catch (error) {
    socket.destroy();
    throw new DabbaError('Unavailable', `nobody answers at ${path}`, { cause: error });
  }
}
