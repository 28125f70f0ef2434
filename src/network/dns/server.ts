import { createSocket } from 'node:dgram';
import { createServer, type Socket } from 'node:net';
import type { DnsAsker } from './zone.ts';
import type { Resolve } from './resolver.ts';

const MAX_CLIENTS = 128;
const IDLE_MS = 10_000;

/** Serves DNS on a UDP and a listening TCP descriptor, which it then owns. Disposal closes both. */
export function serveDns(
  descriptors: { readonly udp: number; readonly tcp: number },
  resolve: Resolve,
  vpcId: string | undefined,
): AsyncDisposable {
  const udp = createSocket('udp4');
  udp.on('message', (query, peer) => {
    void resolve(query, 'udp', asker(vpcId, peer.address)).then((response) => {
      if (response && isOpen) udp.send(response, peer.port, peer.address);
    });
  });
  // The peer may be gone by the time its answer leaves; nobody else can be told.
  udp.on('error', () => undefined);
  udp.bind({ fd: descriptors.udp });
  const clients = new Set<Socket>();
  const tcp = createServer((client) => {
    clients.add(client);
    client.once('close', () => clients.delete(client));
    void serveClient(client, resolve, vpcId);
  });
  tcp.maxConnections = MAX_CLIENTS;
  tcp.listen({ fd: descriptors.tcp });
  let isOpen = true;
  return {
    async [Symbol.asyncDispose]() {
      if (!isOpen) return;
      isOpen = false;
      for (const client of clients) client.destroy();
      await Promise.all([
        new Promise<void>((done) => udp.close(() => done())),
        new Promise<void>((done) => tcp.close(() => done())),
      ]);
    },
  };
}

/** One client's queries in turn, each behind its length in two bytes (RFC 1035, 4.2.2). */
async function serveClient(client: Socket, resolve: Resolve, vpcId: string | undefined): Promise<void> {
  client.setTimeout(IDLE_MS, () => client.destroy());
  const from = asker(vpcId, client.remoteAddress ?? '');
  let received = Buffer.alloc(0);
  try {
    for await (const chunk of client) {
      received = Buffer.concat([received, chunk as Buffer]);
      while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
        const query = received.subarray(2, 2 + received.readUInt16BE(0));
        received = received.subarray(2 + query.length);
        const response = await resolve(Buffer.from(query), 'tcp', from);
        if (!response) return;
        const length = Buffer.alloc(2);
        length.writeUInt16BE(response.length);
        client.write(Buffer.concat([length, response]));
      }
    }
  } catch (error) {
    // A client that resets its connection ends it; there is nobody to answer.
    if (!(error instanceof Error)) throw error;
  } finally {
    client.destroy();
  }
}

function asker(vpcId: string | undefined, address: string): DnsAsker {
  return { vpcId, address };
}
