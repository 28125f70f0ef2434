import { createSocket, type Socket } from 'node:dgram';
import { createServer } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { DabbaError, messageOf } from '#base';
import { bindUdp, listenTcp, openNetworkNamespace } from '#kernel';
import type * as types from '../../types.ts';
import type { PodRun } from './run.ts';
import { dialPod } from './target.ts';
import { UdpRelay } from './udp-relay.ts';

const dialMs = 5_000;

/** Ports of the node that lead to ports of one pod (`hostPort`): connections and datagrams are taken in the node's network and carried on in the pod's. */
export class HostPorts {
  /** What is open, and what failed, which is not tried at every step. */
  readonly #open = new Map<string, Disposable | 'failed'>();

  /** Listens where the pod asks for it. What could not be had is told as an Event of the pod, once. May be repeated. */
  async open(run: PodRun): Promise<void> {
    if (run.pod.spec?.hostNetwork) return;
    for (const { container, port } of portsOf(run.pod)) {
      const key = `${port.hostIP ?? ''}:${port.hostPort}/${port.protocol ?? 'TCP'}`;
      if (this.#open.has(key)) continue;
      try {
        this.#open.set(key, await serve(run, port));
      } catch (error) {
        this.#open.set(key, 'failed');
        const message = `host port ${key} of container ${container} is not served: ${messageOf(error)}`;
        run.event('Warning', 'HostPortFailed', message);
      }
    }
  }

  close(): void {
    for (const each of this.#open.values()) if (each !== 'failed') each[Symbol.dispose]();
    this.#open.clear();
  }
}

type Port = NonNullable<types.Container['ports']>[number];

function portsOf({ spec }: types.Pod): readonly { readonly container: string; readonly port: Port }[] {
  const sidecars = (spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
  return [...sidecars, ...(spec?.containers ?? [])].flatMap(({ name, ports }) =>
    (ports ?? []).filter(({ hostPort }) => hostPort).map((port) => ({ container: name, port })),
  );
}

async function serve(run: PodRun, port: Port): Promise<Disposable> {
  switch (port.protocol ?? 'TCP') {
    case 'TCP':
      return await serveTcp(run, port);
    case 'UDP':
      return await serveUdp(run, port);
    default:
      throw new DabbaError('Unimplemented', `${port.protocol} is not served`);
  }
}

async function serveTcp(run: PodRun, port: Port): Promise<Disposable> {
  const descriptor = await onNode(run, port, listenTcp);
  const server = createServer({ allowHalfOpen: true }, (client) => {
    void (async () => {
      try {
        const address = run.sandbox?.privateIp ?? '';
        const target = await dialPod(run, { address, port: port.containerPort }, AbortSignal.timeout(dialMs));
        await Promise.allSettled([pipeline(client, target), pipeline(target, client)]);
        target.destroy();
      } finally {
        client.destroy();
      }
      // Refused there is refused here.
    })().catch(() => undefined);
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen({ fd: descriptor }, resolve));
  return { [Symbol.dispose]: () => void server.close() };
}

async function serveUdp(run: PodRun, port: Port): Promise<Disposable> {
  const { sandbox, context } = run;
  if (!sandbox) throw new DabbaError('Unavailable', `pod ${run.ref.name} has no network`);
  const { netnsPath, privateIp: address } = sandbox;
  return new UdpRelay({
    socket: socketOf(await onNode(run, port, bindUdp)),
    dial: () => {
      using namespace = openNetworkNamespace(netnsPath);
      if (!namespace) throw new DabbaError('Unavailable', `pod ${run.ref.name} has no network`);
      return socketOf(bindUdp(namespace, { address: '0.0.0.0', port: 0 }));
    },
    target: { address, port: port.containerPort },
    clock: context.clock,
  });
}

function socketOf(fd: number): Socket {
  return createSocket('udp4').bind({ fd });
}

/** A socket in the node's own network, as a descriptor. */
async function onNode(
  { context }: PodRun,
  { hostIP, hostPort }: Port,
  bind: typeof listenTcp | typeof bindUdp,
): Promise<number> {
  using namespace = openNetworkNamespace((await context.networks.own()).netnsPath);
  if (!namespace) throw new DabbaError('Unavailable', 'the node has no network');
  return bind(namespace, { address: hostIP || '0.0.0.0', port: hostPort! });
}
