import { PassThrough } from 'node:stream';
import type { Socket } from 'node:net';
import { createWebSocketStream, WebSocketServer, type WebSocket } from 'ws';
import { DabbaError } from '#base';
import type { Api } from './api.ts';
import { relay } from './attach.ts';
import { findContainer } from './containers.ts';
import { readDetachKeys } from './detach.ts';
import { queryFlag, type Exchange } from './exchange.ts';

/** Larger messages than this are no terminal input. */
const server = new WebSocketServer({ noServer: true, maxPayload: 1 << 20, perMessageDeflate: false });

/** GET /containers/{id}/attach/ws: both directions as binary messages, output of both streams as it comes, without frames. */
export async function attachWebSocket(api: Api, exchange: Exchange): Promise<void> {
  const container = await findContainer(api, exchange);
  const detachKeys = readDetachKeys(exchange.query.get('detachKeys'));
  if (container.state.status === 'paused')
    throw new DabbaError('Conflict', `Container ${container.id} is paused, unpause the container before attach`);
  if (!exchange.upgrade || exchange.request.headers.upgrade?.toLowerCase() !== 'websocket')
    throw new DabbaError('InvalidArgument', 'this is a WebSocket endpoint: the request asks for no upgrade');
  const isStream = queryFlag(exchange, 'stream');
  const stdin = isStream && queryFlag(exchange, 'stdin') && (container.create.isStdinOpen ?? false);
  await using attachment = await api.engine.containers.attach(container.id, {
    stdin,
    stdout: isStream && queryFlag(exchange, 'stdout'),
    stderr: isStream && queryFlag(exchange, 'stderr'),
  });
  const output = createWebSocketStream(await accept(exchange, exchange.upgrade));
  // A stream of its own, for the end of the reading must not cut the closing of the connection short.
  const input = output.pipe(new PassThrough());
  output.on('error', () => input.destroy());
  if (!isStream) return void output.end();
  const { signal } = exchange;
  await relay(attachment, { input, output }, { isTty: true, hasInput: stdin, detachKeys, signal });
}

function accept({ request, response }: Exchange, socket: NonNullable<Exchange['upgrade']>): Promise<WebSocket> {
  response.detachSocket(socket as Socket); // an http server's sockets are net.Sockets
  // What it sent along was put back into the socket.
  return new Promise((resolve) => server.handleUpgrade(request, socket, Buffer.alloc(0), resolve));
}
