import { DabbaError } from '#base';
import type { Container, ContainerEndpoint, Network, NetworkCreate } from '#engine';
import type { Api } from './api.ts';
import { readEndpoint } from './container-network.ts';

import { queryFilters, readBody, sendJson, sendStatus, type Exchange } from './exchange.ts';
import type { Fields } from './fields.ts';
import { instantOf } from './instant.ts';
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

function readNetworkCreate(body: Fields): NetworkCreate {
  const name = body.word('Name');
  if (name === undefined) throw new DabbaError('InvalidArgument', 'network name cannot be empty');
  const refuse = (what: string) => {
    throw new DabbaError('Unimplemented', `network ${name}: ${what} is not supported`);
  };
  refuseDriver(body.word('Driver') ?? 'bridge');
  if (body.flag('EnableIPv6')) refuse('IPv6 (EnableIPv6): networks here carry IPv4 alone, so it');
  for (const flag of ['Ingress', 'ConfigOnly']) if (body.flag(flag)) refuse(flag);
  if (body.object('ConfigFrom').isGiven('Network')) refuse('ConfigFrom');
  const options = body.textMap('Options') ?? {};
  for (const [option, value] of Object.entries(options))
    if (ordinaryOptions[option] !== value) refuse(`option ${option}=${value}`);
  const ipam = body.object('IPAM');
  if (!['', 'default'].includes(ipam.text('Driver') ?? '')) refuse(`IPAM driver ${ipam.text('Driver')}`);
  if (ipam.isGiven('Options')) refuse('IPAM.Options');
  const [config, ...more] = ipam.objects('Config');
  // Docker's own bridge driver has no more either; these are its words.
  if (more.length > 0) throw new DabbaError('PermissionDenied', "bridge driver doesn't support multiple subnets");
  return {
    name,
    isInternal: body.flag('Internal'),
    labels: body.textMap('Labels') ?? {},
    options,
    ...(config && readAddresses(name, config)),
  };
}

function readAddresses(name: string, config: Fields): Pick<NetworkCreate, 'cidr' | 'gateway' | 'addressRange'> {
  if (config.isGiven('AuxiliaryAddresses'))
    throw new DabbaError('Unimplemented', `network ${name}: IPAM.Config.AuxiliaryAddresses is not supported`);
  const [cidr, gateway, addressRange] = ['Subnet', 'Gateway', 'IPRange'].map((member) => config.word(member));
  if (cidr === undefined && (gateway ?? addressRange) !== undefined)
    throw new DabbaError('InvalidArgument', `network ${name}: IPAM.Config without a Subnet`);
  return {
    ...(cidr !== undefined && { cidr }),
    ...(gateway !== undefined && { gateway }),
    ...(addressRange !== undefined && { addressRange }),
  };
}

/** Options of Docker's bridge driver whose values say what is so anyway. */
const ordinaryOptions: { readonly [name: string]: string } = {
  'com.docker.network.bridge.enable_icc': 'true',
  'com.docker.network.bridge.enable_ip_masquerade': 'true',
  'com.docker.network.bridge.host_binding_ipv4': '0.0.0.0',
};

function refuseDriver(driver: string): void {
  if (driver === 'host' || driver === 'null')
    throw new DabbaError('PermissionDenied', `only one instance of "${driver}" network is allowed`);
  if (driver !== 'bridge' && driver !== 'default')
    throw new DabbaError('NotFound', `could not find a network driver named ${driver}: plugin "${driver}" not found`);
}

function networkJson(network: Network, members: readonly Member[]): object {
  const { subnet } = network;
  const range = subnet?.addressRange === undefined ? {} : { IPRange: subnet.addressRange };
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
