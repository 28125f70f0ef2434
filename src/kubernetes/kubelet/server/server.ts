import { mkdir, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { dirname } from 'node:path';
import { type Logger, messageOf } from '#base';
import type { Kubelet } from '../kubelet.ts';
import { HttpFailure, type Route } from './route.ts';
import { statusRoutes } from './status.ts';

/**
 * Serves a kubelet's HTTP API, as upstream's port 10250 has it, at a unix socket. Who may connect to the socket may do all of it: it is the API server's, which has asked who is
 * there and what they may.
 */
export async function serveKubelet(
  kubelet: Kubelet,
  { path, logger }: { readonly path: string; readonly logger: Logger },
): Promise<AsyncDisposable> {
  const routes = statusRoutes(kubelet);
  const server = createServer((request, response) => {
    void answer(routes, request, response).catch((error: unknown) => {
      logger.warn('a request to the kubelet failed', { path: request.url ?? '', error: messageOf(error) });
      response.destroy();
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
      await closed;
    },
  };
}

async function answer(routes: readonly Route[], request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://kubelet');
  for (const route of routes) {
    const match = route.path.exec(url.pathname);
    if (!match || route.method !== request.method) continue;
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const parts = match.slice(1).map(decodeURIComponent);
    try {
      return await route.handle({ parts, query: url.searchParams, response, signal: gone.signal });
    } catch (error) {
      if (gone.signal.aborted) return;
      if (!(error instanceof HttpFailure) || response.headersSent) throw error;
      response.writeHead(error.statusCode, { 'content-type': 'text/plain; charset=utf-8' }).end(error.message);
      return;
    }
  }
  response.writeHead(404, { 'content-type': 'text/plain; charset=utf-8' }).end('404 page not found\n');
}
