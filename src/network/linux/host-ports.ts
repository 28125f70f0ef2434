import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { DabbaError, systemCode } from '#base';
import type { PortRequest, PublishedPort } from '../bridges.ts';
import type { Ipv4 } from '../model.ts';

/** A request that says where. */
type PlacedRequest = PortRequest & { readonly hostIp: Ipv4 };

/** A port of the machine that nobody else can take while it is held. */
interface HeldPort extends AsyncDisposable {
  readonly port: PublishedPort;
}

/**
 * The machine's ports that lead into sandboxes. Packets are led there by rules, before any socket sees them; the sockets held here keep
 * other programs from taking the port, and tell us when another has it.
 */
export class HostPorts {
  readonly #held = new Map<string, HeldPort[]>();

  /** Holds one port of the machine for each request. Throws `ResourceExhausted` when one is taken, and then holds none of them. */
  async hold(owner: string, requests: readonly PlacedRequest[]): Promise<readonly PublishedPort[]> {
    await using undo = new AsyncDisposableStack();
    const held: HeldPort[] = [];
    for (const request of requests) held.push(undo.use(await holdFirstFree(request)));
    this.#held.set(owner, [...(this.#held.get(owner) ?? []), ...held]);
    undo.move();
    return held.map(({ port }) => port);
  }

  /** Lets go of an owner's ports. */
  async release(owner: string): Promise<void> {
    const held = this.#held.get(owner) ?? [];
    this.#held.delete(owner);
    for (const port of held) await port[Symbol.asyncDispose]();
  }

  async releaseAll(): Promise<void> {
    for (const owner of this.#held.keys()) await this.release(owner);
  }
}

async function holdFirstFree(request: PlacedRequest): Promise<HeldPort> {
  const { first, last } = request.hostPorts ?? { first: 0, last: 0 };
  for (let hostPort = first; hostPort <= last; hostPort++) {
    const held = await tryHold(request, hostPort);
    if (held) return held;
  }
  const asked = first === last ? String(first) : `${first}-${last}`;
  throw new DabbaError('ResourceExhausted', `Bind for ${request.hostIp}:${asked} failed: port is already allocated`);
}

/** Undefined when the port is taken. Port 0 takes any free one. */
async function tryHold(request: PlacedRequest, hostPort: number): Promise<HeldPort | undefined> {
  const { hostIp, protocol, containerPort } = request;
  try {
    const { boundPort, close } = await (protocol === 'tcp' ? holdTcp : holdUdp)(hostIp, hostPort);
    return { port: { containerPort, protocol, hostIp, hostPort: boundPort }, [Symbol.asyncDispose]: close };
  } catch (error) {
    if (systemCode(error) === 'EADDRINUSE') return undefined;
    if (systemCode(error) === 'EADDRNOTAVAIL')
      throw new DabbaError(
        'InvalidArgument',
        `failed to bind port ${hostIp}:${hostPort}/${protocol}: cannot assign requested address`,
        { cause: error },
      );
    throw error;
  }
}

interface BoundSocket {
  readonly boundPort: number;
  readonly close: () => Promise<void>;
}

async function holdTcp(host: string, port: number): Promise<BoundSocket> {
  // Only what no rule led elsewhere comes here, such as a connection while the container ends.
  const server = createServer((socket) => socket.resetAndDestroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, exclusive: true }, resolve);
  });
  server.unref();
  const { port: boundPort } = server.address() as { readonly port: number }; // a TCP server's address is an object
  return { boundPort, close: async () => await new Promise((resolve) => server.close(() => resolve())) };
}

async function holdUdp(address: string, port: number): Promise<BoundSocket> {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.bind({ address, port, exclusive: true }, resolve);
  });
  socket.on('error', () => undefined); // it only holds the port; nobody waits for what comes in
  socket.unref();
  return {
    boundPort: socket.address().port,
    close: async () => await new Promise((resolve) => socket.close(() => resolve())),
  };
}
