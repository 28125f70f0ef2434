import { connect, createServer, type Server } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { bindUdp, listenTcp, type SocketAddress } from '#kernel';
import type { Resolve } from '../dns/resolver.ts';
import { serveDns } from '../dns/server.ts';
import { RELAY_SOURCE } from '../clusters.ts';
import type { LinkLocalServer } from '../network.ts';
import type { Service } from '../rules/fabric.ts';
import type { Fabric } from './fabric.ts';

const DNS_PORT = 53;

/** Something a fabric serves, from this process. */
export interface Listener extends SocketAddress {
  readonly protocols: readonly Service['protocol'][];
  /** Opens sockets inside the fabric. Disposal closes them and what they carry. */
  open(fabric: Fabric): AsyncDisposable;
}

/** An HTTP server that every VPC's fabric has. */
export interface LinkLocalEndpoint extends SocketAddress {
  readonly onServer: LinkLocalServer;
}

/** What the fabric's rules must let in for these listeners. */
export function servicesOf(listeners: readonly Listener[]): Service[] {
  return listeners.flatMap(({ address, port, protocols }) =>
    protocols.map((protocol) => ({ address, port, protocol })),
  );
}

/** The listeners of one fabric, told apart by address and port. */
export class OpenListeners implements AsyncDisposable {
  readonly #fabric: Fabric;
  readonly #open = new Map<string, AsyncDisposable>();

  constructor(fabric: Fabric) {
    this.#fabric = fabric;
  }

  /** Opens those that are not open and closes those that are not among these. Throws when an address is taken. */
  refresh(listeners: readonly Listener[]): void {
    const wanted = new Map(listeners.map((listener) => [`${listener.address}:${listener.port}`, listener]));
    for (const [at, open] of this.#open) {
      if (wanted.has(at)) continue;
      this.#open.delete(at);
      const address = at.slice(0, at.lastIndexOf(':'));
      if (!listeners.some((listener) => listener.address === address)) this.#fabric.removeOwnAddress(address);
      void open[Symbol.asyncDispose](); // its port is free at once; only what it carries takes its time
    }
    for (const [at, listener] of wanted) {
      if (this.#open.has(at)) continue;
      this.#fabric.addOwnAddress(listener.address);
      this.#open.set(at, listener.open(this.#fabric));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closing = [...this.#open.values()];
    this.#open.clear();
    await Promise.all(closing.map(async (open) => await open[Symbol.asyncDispose]()));
  }
}

/** Keeps an address the fabric's own though nobody listens there: rules lead on what comes to it. */
export function heldAddress(address: string): Listener {
  return { address, port: 0, protocols: [], open: () => ({ async [Symbol.asyncDispose]() {} }) };
}

/** A resolver, at the usual port unless said otherwise. */
export function dnsListener(at: {
  readonly address: string;
  readonly port?: number;
  readonly resolve: Resolve;
  readonly vpcId: string | undefined;
}): Listener {
  const address = { address: at.address, port: at.port ?? DNS_PORT };
  return {
    ...address,
    protocols: ['udp', 'tcp'],
    open({ namespace }) {
      const descriptors = { udp: bindUdp(namespace, address), tcp: listenTcp(namespace, address) };
      return serveDns(descriptors, at.resolve, at.vpcId);
    },
  };
}

export function httpListener({ address, port, onServer }: LinkLocalEndpoint, vpcId: string): Listener {
  return {
    address,
    port,
    protocols: ['tcp'],
    open: ({ namespace }) => serving(onServer({ vpcId }), listenTcp(namespace, { address, port })),
  };
}

/** Carries connections on to a port of the machine's loopback, where they come from `RELAY_SOURCE`. */
export function relayListener({ address, port }: SocketAddress, toPort: number): Listener {
  return {
    address,
    port,
    protocols: ['tcp'],
    open({ namespace }) {
      const server = createServer({ allowHalfOpen: true }, (near) => {
        const far = connect({ host: '127.0.0.1', port: toPort, localAddress: RELAY_SOURCE, allowHalfOpen: true });
        // Either side may reset at any time, which the pipelines pass on to the other.
        void Promise.allSettled([pipeline(near, far), pipeline(far, near)]);
      });
      return serving(server, listenTcp(namespace, { address, port }));
    },
  };
}

/** The server at a socket that listens; disposal ends it and what it carries. */
export function serving(server: Server, descriptor: number): AsyncDisposable {
  const clients = new Set<{ destroy(): void }>();
  server.on('connection', (client) => {
    clients.add(client);
    client.once('close', () => clients.delete(client));
  });
  server.listen({ fd: descriptor });
  return {
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const client of clients) client.destroy();
      await closed;
    },
  };
}
