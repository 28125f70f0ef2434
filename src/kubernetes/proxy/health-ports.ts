/**
 * The health of services on each node, for load balancers that ask which nodes have somebody to answer: kube-proxy's `healthcheck` (kubernetes
 * `pkg/proxy/healthcheck/service_health.go`), at `healthCheckNodePort` of services whose external traffic policy is Local.
 */
import { createServer, type Server } from 'node:http';
import { messageOf, type Clock, type Logger, type Random } from '#base';
import { KeyedQueue } from '#reconcile';
import { keyOf } from '../object.ts';
import { untilAborted } from '../until-aborted.ts';
import { slicesOf, type NetworkCopies } from './copies.ts';

/** A node of the cluster on this machine. */
export interface LocalNode {
  readonly name: string;
  readonly networkInterfaceId: string;
}

export interface HealthPortsOptions {
  readonly copies: Pick<NetworkCopies, 'services' | 'slices'>;
  /** `NetworkPlane.serveAt`. */
  readonly serveAt: (networkInterfaceId: string, port: number, server: Server) => AsyncDisposable;
  /** Whether the proxy of the nodes leads packets as the cluster has it. */
  readonly isProxyHealthy: () => boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface HealthPorts {
  /** The nodes that are here now. */
  setNodes(nodes: readonly LocalNode[]): void;
  /** Closes every port. */
  stop(): Promise<void>;
}

const PORTS = 'ports';

export function createHealthPorts({
  copies,
  serveAt,
  isProxyHealthy,
  clock,
  random,
  logger,
}: HealthPortsOptions): HealthPorts {
  const stopping = new AbortController();
  const open = new Map<string, AsyncDisposable>();
  let nodes: readonly LocalNode[] = [];
  const ready = Promise.race([
    Promise.all([copies.services.synced(), copies.slices.synced()]),
    untilAborted(stopping.signal),
  ]);

  const readyOn = (serviceKey: string, node: string) =>
    slicesOf(copies.slices, serviceKey)
      .flatMap(({ endpoints }) => endpoints)
      .filter(({ nodeName, conditions }) => nodeName === node && conditions?.ready !== false).length;

  const serverOf = (serviceKey: string, node: string) =>
    createServer((_request, response) => {
      const [namespace, name] = serviceKey.split('/');
      const localEndpoints = readyOn(serviceKey, node);
      const serviceProxyHealthy = isProxyHealthy();
      response.writeHead(localEndpoints > 0 && serviceProxyHealthy ? 200 : 503, {
        'content-type': 'application/json',
        'x-content-type-options': 'nosniff',
        'x-load-balancing-endpoint-weight': localEndpoints,
      });
      response.end(JSON.stringify({ service: { namespace, name }, localEndpoints, serviceProxyHealthy }));
    });

  function wanted(): ReadonlyMap<string, () => AsyncDisposable> {
    const services = copies.services.list().filter(({ spec }) => spec?.healthCheckNodePort);
    return new Map(
      services.flatMap((service) =>
        nodes.map(({ name, networkInterfaceId }): [string, () => AsyncDisposable] => {
          const port = service.spec!.healthCheckNodePort!;
          const key = keyOf(service);
          return [`${networkInterfaceId} ${port} ${key}`, () => serveAt(networkInterfaceId, port, serverOf(key, name))];
        }),
      ),
    );
  }

  async function refresh(): Promise<void> {
    const all = wanted();
    for (const [at, server] of open) {
      if (all.has(at)) continue;
      open.delete(at);
      await server[Symbol.asyncDispose]();
    }
    let failure: unknown;
    for (const [at, serve] of all)
      try {
        if (!open.has(at)) open.set(at, serve());
      } catch (error) {
        // A node whose interface is not there yet, or a port that something else has: the others are served all the same.
        failure = error;
      }
    if (failure) throw failure;
  }

  const queue = new KeyedQueue({
    clock,
    random,
    signal: stopping.signal,
    concurrency: 1,
    work: async () => {
      await ready;
      if (!stopping.signal.aborted) await refresh();
    },
    onFailure: (_key, error, failures) =>
      logger.warn('a health check port of a service is not served', { failures, error: messageOf(error) }),
  });
  const unfollow = copies.services.onChange(() => queue.add(PORTS));
  return {
    setNodes(now) {
      nodes = now;
      queue.add(PORTS);
    },
    async stop() {
      stopping.abort();
      unfollow();
      await queue.idle();
      const closing = [...open.values()];
      open.clear();
      await Promise.all(closing.map(async (server) => await server[Symbol.asyncDispose]()));
    },
  };
}
