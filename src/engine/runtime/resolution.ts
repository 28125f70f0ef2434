import { DabbaError } from '#base';
import type { Resolution } from '../engine.ts';

/** How a container resolves names: what its network says, joined with what was asked. */
export interface JoinedResolution {
  readonly nameservers: readonly string[];
  readonly searchDomains: readonly string[];
  readonly options: readonly string[];
  readonly hosts: readonly { readonly address: string; readonly names: readonly string[] }[];
}

/** Stands for the machine in a host entry, as clients write it (`--add-host machine:host-gateway`). */
const hostGateway = 'host-gateway';

/** Name servers, search domains (`.` for none) and options asked for replace the network's; hosts come on top. */
export function joinResolution(
  asked: Resolution = {},
  network: Omit<JoinedResolution, 'options'>,
  gateway?: string,
): JoinedResolution {
  const searchDomains = asked.searchDomains ?? network.searchDomains;
  return {
    nameservers: asked.nameservers ?? network.nameservers,
    searchDomains: searchDomains.filter((domain) => domain !== '.'),
    options: asked.options ?? [],
    hosts: [...network.hosts, ...(asked.hosts ?? []).map((host) => withGateway(host, gateway))],
  };
}

function withGateway(host: NonNullable<Resolution['hosts']>[number], gateway: string | undefined) {
  if (host.address !== hostGateway) return host;
  if (gateway === undefined)
    throw new DabbaError(
      'InvalidArgument',
      'unable to derive the IP value for host-gateway: the container has no bridge',
    );
  return { ...host, address: gateway };
}
