import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocket, WebSocketServer } from 'ws';
import type { Status } from '../types.ts';
import { AsyncQueue } from './async-queue.ts';
import { parseSize, type RemoteSession, type StreamRequest, type TerminalSize } from './remote-command.ts';

const firstProtocol = 'channel.k8s.io';
/**
 * Subprotocols of `exec` and `attach`, the best first. The fifth can close single channels, so that input has an end; the first tells of a failure in plain words, and of
 * success nothing (kubelet `remotecommand/websocket.go`).
 */
export const commandProtocols = ['v5.channel.k8s.io', 'v4.channel.k8s.io', firstProtocol] as const;
/** Subprotocols of a plain stream over a WebSocket: bytes as they are, or in base64 (apiserver `util/wsstream`, "Reader"). A client may name none. */
export const readerProtocols = ['binary.k8s.io', 'base64.binary.k8s.io'] as const;
const channels = { stdin: 0, stdout: 1, stderr: 2, status: 3, resize: 4, close: 255 } as const;

const longestMessageBytes = 4 * 2 ** 20;
/** Messages of input that may wait before the client has to. */
const mostWaiting = 16;

/** The subprotocols a client offers, in its order. */
export function offeredProtocols(request: IncomingMessage): readonly string[] {
  const offered = request.headers['sec-websocket-protocol'] ?? '';
  return offered.split(',').flatMap((each) => each.trim() || []);
}

/** The subprotocol of those a client offers that is spoken; undefined when there is none. */
export function chooseProtocol(request: IncomingMessage, known: readonly string[]): string | undefined {
  const offered = offeredProtocols(request);
  return known.find((each) => offered.includes(each));
}

/** Takes over a connection as a WebSocket of one subprotocol, or of none (`''`). */
export function acceptWebSocket(
  { request, socket, head }: { readonly request: IncomingMessage; readonly socket: Duplex; readonly head: Buffer },
  protocol: string,
): Promise<WebSocket> {
  const server = new WebSocketServer({ noServer: true, maxPayload: longestMessageBytes, perMessageDeflate: false });
  // Names of Kubernetes' subprotocols may hold a `/`, which RFC 6455 does not allow and the library refuses.
  delete request.headers['sec-websocket-protocol'];
  if (protocol) server.on('headers', (headers) => void headers.push(`Sec-WebSocket-Protocol: ${protocol}`));
  return new Promise((resolve, reject) => {
    socket.once('close', () => reject(new Error('the client left before it was answered')));
    server.handleUpgrade(request, socket, head, resolve);
  });
}

/** A session over a WebSocket: every message begins with the number of its channel. */
export function webSocketSession(socket: WebSocket, asked: StreamRequest, protocol: string): RemoteSession {
  const gone = new AbortController();
  const stdin = new AsyncQueue<Buffer>((left) => {
    if (left < mostWaiting && socket.isPaused) socket.resume();
  });
  const sizes = new AsyncQueue<TerminalSize>();
  if (!asked.stdin) stdin.end();
  socket.on('message', (message: Buffer) => {
    const [channel, payload] = [message[0], message.subarray(1)];
    if (channel === channels.stdin && payload.length) stdin.push(payload);
    else if (channel === channels.close && payload[0] === channels.stdin) stdin.end();
    else if (channel === channels.resize) {
      const size = parseSize(payload.toString());
      if (size) sizes.push(size);
    }
    if (stdin.length >= mostWaiting) socket.pause();
  });
  // `close` follows.
  socket.on('error', () => undefined);
  socket.on('close', () => {
    stdin.end();
    sizes.end();
    gone.abort();
  });
  const send = (channel: number, data: Buffer) =>
    new Promise<void>((resolve) => {
      if (socket.readyState !== WebSocket.OPEN) return resolve();
      // Whether it arrived is told by `close`.
      socket.send(Buffer.concat([Buffer.from([channel]), data]), () => resolve());
    });
  // Clients of Kubernetes wait for a first message on each stream that they read.
  if (asked.stdout) void send(channels.stdout, Buffer.alloc(0));
  if (asked.stderr) void send(channels.stderr, Buffer.alloc(0));
  return {
    stdin,
    sizes,
    gone: gone.signal,
    async write(stream, data) {
      if (asked[stream]) await send(channels[stream], data);
    },
    async finish(status: Status) {
      if (protocol !== firstProtocol) await send(channels.status, Buffer.from(JSON.stringify(status)));
      else if (status.status !== 'Success') await send(channels.status, Buffer.from(status.message ?? ''));
      socket.close(1000);
      stdin.end();
    },
  };
}

/** Sends a stream as messages and closes the socket behind it. Returns when the client has left, too. */
export async function sendStream(socket: WebSocket, pieces: AsyncIterable<Buffer>, protocol: string): Promise<void> {
  // `close` follows.
  socket.on('error', () => undefined);
  for await (const piece of pieces) {
    if (socket.readyState !== WebSocket.OPEN) return;
    const message = protocol.startsWith('base64') ? piece.toString('base64') : piece;
    await new Promise<void>((sent) => socket.send(message, () => sent()));
  }
  socket.close(1000);
}
