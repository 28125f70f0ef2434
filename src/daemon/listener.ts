import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { DabbaError, systemCode } from '#base';

/** Who answers what on the one public port. */
export interface ListenerParts {
  /** Any AWS service. */
  aws(request: IncomingMessage, response: ServerResponse): Promise<void>;
  /** `/v2/` and below. */
  registry(request: IncomingMessage, response: ServerResponse): Promise<void>;
  /** `/_dabba/` and below: health, reset. */
  own(request: IncomingMessage, response: ServerResponse): Promise<void>;
}

/** Connections of clients that pool them are kept longer than the clients keep them, so that we never close one under a request. */
const KEEP_ALIVE_MS = 75_000;

/** How long a client may take from the connection, or from the answer before, to the end of its headers. */
const HEADERS_MS = 60_000;

/** Listens on loopback. Headers have to come in time; bodies, which may be images of many gigabytes, may take as long as they like. Throws `Unavailable` naming the port when another program has it. */
export async function listen(port: number, parts: ListenerParts, headersMs = HEADERS_MS): Promise<Server> {
  const options = {
    keepAliveTimeout: KEEP_ALIVE_MS,
    requestTimeout: 0,
    // Without a timeout for requests, Node has none for headers unless it is told.
    headersTimeout: headersMs,
    connectionsCheckingInterval: headersMs / 2,
  };
  const server = createServer(options, (request, response) => {
    const path = request.url ?? '/';
    if (path === '/v2' || path.startsWith('/v2/') || path.startsWith('/v2?')) void parts.registry(request, response);
    else if (path.startsWith('/_dabba/')) void parts.own(request, response);
    else void parts.aws(request, response);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  }).catch((error: unknown) => {
    if (systemCode(error) === 'EADDRINUSE')
      throw new DabbaError('Unavailable', `port ${port} is in use by another program; choose another with --port`, {
        cause: error,
      });
    throw error;
  });
  return server;
}
