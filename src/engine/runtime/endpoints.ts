import { DabbaError, isDabbaError } from '#base';
import type { NetworkNamespace } from '#kernel';
import type { ContainerEndpoint, EndpointCreate, PortRequest } from '../networks.ts';
import type { BridgeEndpoint, BridgeNetwork } from '../ports.ts';
import type { ContainerRecord } from './record.ts';
import type { Runtime } from './runtime.ts';
import { shortId } from './spec/process.ts';

type NetworkRuntime = Pick<Runtime, 'networks' | 'events'>;

/** The networks a container is to be in: as asked at its creation, or as connected since. None unless its mode is `bridge`. */
export function wantedEndpoints({ endpoints, create: { network } }: ContainerRecord): readonly EndpointCreate[] {
  if (network.mode !== 'bridge') return [];
  return endpoints ?? network.endpoints ?? [{ network: network.network }];
}

/** Puts a container into one network, or gives it its present names there. Throws `NotFound` when there is no such network. */
export async function join(
  runtime: NetworkRuntime,
  record: ContainerRecord,
  wanted: EndpointCreate,
  namespace?: NetworkNamespace,
): Promise<void> {
  const { networks, events } = runtime;
  const network = checkEndpoint(runtime, wanted);
  const isNew = !networks.endpoints(record.id).some(({ networkId }) => networkId === network.id);
  await networks.attach({
    sandboxId: record.id,
    networkId: network.id,
    names: [record.name, shortId(record.id), ...(wanted.aliases ?? []), record.hostname],
    ...(wanted.address === undefined ? {} : { address: wanted.address }),
    ...(wanted.macAddress === undefined ? {} : { macAddress: wanted.macAddress }),
    ...(record.create.resolution?.nameservers && { nameservers: record.create.resolution.nameservers }),
    ...(namespace && { namespace }),
  });
  if (isNew) announce(events, 'connect', record, network);
}

/** The network an endpoint is to be in. Throws `NotFound`, and `InvalidArgument` for wishes that the network without names takes not. */
export function checkEndpoint({ networks }: Pick<Runtime, 'networks'>, wanted: EndpointCreate): BridgeNetwork {
  const network = networkOf(networks.list(), wanted.network);
  if (!network) throw new DabbaError('NotFound', `network ${wanted.network} not found`);
  if (network.resolvesNames) return network;
  if (wanted.address !== undefined)
    throw new DabbaError('InvalidArgument', 'user specified IP address is supported on user defined networks only');
  if (wanted.aliases?.length)
    throw new DabbaError(
      'InvalidArgument',
      'network-scoped alias is supported only for containers in user defined networks',
    );
  return network;
}

/** Takes a running container out of one network. */
export async function leave(runtime: NetworkRuntime, record: ContainerRecord, network: BridgeNetwork): Promise<void> {
  await runtime.networks.disconnect(record.id, network.id);
  announce(runtime.events, 'disconnect', record, network);
}

/** Takes a container out of every network, with its published ports. May be repeated. */
export async function leaveAll({ networks, events }: NetworkRuntime, record: ContainerRecord): Promise<void> {
  const left = networks.endpoints(record.id);
  await networks.detach(record.id);
  for (const { networkId: id, network: name } of left) announce(events, 'disconnect', record, { id, name });
}

/** Publishes the ports the container asked for. Throws in Docker's words. */
export async function publishPorts({ networks }: NetworkRuntime, record: ContainerRecord): Promise<void> {
  const requests = portRequests(record);
  const wayOut = networks.endpoints(record.id).find(({ isWayOut }) => isWayOut);
  // In internal networks alone nothing is published, as in Docker.
  if (requests.length === 0 || !wayOut) return;
  await networks.publish(record.id, requests).catch((error: unknown) => {
    if (!isDabbaError(error)) throw error;
    const endpoint = `endpoint ${record.name} (${wayOut.endpointId})`;
    const message = `driver failed programming external connectivity on ${endpoint}: ${error.message}`;
    throw new DabbaError(error.kind, message, { cause: error });
  });
}

/** What a container is asked to be in, with what it has of it. */
export function viewEndpoints({ networks }: NetworkRuntime, record: ContainerRecord): readonly ContainerEndpoint[] {
  const wanted = wantedEndpoints(record);
  if (wanted.length === 0) return [];
  const [all, joined] = [networks.list(), networks.endpoints(record.id)];
  return wanted.map((create) => {
    const network = networkOf(all, create.network);
    const endpoint = joined.find(({ networkId }) => networkId === network?.id);
    return {
      create,
      ...(network && { network: { id: network.id, name: network.name } }),
      ...(endpoint && { joined: viewJoined(endpoint) }),
    };
  });
}

/** The network of that name or id. */
export function networkOf(networks: readonly BridgeNetwork[], nameOrId: string): BridgeNetwork | undefined {
  return networks.find(({ name }) => name === nameOrId) ?? networks.find(({ id }) => id === nameOrId);
}

function portRequests({ create, exposedPorts = [] }: ContainerRecord): readonly PortRequest[] {
  const published = create.publishedPorts ?? [];
  if (!create.isEveryPortPublished) return published;
  const others = exposedPorts.filter(
    ({ containerPort, protocol }) =>
      !published.some((port) => port.containerPort === containerPort && port.protocol === protocol),
  );
  return [...published, ...others];
}

function viewJoined(endpoint: BridgeEndpoint): NonNullable<ContainerEndpoint['joined']> {
  const { endpointId, privateIp, prefixLength, gateway, macAddress, names, isWayOut } = endpoint;
  return { endpointId, address: privateIp, prefixLength, gateway, macAddress, names, isWayOut };
}

function announce(
  events: Runtime['events'],
  action: 'connect' | 'disconnect',
  { id: container }: ContainerRecord,
  { id, name }: Pick<BridgeNetwork, 'id' | 'name'>,
): void {
  events.publish({ type: 'network', action, id, attributes: { container, name, type: 'bridge' } });
}
