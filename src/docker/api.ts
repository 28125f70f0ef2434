import { createServer, ServerResponse, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { messageOf } from '#base';
import { absenceOf } from './absent.ts';
import { failureOf } from './errors.ts';
import { EventLog } from './events.ts';
import { sendJson, type Exchange } from './exchange.ts';
import { ExecSessions } from './exec.ts';
import type { DockerApiParts } from './ports.ts';
import { createRouter } from './router.ts';
import { routes } from './routes.ts';
import { listenOnSocket } from './listen.ts';

/** What handlers work with. */
export interface Api extends DockerApiParts {
  readonly execs: ExecSessions;
  readonly events: EventLog;
  /** Takes over a promise that nobody awaits; its failure is logged. */
  keep(work: Promise<unknown>): void;
}

/** The Docker Engine API of one engine. */
export interface DockerApi {
  /** Answers a request; for `node:http`'s `request` event. Never rejects. */
  handle(request: IncomingMessage, response: ServerResponse): Promise<void>;
  /** Answers a request that asks to take over the connection; for the `upgrade` event. Never rejects. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void>;
  /**
   * Serves on a unix socket, mode 0660, until disposed; a socket that a dead process left is replaced. Throws `FailedPrecondition` when
   * another process serves there. Disposing ends open connections, not containers.
   */
  listen(socketPath: string): Promise<AsyncDisposable>;
}

/** Makes the API. It keeps no truth: execs that clients created and the last events live as long as it does. */
export function createDockerApi(parts: DockerApiParts): DockerApi {
  const api: Api = {
    ...parts,
    execs: new ExecSessions(parts.clock, parts.random),
    events: new EventLog(parts.engine),
    keep: (work) =>
      void work.catch((error: unknown) =>
        parts.logger.error('docker API: left work failed', { cause: messageOf(error) }),
      ),
  };
  const route = createRouter(routes);
  const handle = (request: IncomingMessage, response: ServerResponse) =>
    answer(api, route, request, response, undefined);
  const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (head.length > 0) socket.unshift(head);
    // For answers that are no takeover: errors, above all.
    const response = new ServerResponse(request);
    response.assignSocket(socket as Socket); // an http server's sockets are net.Sockets
    response.shouldKeepAlive = false;
    response.once('finish', () => socket.end());
    return answer(api, route, request, response, socket);
  };
  return {
    handle,
    upgrade,
    async listen(socketPath) {
      // The credentials of many registries make a long header.
      const server = createServer({ maxHeaderSize: 256 * 1024 }, (request, response) => void handle(request, response));
      server.on(
        'upgrade',
        (request: IncomingMessage, socket: Duplex, head: Buffer) => void upgrade(request, socket, head),
      );
      // Builds and waits take as long as they take.
      server.requestTimeout = 0;
      return listenOnSocket(server, socketPath, (signal) => api.keep(api.events.run(signal)));
    },
  };
}

async function answer(
  api: Api,
  route: ReturnType<typeof createRouter>,
  request: IncomingMessage,
  response: ServerResponse,
  socket: Duplex | undefined,
): Promise<void> {
  const gone = new AbortController();
  const connection = socket ?? response;
  connection.once('close', () => gone.abort());
  // Without a listener a reset connection would end the process; the close above tells us of it.
  connection.on('error', () => gone.abort());
  const base = { request, response, signal: gone.signal, ...(socket ? { upgrade: socket } : {}) };
  try {
    const { pathname, query } = readTarget(request);
    const { route: found, params, minorVersion } = route(request.method ?? 'GET', pathname);
    const exchange: Exchange = { ...base, query, params, minorVersion };
    const [method, path, handler] = found;
    if (handler) return await handler(api, exchange);
    const { status, message } = absenceOf(method, path);
    sendJson(exchange, status, { message });
  } catch (error) {
    if (gone.signal.aborted) return;
    const { status, message, isDefect } = failureOf(error);
    // Without its query, which may hold build arguments.
    const path = request.url?.replace(/\?.*$/s, '');
    if (isDefect) api.logger.error('docker API: request failed', { path, cause: message });
    if (response.headersSent || (socket && response.socket === null)) connection.destroy();
    else sendJson(base, status, { message });
  }
}

function readTarget({ url = '/' }: IncomingMessage): { readonly pathname: string; readonly query: URLSearchParams } {
  const mark = url.indexOf('?');
  if (mark < 0) return { pathname: url, query: new URLSearchParams() };
  return { pathname: url.slice(0, mark), query: new URLSearchParams(url.slice(mark + 1)) };
}
