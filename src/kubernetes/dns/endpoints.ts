/** Endpoints of services as names have them. */
import type { EndpointSlice } from '../types.ts';

type Endpoint = EndpointSlice['endpoints'][number];

/** One port of one endpoint that is ready. */
export interface NamedEndpoint {
  /** Its label below the service's name. */
  readonly host: string;
  readonly address: string;
  /** 0 for a slice that lists no ports. */
  readonly port: number;
  readonly portName: string;
  /** Lower case. */
  readonly protocol: string;
}

export function endpointsOf(slices: readonly EndpointSlice[]): readonly NamedEndpoint[] {
  return slices.flatMap(({ endpoints, ports }) => {
    const listed = ports?.length ? ports : [{}];
    return endpoints
      .filter(({ conditions }) => conditions?.ready !== false)
      .flatMap((endpoint) =>
        endpoint.addresses.flatMap((address) =>
          listed.map(({ name = '', port = 0, protocol = 'TCP' }) => ({
            host: hostOf(endpoint, address),
            address,
            port,
            portName: name,
            protocol: protocol.toLowerCase(),
          })),
        ),
      );
  });
}

/** The pod's hostname if it has one, else its address with dashes. */
export function hostOf({ hostname }: Endpoint, address: string): string {
  return hostname || address.replaceAll('.', '-');
}

/** The address in `10-0-1-7`; undefined for anything else. */
export function addressOfDashes(label: string): string | undefined {
  const octets = /^(\d{1,3})-(\d{1,3})-(\d{1,3})-(\d{1,3})$/.exec(label)?.slice(1);
  if (!octets?.every((octet) => Number(octet) < 256)) return undefined;
  return octets.map(Number).join('.');
}
