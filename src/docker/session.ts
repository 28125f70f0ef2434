import { once } from 'node:events';
import { connect } from 'node:http2';
import type { Socket } from 'node:net';
import { DabbaError } from '#base';
import type { Api } from './api.ts';
import type { Exchange } from './exchange.ts';

/**
 * POST /session: the client serves its files and secrets over HTTP/2 on this connection, and we are its client, until it leaves. No build asks for
 * them: that takes BuildKit, whose own door (/grpc) is not here.
 */
export async function holdSession(_api: Api, { request, response, upgrade, signal }: Exchange): Promise<void> {
  if (!upgrade || request.headers.upgrade?.toLowerCase() !== 'h2c')
    throw new DabbaError('InvalidArgument', 'error preparing session: a session upgrades its connection to h2c');
  if (!request.headers['x-docker-expose-session-uuid'])
    throw new DabbaError('InvalidArgument', 'error preparing session: X-Docker-Expose-Session-Uuid is missing');
  response.detachSocket(upgrade as Socket); // an http server's sockets are net.Sockets
  upgrade.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n');
  const session = connect('http://client', { createConnection: () => upgrade });
  // A client that resets its connection has left.
  session.on('error', () => session.destroy());
  signal.addEventListener('abort', () => session.destroy(), { once: true });
  if (!session.closed && !session.destroyed) await once(session, 'close');
}
