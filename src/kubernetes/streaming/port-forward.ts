import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { messageOf } from '#base';
import { SpdyConnection } from './spdy/connection.ts';
import type { SpdyStream } from './spdy/stream.ts';

/** The stream protocol of port-forwarding, and the WebSocket subprotocol that carries it in binary messages. */
export const portForwardProtocol = 'portforward.k8s.io';
export const tunnelProtocol = `SPDY/3.1+${portForwardProtocol}`;

/** A connection to a port of the pod, from within. */
export type DialPort = (port: number, signal: AbortSignal) => Promise<Socket>;

interface Pair {
  error?: SpdyStream;
  data?: SpdyStream;
}

/** How long the second stream of a pair may take, as upstream's `streamCreationTimeout`. */
const pairMs = 30_000;
const dialMs = 10_000;

/**
 * Carries connections to the ports of a pod over SPDY, until the client is gone: for each one the client begins a pair of streams with the same `requestID`, one for the bytes, one
 * for an error (portforward.go, "httpStreamHandler").
 */
export async function forwardPorts(wire: Duplex, dial: DialPort, podName: string): Promise<void> {
  const pairs = new Map<string, Pair>();
  const ending = new AbortController();
  const reject = (stream: SpdyStream): void => {
    stream.destroy();
  };
  const begin = (id: string): Pair => {
    const pair: Pair = {};
    pairs.set(id, pair);
    // The other half may never come.
    AbortSignal.timeout(pairMs).addEventListener('abort', () => {
      if (pairs.get(id) !== pair) return;
      pairs.delete(id);
      pair.error?.destroy();
      pair.data?.destroy();
    });
    return pair;
  };
  const connection = new SpdyConnection(wire, {
    role: 'server',
    onStream(stream) {
      const port = Number(stream.headers.get('port'));
      const kind = stream.headers.get('streamtype');
      if (!Number.isInteger(port) || port < 1 || port > 65_535 || (kind !== 'data' && kind !== 'error'))
        return reject(stream);
      const id = stream.headers.get('requestid') ?? `${port}/${stream.id - (kind === 'data' ? 2 : 0)}`;
      const pair = pairs.get(id) ?? begin(id);
      if (pair[kind]) return reject(stream);
      pair[kind] = stream;
      const { data, error } = pair;
      if (!data || !error) return;
      pairs.delete(id);
      void carry({ data, error }, port, { dial, podName, signal: ending.signal });
    },
  });
  await connection.closed;
  ending.abort();
}

async function carry(
  { data, error }: Required<Pair>,
  port: number,
  { dial, podName, signal }: { readonly dial: DialPort; readonly podName: string; readonly signal: AbortSignal },
): Promise<void> {
  let socket: Socket;
  try {
    socket = await dial(port, AbortSignal.any([signal, AbortSignal.timeout(dialMs)]));
  } catch (cause) {
    if (signal.aborted) return;
    error.end(`error forwarding port ${port} to pod ${podName}: ${messageOf(cause)}`);
    data.destroy();
    return;
  }
  // Each direction ends by itself, as a TCP connection does; an error of one ends both.
  await Promise.allSettled([pipeline(data, socket), pipeline(socket, data)]);
  socket.destroy();
  data.destroy();
  error.end();
}
