import type { Socket } from 'node:net';
import { WebSocket } from 'ws';
import { messageOf } from '#base';
import type { DialPort } from './port-forward.ts';

/** The subprotocol of port-forwards that client libraries speak: ports are named in the request, each has a channel for bytes and one for an error (portforward/websocket.go). */
export const portChannelProtocol = 'v4.channel.k8s.io';

const dialMs = 10_000;

/** Carries one connection to each of these ports, until the client is gone. */
export async function forwardPortChannels(
  socket: WebSocket,
  { ports, dial, podName }: { readonly ports: readonly number[]; readonly dial: DialPort; readonly podName: string },
): Promise<void> {
  const gone = new AbortController();
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  void closed.then(() => gone.abort());
  // `close` follows.
  socket.on('error', () => undefined);
  const send = (channel: number, data: Buffer) =>
    new Promise<void>((resolve) => {
      if (socket.readyState !== WebSocket.OPEN) return resolve();
      socket.send(Buffer.concat([Buffer.from([channel]), data]), () => resolve());
    });
  const targets = new Map<number, Promise<Socket | undefined>>();
  socket.on('message', (message: Buffer) => void pass(socket, targets.get(message[0]!), message.subarray(1)));
  const carry = async (port: number, channel: number, target: Promise<Socket | undefined>) => {
    // Each channel begins with its port, so that the client knows which is which.
    const named = Buffer.alloc(2);
    named.writeUInt16LE(port);
    await Promise.all([send(channel, named), send(channel + 1, named)]);
    const connection = await target;
    if (!connection) return;
    gone.signal.addEventListener('abort', () => connection.destroy(), { once: true });
    try {
      for await (const chunk of connection as AsyncIterable<Buffer>) await send(channel, chunk);
    } catch (error) {
      await send(channel + 1, Buffer.from(`error forwarding port ${port} to pod ${podName}: ${messageOf(error)}`));
    }
  };
  const connect = async (port: number, channel: number): Promise<Socket | undefined> => {
    try {
      return await dial(port, AbortSignal.any([gone.signal, AbortSignal.timeout(dialMs)]));
    } catch (error) {
      await send(channel + 1, Buffer.from(`error forwarding port ${port} to pod ${podName}: ${messageOf(error)}`));
      return undefined;
    }
  };
  ports.forEach((port, index) => targets.set(index * 2, connect(port, index * 2)));
  await Promise.all(ports.map((port, index) => carry(port, index * 2, targets.get(index * 2)!)));
  socket.close(1000);
  await closed;
}

/** Hands bytes on in order; the client waits while they are not taken. */
async function pass(socket: WebSocket, target: Promise<Socket | undefined> | undefined, data: Buffer): Promise<void> {
  const connection = await target;
  if (!connection || connection.destroyed || connection.write(data)) return;
  socket.pause();
  connection.once('drain', () => socket.resume()).once('close', () => socket.resume());
}
