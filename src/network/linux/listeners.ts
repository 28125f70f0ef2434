import { bindUdp, listenTcp } from '#kernel';
import type { Resolve } from '../dns/resolver.ts';
import { serveDns } from '../dns/server.ts';
import type { Ipv4 } from '../model.ts';
import type { LinkLocalServer } from '../network.ts';
import type { Service } from '../rules/fabric.ts';
import type { Fabric } from './fabric.ts';

const DNS_PORT = 53;

/** An HTTP server that every VPC's fabric has. */
export interface LinkLocalEndpoint {
  readonly address: Ipv4;
  readonly port: number;
  readonly onServer: LinkLocalServer;
}

/** What a fabric is to serve, and to whom. */
export interface ListenerPlan {
  readonly dnsAddresses: readonly Ipv4[];
  readonly resolve: Resolve;
  readonly endpoints: readonly LinkLocalEndpoint[];
  readonly vpcId: string | undefined;
}

/** What the fabric's rules must let in for these listeners. */
export function servicesOf({ dnsAddresses, endpoints }: ListenerPlan): Service[] {
  return [
    ...dnsAddresses.flatMap((address) =>
      (['udp', 'tcp'] as const).map((protocol) => ({ address, protocol, port: DNS_PORT })),
    ),
    ...endpoints.map(({ address, port }) => ({ address, port, protocol: 'tcp' as const })),
  ];
}

/** Opens sockets inside the fabric and serves there from this process. Disposal closes them and what they carry. */
export function openListeners(fabric: Fabric, plan: ListenerPlan): AsyncDisposable {
  const opened = new AsyncDisposableStack();
  try {
    for (const address of plan.dnsAddresses) openDns(fabric, address, plan, opened);
    for (const endpoint of plan.endpoints) openHttp(fabric, endpoint, plan, opened);
    return opened;
  } catch (error) {
    void opened.disposeAsync(); // the failure matters, not how long the sockets take to close
    throw error;
  }
}

function openDns(fabric: Fabric, address: Ipv4, plan: ListenerPlan, opened: AsyncDisposableStack): void {
  fabric.addOwnAddress(address);
  const at = { address, port: DNS_PORT };
  const descriptors = { udp: bindUdp(fabric.namespace, at), tcp: listenTcp(fabric.namespace, at) };
  opened.use(serveDns(descriptors, plan.resolve, plan.vpcId));
}

function openHttp(fabric: Fabric, at: LinkLocalEndpoint, plan: ListenerPlan, opened: AsyncDisposableStack): void {
  fabric.addOwnAddress(at.address);
  const server = at.onServer({ vpcId: plan.vpcId ?? '' });
  server.listen({ fd: listenTcp(fabric.namespace, at) });
  opened.defer(async () => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    await closed;
  });
}
