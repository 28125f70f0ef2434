import { mkdir, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { dirname } from 'node:path';
import type { Duplex } from 'node:stream';
import { type Logger, messageOf } from '#base';
import { isStatusError, StatusError } from '../../status.ts';
import type { Kubelet } from '../kubelet.ts';
import { commandRoutes } from './commands.ts';
import { logRoutes } from './logs.ts';
import { portForwardRoutes } from './port-forward.ts';
import type { Asked, Route } from './route.ts';
import { statsRoutes } from './stats.ts';
import { statusRoutes } from './status.ts';

/**
 * Serves a kubelet's HTTP API, as upstream's port 10250 has it, at a unix socket. Who may connect to the socket may do all of it: it is the API server's, which has asked who is
 * there and what they may.
 */
export async function serveKubelet(
  kubelet: Kubelet,
  { path, logger }: { readonly path: string; readonly logger: Logger },
): Promise<AsyncDisposable> {
  const routes = [statusRoutes, statsRoutes, logRoutes, commandRoutes, portForwardRoutes].flatMap((of) => of(kubelet));
  const onFailure = (request: IncomingMessage) => (error: unknown) =>
    logger.warn('a request to the kubelet failed', { path: request.url ?? '', error: messageOf(error) });
  const upgraded = new Set<Duplex>();
  const server = createServer((request, response) => {
    void answer(routes, request, response).catch((error: unknown) => {
      onFailure(request)(error);
      response.destroy();
    });
  });
  server.on('upgrade', (request, socket, head) => {
    upgraded.add(socket);
    // An error is followed by `close`.
    socket.once('close', () => upgraded.delete(socket)).on('error', () => undefined);
    // Whoever took the connection over ends it.
    void upgrade(routes, { request, socket, head }).catch((error: unknown) => {
      onFailure(request)(error);
      socket.destroy();
    });
  });
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  // Left by a kubelet that was killed.
  await rm(path, { force: true });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve));
  return {
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      for (const socket of upgraded) socket.destroy();
      await closed;
    },
  };
}

async function answer(routes: readonly Route[], request: IncomingMessage, response: ServerResponse): Promise<void> {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  try {
    for (const route of routes) {
      const asked = match(route, request);
      if (!asked) continue;
      if (route.kind === 'upgrade') throw new StatusError('BadRequest', 'Upgrade request required');
      return await route.handle({ ...asked, response, signal: gone.signal });
    }
    response.writeHead(404, { 'content-type': 'text/plain; charset=utf-8' }).end('404 page not found\n');
  } catch (error) {
    if (gone.signal.aborted) return;
    if (!isStatusError(error) || response.headersSent) throw error;
    response.writeHead(error.code, { 'content-type': 'application/json' }).end(JSON.stringify(error.toStatus()));
  }
}

async function upgrade(
  routes: readonly Route[],
  connection: { readonly request: IncomingMessage; readonly socket: Duplex; readonly head: Buffer },
): Promise<void> {
  const { request, socket } = connection;
  try {
    for (const route of routes) {
      const asked = match(route, request);
      if (asked && route.kind === 'upgrade') return await route.handle({ ...asked, ...connection });
    }
    throw new StatusError('NotFound', 'the server could not find the requested resource');
  } catch (error) {
    if (!isStatusError(error)) throw error;
    // Whoever refuses has not answered yet; clients show the body's message.
    const body = JSON.stringify(error.toStatus());
    const lines = [
      `HTTP/1.1 ${error.code} ${error.reason}`,
      'Content-Type: application/json',
      `Content-Length: ${Buffer.byteLength(body)}`,
      'Connection: close',
    ];
    socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`);
  }
}

function match(route: Route, request: IncomingMessage): Asked | undefined {
  const url = new URL(request.url ?? '/', 'http://kubelet');
  const found = route.path.exec(url.pathname);
  return found ? { parts: found.slice(1).map(decodeURIComponent), query: url.searchParams } : undefined;
}
