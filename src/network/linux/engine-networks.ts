import { DabbaError } from '#base';
import { addressAt, hostAddresses, macAddressOf, parseCidr } from '../cidr.ts';
import { createResolver, type ForwardQuery } from '../dns/resolver.ts';
import { freeBridgeCidr } from '../link-plan.ts';
import type { Cidr, Ipv4 } from '../model.ts';
import type { AttachedInterface, BridgeNetworks } from '../network.ts';
import { bridgeRuleset } from '../rules/bridge.ts';
import type { FabricKind, Fabrics } from './fabrics.ts';
import { servicesOf, type ListenerPlan } from './listeners.ts';
import type { Machine } from './machine.ts';
import { recordKey, type FabricRecord, type InterfaceRecord } from './state.ts';

type BridgeRecord = Extract<FabricRecord, { kind: 'bridge' }>;

/** Networks of the container engine: the same fabric as a VPC's, with one subnet, open inside and translated outside. */
export class EngineNetworks implements FabricKind, BridgeNetworks {
  readonly #machine: Machine;
  readonly #fabrics: () => Fabrics;
  readonly #forward: ForwardQuery;

  constructor(options: { readonly machine: Machine; readonly fabrics: () => Fabrics; readonly forward: ForwardQuery }) {
    this.#machine = options.machine;
    this.#fabrics = options.fabrics;
    this.#forward = options.forward;
  }

  async ensure({ name, cidr }: { readonly name: string; readonly cidr?: Cidr }): Promise<void> {
    const key = recordKey('bridge', name);
    const existing = this.#networks().find((network) => network.name === name);
    const chosen = existing?.cidr ?? cidr ?? this.#freeCidr();
    if (parseCidr(chosen).size < 4)
      throw new DabbaError('InvalidArgument', `network ${name}: ${chosen} has no room for a gateway and an endpoint`);
    this.#fabrics().ensure({ kind: 'bridge', key, name, cidr: chosen });
    await this.#fabrics().refresh(key);
  }

  async remove(name: string): Promise<void> {
    await this.#fabrics().remove(recordKey('bridge', name));
  }

  async attach(name: string, endpointId: string): Promise<AttachedInterface> {
    const network = this.#networks().find((candidate) => candidate.name === name);
    if (!network) throw new DabbaError('NotFound', `there is no network ${name}`);
    const key = recordKey('endpoint', endpointId);
    const before = this.#fabrics().interface(key);
    if (before && before.fabric !== network.key)
      throw new DabbaError('AlreadyExists', `endpoint ${endpointId} is attached to another network already`);
    const privateIp = before?.privateIp ?? this.#freeAddress(network);
    const gateway = addressAt(network.cidr, 1);
    const { prefixLength } = parseCidr(network.cidr);
    const netnsPath = this.#fabrics().addInterface(
      { key, fabric: network.key, id: endpointId, privateIp },
      { privateIp, prefixLength, gateway, macAddress: macAddressOf(`${network.key}/${privateIp}`) },
    );
    return {
      netnsPath,
      privateIp,
      prefixLength,
      gateway,
      nameservers: [gateway],
      searchDomains: [],
      privateDnsName: '',
    };
  }

  async detach(endpointId: string): Promise<void> {
    this.#fabrics().removeInterface(recordKey('endpoint', endpointId));
  }

  list(): ReturnType<BridgeNetworks['list']> {
    return this.#networks().map(({ key, name, cidr }) => ({
      name,
      cidr,
      gateway: addressAt(cidr, 1),
      endpoints: Object.fromEntries(this.#endpoints(key).map(({ id, privateIp }) => [id, privateIp])),
    }));
  }

  due(record: FabricRecord): ReturnType<FabricKind['due']> {
    return { ruleset: bridgeRuleset(servicesOf(this.listeners(record))), publicIps: [] };
  }

  listeners({ cidr }: FabricRecord): ListenerPlan {
    return {
      dnsAddresses: [addressAt(cidr, 1)],
      resolve: createResolver(() => [], this.#forward),
      endpoints: [],
      vpcId: undefined,
    };
  }

  #freeCidr(): Cidr {
    return freeBridgeCidr([...this.#machine.routedNetworks(), ...this.#networks().map(({ cidr }) => cidr)]);
  }

  /** The lowest free address behind the gateway's. */
  #freeAddress({ key, name, cidr }: BridgeRecord): Ipv4 {
    const taken = new Set([addressAt(cidr, 1), ...this.#endpoints(key).map(({ privateIp }) => privateIp)]);
    for (const address of hostAddresses(cidr)) if (!taken.has(address)) return address;
    throw new DabbaError('ResourceExhausted', `network ${name}: every address of ${cidr} is in use`);
  }

  #networks(): BridgeRecord[] {
    return this.#fabrics()
      .records()
      .filter((record) => record.kind === 'bridge');
  }

  #endpoints(key: string): readonly InterfaceRecord[] {
    return this.#fabrics().interfacesOf(key);
  }
}
