import { hash } from 'node:crypto';
import { DabbaError, type Clock, type Random } from '#base';
import type { EventHub } from '../events.ts';
import type { EndpointCreate, Network, NetworkCreate, Networks } from '../networks.ts';
import type { BridgeNetwork, ContainerNetworks } from '../ports.ts';

/** The network containers join when they name none; it resolves no names. Its maker is the composition root. */
const DEFAULT_NETWORK = 'bridge';

export interface NetworkSetParts {
  readonly instance: string;
  readonly networks: ContainerNetworks;
  readonly containers: {
    connect(id: string, endpoint: EndpointCreate): Promise<void>;
    disconnect(id: string, network: BridgeNetwork): Promise<void>;
  };
  readonly events: EventHub;
  readonly clock: Clock;
  readonly random: Random;
}

/** The networks of an engine: those below `ContainerNetworks`, and the two that every machine has. */
export class NetworkSet implements Networks {
  readonly #parts: NetworkSetParts;
  readonly #machineNetworks: readonly Network[];

  constructor(parts: NetworkSetParts) {
    this.#parts = parts;
    this.#machineNetworks = (['host', 'null'] as const).map((driver) => {
      const name = driver === 'null' ? 'none' : driver;
      const id = hash('sha256', `${parts.instance}/${name}`, 'hex');
      return { id, name, driver, createdAt: 0, isPredefined: true, isInternal: false, labels: {}, options: {} };
    });
  }

  async create(request: NetworkCreate): Promise<Network> {
    const { networks, clock, random } = this.#parts;
    const { name } = request;
    if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(name))
      throw new DabbaError(
        'InvalidArgument',
        `${name} includes invalid characters for a network name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed`,
      );
    if (this.#all().some((network) => network.name === name))
      throw new DabbaError('AlreadyExists', `network with name ${name} already exists`);
    const made = await networks.create({
      ...request,
      id: random.hex(64),
      createdAt: clock.now(),
      isInternal: request.isInternal ?? false,
      resolvesNames: true,
      labels: request.labels ?? {},
      options: request.options ?? {},
    });
    const network = viewNetwork(made);
    this.#announce('create', network);
    return network;
  }

  find(nameOrId: string): Promise<Network | undefined> {
    return Promise.resolve(this.#find(nameOrId));
  }

  list(): Promise<readonly Network[]> {
    return Promise.resolve(this.#all());
  }

  async remove(nameOrId: string): Promise<void> {
    const network = this.#get(nameOrId);
    if (network.isPredefined)
      throw new DabbaError('PermissionDenied', `${network.name} is a pre-defined network and cannot be removed`);
    await this.#parts.networks.remove(network.id);
    this.#announce('destroy', network);
  }

  async connect(containerId: string, endpoint: EndpointCreate): Promise<void> {
    const { name, driver } = this.#get(endpoint.network);
    if (driver === 'bridge') return await this.#parts.containers.connect(containerId, { ...endpoint, network: name });
    const reason =
      driver === 'host'
        ? 'container cannot be connected to host network'
        : 'container cannot be connected to multiple networks with one of the networks in private (none) mode';
    throw new DabbaError('PermissionDenied', reason);
  }

  async disconnect(containerId: string, nameOrId: string): Promise<void> {
    const network = this.#get(nameOrId);
    const bridge = this.#parts.networks.list().find(({ id }) => id === network.id);
    if (!bridge)
      throw new DabbaError('PermissionDenied', `container cannot be disconnected from ${network.name} network`);
    await this.#parts.containers.disconnect(containerId, bridge);
  }

  #all(): readonly Network[] {
    return [...this.#parts.networks.list().map(viewNetwork), ...this.#machineNetworks];
  }

  #find(nameOrId: string): Network | undefined {
    const all = this.#all();
    const exact = all.find(({ name }) => name === nameOrId) ?? all.find(({ id }) => id === nameOrId);
    if (exact || !/^[0-9a-f]+$/.test(nameOrId)) return exact;
    const matches = all.filter(({ id }) => id.startsWith(nameOrId));
    if (matches.length > 1)
      throw new DabbaError(
        'InvalidArgument',
        `network ${nameOrId} is ambiguous (${matches.length} matches found on name)`,
      );
    return matches[0];
  }

  #get(nameOrId: string): Network {
    const network = this.#find(nameOrId);
    if (!network) throw new DabbaError('NotFound', `network ${nameOrId} not found`);
    return network;
  }

  #announce(action: 'create' | 'destroy', { id, name }: Network): void {
    this.#parts.events.publish({ type: 'network', action, id, attributes: { name, type: 'bridge' } });
  }
}

function viewNetwork({ cidr, gateway, addressRange, auxiliaryAddresses, ...network }: BridgeNetwork): Network {
  const { id, name, createdAt, isInternal, labels, options } = network;
  return {
    id,
    name,
    driver: 'bridge',
    createdAt,
    isPredefined: name === DEFAULT_NETWORK,
    subnet: {
      cidr,
      gateway,
      ...(addressRange !== undefined && { addressRange }),
      ...(auxiliaryAddresses && { auxiliaryAddresses }),
    },
    isInternal,
    labels,
    options,
  };
}
