import { DabbaError } from '#base';
import type { Container, ContainerEndpoint, Network } from '#engine';
import type { Api } from './api.ts';
import { readEndpoint } from './container-network.ts';
import { queryFilters, readBody, sendJson, sendStatus, type Exchange } from './exchange.ts';
import type { Fields } from './fields.ts';
import { instantOf } from './instant.ts';
import { readNetworkCreate } from './network-create.ts';
import { networkFilter } from './network-filter.ts';

/** GET /networks. Of the containers in them it does not tell, as in Docker. */
export async function listNetworks({ engine }: Api, exchange: Exchange): Promise<void> {
  const containers = await engine.containers.list();
  const isWanted = networkFilter(queryFilters(exchange), (network) => membersOf(network, containers).length > 0);
  const networks = (await engine.networks.list()).filter(isWanted);
  sendJson(
    exchange,
    200,
    networks.map((network) => networkJson(network, [])),
  );
}

/** GET /networks/{id}, by name, id or the beginning of an id. */
export async function inspectNetwork(api: Api, exchange: Exchange): Promise<void> {
  const network = await findNetwork(api, exchange);
  const members = membersOf(network, await api.engine.containers.list());
  sendJson(exchange, 200, networkJson(network, members));
}

/** POST /networks/create. What is not honoured yet is refused by name. */
export async function createNetwork({ engine }: Api, exchange: Exchange): Promise<void> {
  const network = await engine.networks.create(readNetworkCreate(await readBody(exchange)));
  sendJson(exchange, 201, { Id: network.id, Warning: '' });
}

/** DELETE /networks/{id}. */
export async function removeNetwork(api: Api, exchange: Exchange): Promise<void> {
  const { id } = await findNetwork(api, exchange);
  await api.engine.networks.remove(id);
  sendStatus(exchange, 204);
}

/** POST /networks/prune: those without a running container. */
export async function pruneNetworks({ engine, clock }: Api, exchange: Exchange): Promise<void> {
  const { until, ...filters } = Object.fromEntries(queryFilters(exchange));
  const unknown = Object.keys(filters).find((name) => name !== 'label' && name !== 'label!');
  if (unknown !== undefined) throw new DabbaError('InvalidArgument', `invalid filter '${unknown}'`);
  const before = until?.[0] === undefined ? clock.now() : instantOf(until[0], clock.now());
  const containers = await engine.containers.list();
  const isWanted = networkFilter(new Map(Object.entries(filters)), () => false);
  const unused = (await engine.networks.list()).filter(
    (network) =>
      !network.isPredefined &&
      network.createdAt <= before &&
      isWanted(network) &&
      membersOf(network, containers).length === 0,
  );
  for (const { id } of unused) await engine.networks.remove(id);
  sendJson(exchange, 200, { NetworksDeleted: unused.length === 0 ? null : unused.map(({ name }) => name) });
}

/** POST /networks/{id}/connect. */
export async function connectNetwork(api: Api, exchange: Exchange): Promise<void> {
  const network = await findNetwork(api, exchange);
  const body = await readBody(exchange);
  const { id } = await findMember(api, body);
  const settings = body.object('EndpointConfig');
  if (settings.isGiven('Links'))
    throw new DabbaError('Unimplemented', `network ${network.name}: links are made with the container, not later`);
  await api.engine.networks.connect(id, readEndpoint(network.name, settings));
  sendStatus(exchange, 200);
}

/** POST /networks/{id}/disconnect. `Force` makes no difference: leaving is always clean. */
export async function disconnectNetwork(api: Api, exchange: Exchange): Promise<void> {
  const network = await findNetwork(api, exchange);
  const { id } = await findMember(api, await readBody(exchange));
  await api.engine.networks.disconnect(id, network.id);
  sendStatus(exchange, 200);
}

async function findNetwork({ engine }: Api, { params }: Exchange): Promise<Network> {
  const wanted = params['id']!;
  const network = await engine.networks.find(wanted);
  if (!network) throw new DabbaError('NotFound', `network ${wanted} not found`);
  return network;
}

async function findMember({ engine }: Api, body: Fields): Promise<Container> {
  const wanted = body.text('Container') ?? '';
  const container = await engine.containers.find(wanted);
  if (!container) throw new DabbaError('NotFound', `No such container: ${wanted}`);
  return container;
}

interface Member {
  readonly container: Container;
  /** Absent in the machine's own networks, which keep no places. */
  readonly joined?: NonNullable<ContainerEndpoint['joined']>;
}

/** Running containers that are in a network now. */
function membersOf({ id, driver }: Network, containers: readonly Container[]): readonly Member[] {
  return containers.flatMap((container): readonly Member[] => {
    const { mode } = container.create.network;
    if (driver !== 'bridge')
      return mode === (driver === 'null' ? 'none' : driver) && container.state.status === 'running'
        ? [{ container }]
        : [];
    const joined = container.endpoints.find(({ network }) => network?.id === id)?.joined;
    return joined ? [{ container, joined }] : [];
  });
}

function networkJson(network: Network, members: readonly Member[]): object {
  const { subnet } = network;
  const range = {
    ...(subnet?.addressRange !== undefined && { IPRange: subnet.addressRange }),
    ...(subnet?.auxiliaryAddresses && { AuxiliaryAddresses: subnet.auxiliaryAddresses }),
  };
  return {
    Name: network.name,
    Id: network.id,
    Created: new Date(network.createdAt).toISOString(),
    Scope: 'local',
    Driver: network.driver,
    EnableIPv4: true,
    EnableIPv6: false,
    IPAM: {
      Driver: 'default',
      Options: null,
      Config: subnet ? [{ Subnet: subnet.cidr, ...range, Gateway: subnet.gateway }] : [],
    },
    Internal: network.isInternal,
    Attachable: false,
    Ingress: false,
    ConfigFrom: { Network: '' },
    ConfigOnly: false,
    Containers: Object.fromEntries(
      members.map(({ container, joined }) => [
        container.id,
        {
          Name: container.name,
          EndpointID: joined?.endpointId ?? '',
          MacAddress: joined?.macAddress ?? '',
          IPv4Address: joined ? `${joined.address}/${joined.prefixLength}` : '',
          IPv6Address: '',
        },
      ]),
    ),
    Options: network.options,
    Labels: network.labels,
  };
}
