import type { RemoteInfo, Socket } from 'node:dgram';
import type { Clock } from '#base';

/** As long as the kernel's connection tracking remembers a UDP flow that was answered (`nf_conntrack_udp_timeout_stream`). */
const IDLE_MS = 120_000;
/** Who asks when there are so many takes the place of the one that was silent longest. */
const MAX_FLOWS = 1024;

export interface UdpRelayOptions {
  /** Where it is sent to: bound, and the relay's own from now on. */
  readonly socket: Socket;
  /** Makes one on the far side, for each flow. */
  readonly dial: () => Socket;
  readonly target: { readonly address: string; readonly port: number };
  readonly clock: Clock;
}

interface Flow {
  readonly socket: Socket;
  readonly ending: AbortController;
  lastAt: number;
}

/**
 * Carries datagrams between those who send to a socket and a target on another network, a socket there for each sender. What cannot be carried is lost, as datagrams are.
 */
export class UdpRelay implements Disposable {
  readonly #options: UdpRelayOptions;
  readonly #socket: Socket;
  /** By the sender, the longest silent first. */
  readonly #flows = new Map<string, Flow>();

  constructor(options: UdpRelayOptions) {
    this.#options = options;
    this.#socket = options.socket;
    this.#socket.on('message', (message, sender) => this.#carry(message, sender));
    this.#socket.on('error', ignore);
  }

  [Symbol.dispose](): void {
    for (const name of this.#flows.keys()) this.#end(name);
    this.#socket.close();
  }

  #carry(message: Buffer, sender: RemoteInfo): void {
    const name = `${sender.address}:${sender.port}`;
    const { target, clock } = this.#options;
    const flow = this.#flows.get(name) ?? this.#begin(name, sender);
    if (!flow) return;
    flow.lastAt = clock.now();
    this.#flows.delete(name);
    this.#flows.set(name, flow);
    flow.socket.send(message, target.port, target.address, ignore);
  }

  #begin(name: string, { port, address }: RemoteInfo): Flow | undefined {
    const { dial, target, clock } = this.#options;
    const [longestSilent] = this.#flows.keys();
    if (this.#flows.size >= MAX_FLOWS && longestSilent !== undefined) this.#end(longestSilent);
    let socket: Socket;
    try {
      socket = dial();
    } catch {
      return undefined; // the far network is gone, or there are no descriptors left
    }
    const flow: Flow = { socket, ending: new AbortController(), lastAt: clock.now() };
    socket.on('error', ignore);
    socket.on('message', (answer, from) => {
      // Who else finds the port is no part of the flow.
      if (from.address !== target.address || from.port !== target.port) return;
      flow.lastAt = clock.now();
      this.#socket.send(answer, port, address, ignore);
    });
    this.#flows.set(name, flow);
    void this.#expire(name, flow);
    return flow;
  }

  async #expire(name: string, flow: Flow): Promise<void> {
    const { clock } = this.#options;
    const { signal } = flow.ending;
    for (let left = IDLE_MS; left > 0 && !signal.aborted; left = flow.lastAt + IDLE_MS - clock.now())
      await clock.sleep(left, signal).catch(ignore);
    if (!signal.aborted) this.#end(name);
  }

  #end(name: string): void {
    const flow = this.#flows.get(name);
    this.#flows.delete(name);
    flow?.ending.abort();
    flow?.socket.close();
  }
}

function ignore(): void {}
