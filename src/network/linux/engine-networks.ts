import { hash } from 'node:crypto';
import { DabbaError, isDabbaError, messageOf, type Logger } from '#base';
import { isNamespace } from '#kernel';
import { addressPool, checkAddress, freeAddress } from '../address-pool.ts';
import type {
  BridgeNetwork,
  BridgeNetworks,
  BridgeRequest,
  Endpoint,
  EndpointRequest,
  PortRequest,
  PublishedPort,
} from '../bridges.ts';
import { addressAt, macAddressOf, overlaps, parseCidr } from '../cidr.ts';
import { engineNamesZone, type Neighbour } from '../dns/engine-names.ts';
import { createResolver, type ForwardQuery } from '../dns/resolver.ts';
import { freeBridgeCidr } from '../link-plan.ts';
import type { Cidr, Ipv4 } from '../model.ts';
import { bridgeRuleset } from '../rules/bridge.ts';
import type { PublishedTarget } from '../rules/machine.ts';
import type { FabricKind, Fabrics } from './fabrics.ts';
import { HostPorts } from './host-ports.ts';
import { setWayOut } from './interface.ts';
import { dnsListener, servicesOf, type Listener } from './listeners.ts';
import type { Machine } from './machine.ts';
import {
  recordKey,
  type EndpointRecord,
  type FabricRecord,
  type InterfaceRecord,
  type RecordFolder,
  type SandboxRecord,
} from './state.ts';

/** A network as it is recorded, under the key of its fabric. */
export type BridgeRecord = BridgeNetwork & { readonly key: string };

type EndpointInterface = InterfaceRecord & { readonly endpoint: EndpointRecord };

const ID_DIGITS = 12;
const RANGE_ATTEMPTS = 4;
const EVERY_ADDRESS = '0.0.0.0';

/** Networks of the container engine: the same fabric as a VPC's, with one subnet, open inside and translated outside. */
export class EngineNetworks implements FabricKind, BridgeNetworks {
  readonly #machine: Machine;
  readonly #fabrics: () => Fabrics;
  readonly #networks: RecordFolder<BridgeRecord>;
  readonly #sandboxes: RecordFolder<SandboxRecord>;
  readonly #forward: ForwardQuery;
  readonly #logger: Logger;
  readonly #hostPorts = new HostPorts();
  /** Fabrics whose rules are not in force yet. */
  readonly #opening = new Map<string, Promise<unknown>>();

  constructor(options: {
    readonly machine: Machine;
    readonly fabrics: () => Fabrics;
    readonly networks: RecordFolder<BridgeRecord>;
    readonly sandboxes: RecordFolder<SandboxRecord>;
    readonly forward: ForwardQuery;
    readonly logger: Logger;
  }) {
    this.#machine = options.machine;
    this.#fabrics = options.fabrics;
    this.#networks = options.networks;
    this.#sandboxes = options.sandboxes;
    this.#forward = options.forward;
    this.#logger = options.logger;
  }

  async create(request: BridgeRequest): Promise<BridgeNetwork> {
    const key = networkKey(request.id);
    const existing = this.#networks.get(key);
    for (let attempt = 1; ; attempt++) {
      const network = this.#networks.get(key) ?? this.#plan(request);
      this.#networks.put(network);
      try {
        await this.#open(network);
        if (network.traffic?.isUntranslated) await this.#machine.refreshRules();
        return network;
      } catch (error) {
        if (!existing) this.#networks.delete(key);
        // Another program may have taken the range we chose a moment before us.
        const isLost = network.isRangeChosen && isDabbaError(error, 'FailedPrecondition');
        if (existing || !isLost || attempt === RANGE_ATTEMPTS) throw error;
      }
    }
  }

  async remove(id: string): Promise<void> {
    const network = this.#networks.get(networkKey(id));
    if (!network) return;
    const { key, name } = network;
    if (this.#interfacesIn(key).length > 0)
      throw new DabbaError(
        'PermissionDenied',
        `error while removing network: network ${name} id ${id} has active endpoints`,
      );
    this.#networks.delete(key);
    await this.#fabrics().remove(key);
    if (network.traffic?.isUntranslated) await this.#machine.refreshRules();
  }

  list(): readonly BridgeNetwork[] {
    return this.#networks.all();
  }

  async attach(request: EndpointRequest): Promise<Endpoint> {
    const { sandboxId, networkId, names, nameservers, namespace } = request;
    const network = this.#networks.get(networkKey(networkId));
    if (!network) throw new DabbaError('NotFound', `network ${networkId} not found`);
    await this.#open(network);
    const key = endpointKey(sandboxId, networkId);
    const siblings = this.#interfacesOf(sandboxId).filter((each) => each.key !== key);
    const before = this.#fabrics().interface(key);
    const privateIp = before?.privateIp ?? this.#address(network, request.address);
    const macAddress =
      before?.endpoint?.macAddress ?? request.macAddress ?? macAddressOf(`${network.key}/${privateIp}`);
    const device = before?.endpoint?.device ?? freeDevice(siblings);
    const record = { key, fabric: network.key, id: sandboxId, privateIp };
    this.#fabrics().addInterface(
      {
        ...record,
        endpoint: { sandboxId, networkId, device, macAddress, names, ...(nameservers && { nameservers }) },
      },
      {
        privateIp,
        prefixLength: parseCidr(network.cidr).prefixLength,
        gateway: network.gateway,
        macAddress,
        device,
        ...(namespace && { namespace }),
        ...(network.traffic?.mtu !== undefined && { mtu: network.traffic.mtu }),
        isWayOut: !network.isInternal && !siblings.some((each) => this.#networkOf(each)?.isInternal === false),
      },
    );
    return this.endpoints(sandboxId).find((endpoint) => endpoint.networkId === networkId)!;
  }

  async disconnect(sandboxId: string, networkId: string): Promise<void> {
    const key = endpointKey(sandboxId, networkId);
    const record = this.#fabrics().interface(key);
    if (!record?.endpoint) return;
    // Without an endpoint only this record tells that the namespace is still in use.
    this.#sandboxes.put({ key: sandboxKey(sandboxId), sandboxId, ports: this.ports(sandboxId) });
    this.#fabrics().unplugInterface(key);
    const wayOut = this.endpoints(sandboxId).find(({ isWayOut }) => isWayOut);
    if (wayOut) setWayOut(wayOut.netnsPath, wayOut);
    if (this.ports(sandboxId).length > 0) await this.#machine.refreshRules();
  }

  async detach(sandboxId: string): Promise<void> {
    const hadPorts = this.ports(sandboxId).length > 0;
    this.#sandboxes.delete(sandboxKey(sandboxId));
    for (const { key } of this.#interfacesOf(sandboxId)) this.#fabrics().removeInterface(key);
    if (!hadPorts) return;
    await this.#machine.refreshRules();
    await this.#hostPorts.release(sandboxId);
  }

  async publish(sandboxId: string, requests: readonly PortRequest[]): Promise<readonly PublishedPort[]> {
    await this.#hostPorts.release(sandboxId);
    const way = this.#interfacesOf(sandboxId)
      .map((each) => this.#networkOf(each))
      .find((network) => network?.isInternal === false);
    const hostIp = way?.traffic?.hostIp ?? EVERY_ADDRESS;
    const ports = await this.#hostPorts.hold(
      sandboxId,
      requests.map((request) => ({ hostIp, ...request })),
    );
    this.#sandboxes.put({ key: sandboxKey(sandboxId), sandboxId, ports });
    await this.#machine.refreshRules();
    return ports;
  }

  endpoints(sandboxId: string): readonly Endpoint[] {
    const interfaces = this.#interfacesOf(sandboxId);
    const wayOut = interfaces.find((each) => this.#networkOf(each)?.isInternal === false);
    return interfaces.flatMap((each) => {
      const network = this.#networkOf(each);
      return network ? [this.#endpoint(each, network, each === wayOut)] : [];
    });
  }

  ports(sandboxId: string): readonly PublishedPort[] {
    return this.#sandboxes.get(sandboxKey(sandboxId))?.ports ?? [];
  }

  /** Published ports and where they lead: to the endpoint that the sandbox's answers leave by. */
  targets(): readonly PublishedTarget[] {
    return this.#sandboxes.all().flatMap(({ sandboxId, ports }) => {
      const address = ports.length === 0 ? undefined : this.endpoints(sandboxId).find(({ isWayOut }) => isWayOut);
      return address ? ports.map((port) => ({ ...port, address: address.privateIp })) : [];
    });
  }

  /** Ranges whose addresses leave this machine as they are. */
  untranslated(): readonly Cidr[] {
    return this.#networks.all().flatMap(({ cidr, traffic }) => (traffic?.isUntranslated ? [cidr] : []));
  }

  /** Forgets sandboxes whose namespace is gone, and holds the ports of the others. */
  async adoptSandboxes(): Promise<void> {
    for (const { key, sandboxId, ports } of this.#sandboxes.all()) {
      if (!isNamespace(this.#fabrics().namespacePath(key))) {
        this.#sandboxes.delete(key);
        continue;
      }
      const requests = ports.map((port) => ({ ...port, hostPorts: { first: port.hostPort, last: port.hostPort } }));
      await this.#hostPorts.hold(sandboxId, requests).catch((error: unknown) => {
        // Another program took it while we were away; the rules still lead to the sandbox.
        this.#logger.warn('a published port could not be held', { containerId: sandboxId, error: messageOf(error) });
      });
    }
  }

  /** Removes fabrics of networks that are gone, and gives a chosen range that the machine now routes elsewhere a successor. */
  async mend(): Promise<void> {
    for (const { key, kind } of this.#fabrics().records())
      if (kind === 'bridge' && !this.#networks.get(key) && this.#fabrics().interfacesOf(key).length === 0)
        await this.#fabrics().remove(key);
    for (const network of this.#networks.all()) {
      if (!network.isRangeChosen || this.#fabrics().get(network.key)) continue;
      if (!this.#machine.routedNetworks().some((cidr) => overlaps(cidr, network.cidr))) continue;
      this.#networks.delete(network.key);
      const { cidr: _, gateway: __, ...request } = network;
      this.#networks.put(this.#plan(request));
    }
  }

  /** Lets go of the held ports; what is published goes on by the rules. */
  async letGo(): Promise<void> {
    await this.#hostPorts.releaseAll();
  }

  due(record: FabricRecord): ReturnType<FabricKind['due']> {
    const { isInternal = false, traffic = {} } = this.#networks.get(record.key) ?? {};
    return { tables: [bridgeRuleset(servicesOf(this.listeners(record)), { ...traffic, isInternal })], publicIps: [] };
  }

  listeners({ key, cidr }: FabricRecord): readonly Listener[] {
    const network = this.#networks.get(key);
    const zone = engineNamesZone(({ address }) => this.#neighbours(key, address));
    const forward: ForwardQuery = async (query, transport, asker) =>
      network?.isInternal
        ? undefined
        : await this.#forward(query, transport, asker, this.#endpointAt(key, asker.address)?.endpoint.nameservers);
    const address = network?.gateway ?? addressAt(cidr, 1);
    return [dnsListener({ address, resolve: createResolver(() => [zone], forward), vpcId: undefined })];
  }

  /** What the sandbox with this address in this fabric can name: everybody in each of its networks that resolves names. */
  #neighbours(fabricKey: string, address: Ipv4): readonly Neighbour[] {
    const asker = this.#endpointAt(fabricKey, address);
    if (!asker) return [];
    const networks = this.#interfacesOf(asker.endpoint.sandboxId)
      .map((each) => this.#networkOf(each))
      .filter((network) => network?.resolvesNames);
    return networks.flatMap((network) =>
      this.#interfacesIn(network!.key).map(({ privateIp, endpoint }) => ({
        network: network!.name,
        address: privateIp,
        names: endpoint.names,
      })),
    );
  }

  #endpointAt(fabricKey: string, address: Ipv4): EndpointInterface | undefined {
    return this.#interfacesIn(fabricKey).find(({ privateIp }) => privateIp === address);
  }

  /** Makes the network's fabric, if need be, and waits for its rules. */
  async #open({ key, name, cidr }: BridgeRecord): Promise<void> {
    if (!this.#fabrics().get(key)) {
      this.#fabrics().ensure({ kind: 'bridge', key, name, cidr });
      const opening = this.#fabrics()
        .refresh(key)
        .finally(() => this.#opening.delete(key));
      this.#opening.set(key, opening);
    }
    await this.#opening.get(key);
  }

  #plan(request: BridgeRequest): BridgeRecord {
    const { id, name, cidr } = request;
    const key = networkKey(id);
    const others = this.#networks.all();
    if (others.some((network) => network.name === name))
      throw new DabbaError('AlreadyExists', `network with name ${name} already exists`);
    const taken = others.map((network) => network.cidr);
    const clash = cidr === undefined ? undefined : taken.find((other) => overlaps(other, cidr));
    if (clash !== undefined)
      throw new DabbaError(
        'PermissionDenied',
        `invalid pool request: Pool overlaps with other one on this address space: ${cidr} and ${clash}`,
      );
    const range = cidr ?? freeBridgeCidr([...this.#machine.routedNetworks(), ...taken]);
    return { ...request, key, ...addressPool(request, range), isRangeChosen: cidr === undefined };
  }

  #address(network: BridgeRecord, asked: Ipv4 | undefined): Ipv4 {
    const taken = new Set(this.#interfacesIn(network.key).map(({ privateIp }) => privateIp));
    if (asked === undefined) return freeAddress(network, taken);
    checkAddress(network, asked, taken);
    return asked;
  }

  #endpoint(record: EndpointInterface, network: BridgeRecord, isWayOut: boolean): Endpoint {
    const { privateIp, endpoint } = record;
    const { sandboxId, networkId, device, macAddress, names } = endpoint;
    return {
      endpointId: hash('sha256', record.key, 'hex'),
      networkId,
      network: network.name,
      netnsPath: this.#fabrics().namespacePath(sandboxKey(sandboxId)),
      device,
      privateIp,
      prefixLength: parseCidr(network.cidr).prefixLength,
      gateway: network.gateway,
      macAddress,
      names,
      nameservers: [network.gateway],
      searchDomains: [],
      isWayOut,
    };
  }

  #networkOf({ fabric }: InterfaceRecord): BridgeRecord | undefined {
    return this.#networks.get(fabric);
  }

  #interfacesIn(fabricKey: string): readonly EndpointInterface[] {
    return this.#fabrics().interfacesOf(fabricKey).filter(isEndpoint);
  }

  /** In the order of their devices. */
  #interfacesOf(sandboxId: string): readonly EndpointInterface[] {
    const own = this.#fabrics()
      .interfaces()
      .filter(isEndpoint)
      .filter(({ endpoint }) => endpoint.sandboxId === sandboxId);
    return own.length < 2 ? own : own.toSorted((a, b) => deviceNumber(a) - deviceNumber(b));
  }
}

function isEndpoint(record: InterfaceRecord): record is EndpointInterface {
  return record.endpoint !== undefined;
}

function networkKey(id: string): string {
  return recordKey('bridge', id.slice(0, ID_DIGITS));
}

function sandboxKey(sandboxId: string): string {
  return recordKey('endpoint', sandboxId);
}

function endpointKey(sandboxId: string, networkId: string): string {
  return recordKey('endpoint', `${sandboxId}.${networkId.slice(0, ID_DIGITS)}`);
}

function deviceNumber({ endpoint }: EndpointInterface): number {
  return Number(endpoint.device.slice('eth'.length));
}

/** The first of `eth0`, `eth1`, … that is free. */
function freeDevice(siblings: readonly EndpointInterface[]): string {
  const taken = new Set(siblings.map(({ endpoint }) => endpoint.device));
  for (let number = 0; ; number++) if (!taken.has(`eth${number}`)) return `eth${number}`;
}
