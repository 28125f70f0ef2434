import { createServer, type Server } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { DabbaError, messageOf } from '#base';
import { listenTcp, openNetworkNamespace } from '#kernel';
import type * as types from '../../types.ts';
import type { PodRun } from './run.ts';
import { dialPod } from './target.ts';

const dialMs = 5_000;

/** Ports of the node that lead to ports of one pod (`hostPort`), TCP alone: connections are taken in the node's network and carried on in the pod's. */
export class HostPorts {
  readonly #servers = new Map<string, Server>();

  /** Listens where the pod asks for it. What could not be had is told as an Event of the pod, once. May be repeated. */
  async open(run: PodRun): Promise<void> {
    if (run.pod.spec?.hostNetwork) return;
    for (const { container, port } of portsOf(run.pod)) {
      const key = `${port.hostIP ?? ''}:${port.hostPort}/${port.protocol ?? 'TCP'}`;
      if (this.#servers.has(key)) continue;
      // Also marks what failed, which is not tried at every step.
      const server = createServer({ allowHalfOpen: true });
      this.#servers.set(key, server);
      try {
        if ((port.protocol ?? 'TCP') !== 'TCP') throw new DabbaError('Unimplemented', 'only TCP is served');
        await listen(server, run, port);
      } catch (error) {
        run.event(
          'Warning',
          'HostPortFailed',
          `host port ${key} of container ${container} is not served: ${messageOf(error)}`,
        );
      }
    }
  }

  close(): void {
    for (const server of this.#servers.values()) server.close();
    this.#servers.clear();
  }
}

type Port = NonNullable<types.Container['ports']>[number];

function portsOf({ spec }: types.Pod): readonly { readonly container: string; readonly port: Port }[] {
  const sidecars = (spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
  return [...sidecars, ...(spec?.containers ?? [])].flatMap(({ name, ports }) =>
    (ports ?? []).filter(({ hostPort }) => hostPort).map((port) => ({ container: name, port })),
  );
}

async function listen(server: Server, run: PodRun, { hostIP, hostPort, containerPort }: Port): Promise<void> {
  const { networks } = run.context;
  using namespace = openNetworkNamespace((await networks.own()).netnsPath);
  if (!namespace) throw new DabbaError('Unavailable', 'the node has no network');
  server.on('connection', (client) => {
    void (async () => {
      try {
        const address = run.sandbox?.privateIp ?? '';
        const target = await dialPod(run, { address, port: containerPort }, AbortSignal.timeout(dialMs));
        await Promise.allSettled([pipeline(client, target), pipeline(target, client)]);
        target.destroy();
      } finally {
        client.destroy();
      }
      // Refused there is refused here.
    })().catch(() => undefined);
  });
  const fd = listenTcp(namespace, { address: hostIP || '0.0.0.0', port: hostPort! });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen({ fd }, resolve));
}
