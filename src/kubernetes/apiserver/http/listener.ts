/** The HTTPS listener of a cluster's API server, on loopback. */
import { once } from 'node:events';
import { ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { Socket } from 'node:net';
import type { ApiParts } from '../parts.ts';
import { handle } from './pipeline.ts';

export interface ListenerOptions {
  /** 0 chooses a free one. */
  readonly port: number;
  readonly certificatePem: string;
  readonly keyPem: string;
  /** Client certificates of this authority name users; others are nobody's. */
  readonly clientAuthorityPem: string;
}

export interface Listener {
  readonly port: number;
  /** Ends every connection; resolves when the port is free. */
  close(): Promise<void>;
}

export async function listen(parts: ApiParts, options: ListenerOptions): Promise<Listener> {
  const stopping = new AbortController();
  const server = createServer(
    {
      cert: options.certificatePem,
      key: options.keyPem,
      ca: options.clientAuthorityPem,
      requestCert: true,
      rejectUnauthorized: false,
      // A watch may be silent for long.
      keepAliveTimeout: 120_000,
      // The command of an exec is in its URL.
      maxHeaderSize: 1024 * 1024,
    },
    (request, response) => void handle(parts, { request, response, signal: stopping.signal }),
  );
  // Logs and watches last; nothing else takes long to arrive.
  server.requestTimeout = 0;
  server.headersTimeout = 60_000;
  server.on('upgrade', (request, socket, head) => {
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(socket as Socket);
    socket.on('error', () => socket.destroy());
    void handle(parts, { request, response, upgrade: { socket, head }, signal: stopping.signal }).then(() => {
      if (!response.headersSent) return;
      // An answer instead of an upgrade: the connection has no other use, whatever else the client sent.
      const end = () => (socket.resume() as Socket).destroySoon();
      response.on('finish', end);
      if (response.writableFinished) end();
    });
  });
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  server.listen({ port: options.port, host: '127.0.0.1' });
  await once(server, 'listening');
  return {
    port: portOf(server),
    async close() {
      stopping.abort();
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function portOf(server: Server): number {
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('a listening server has an address');
  return address.port;
}
