import type { Server } from 'node:net';
import { DabbaError } from '#base';
import { listenTcp, openNetworkNamespace, type NetworkNamespace } from '#kernel';
import { addressAt, macAddressOf, parseCidr } from '../cidr.ts';
import { internalDomain, privateDnsName, privateNamesZone } from '../dns/private-names.ts';
import { createResolver, type ForwardQuery, type Resolve } from '../dns/resolver.ts';
import type { DnsZone } from '../dns/zone.ts';
import type { NetworkInterface } from '../model.ts';
import type { AttachedInterface } from '../network.ts';
import { recordId } from '../records.ts';
import { internetRanges, natRanges, routeTableOf, type RoutedNat } from '../rules/internet-routes.ts';
import { vpcRuleset, type FilteredInterface } from '../rules/vpc.ts';
import type { DesiredState } from './desired.ts';
import type { FabricKind, Fabrics } from './fabrics.ts';
import { checkSource } from './interface.ts';
import type { Balancers } from './balancers.ts';
import type { Clusters } from './clusters.ts';
import {
  dnsListener,
  heldAddress,
  httpListener,
  servicesOf,
  serving,
  type LinkLocalEndpoint,
  type Listener,
} from './listeners.ts';
import { namespaceKey, recordKey, type FabricRecord, type InterfaceRecord } from './state.ts';

/** The resolver's address in every VPC, beside the one at the VPC's base plus two. */
const LINK_LOCAL_RESOLVER = '169.254.169.253';

type VpcRecord = Extract<FabricRecord, { kind: 'vpc' }>;

/** Makes network interfaces of VPCs real, and keeps the rules of their fabrics as the store's records say. */
export class Vpcs implements FabricKind {
  readonly #desired: DesiredState;
  readonly #fabrics: () => Fabrics;
  readonly #forward: ForwardQuery;
  readonly #zones: readonly DnsZone[];
  readonly #clusters: Clusters;
  readonly #balancers: Balancers;
  readonly #endpoints: LinkLocalEndpoint[] = [];
  /** Interfaces whose source is not checked, as last told to the kernel. */
  readonly #unchecked = new Set<string>();

  constructor(options: {
    readonly desired: DesiredState;
    readonly fabrics: () => Fabrics;
    readonly forward: ForwardQuery;
    readonly zones: readonly DnsZone[];
    readonly clusters: Clusters;
    readonly balancers: Balancers;
  }) {
    this.#desired = options.desired;
    this.#fabrics = options.fabrics;
    this.#forward = options.forward;
    this.#zones = options.zones;
    this.#clusters = options.clusters;
    this.#balancers = options.balancers;
  }

  addEndpoint(endpoint: LinkLocalEndpoint): void {
    this.#endpoints.push(endpoint);
  }

  async attach(eni: NetworkInterface, namespace?: NetworkNamespace): Promise<AttachedInterface> {
    const { vpc, subnet } = await this.#desired.require(eni);
    const { region, privateIp } = eni;
    const gateway = addressAt(subnet.cidr, 1);
    const { prefixLength } = parseCidr(subnet.cidr);
    const fabrics = this.#fabrics();
    const key = recordKey('vpc', vpc.id);
    fabrics.ensure({ kind: 'vpc', key, vpcId: vpc.id, cidr: vpc.cidr, region });
    const netnsPath = fabrics.addInterface(
      { key: recordKey('eni', eni.id), fabric: key, id: eni.id, recordId: recordId(eni), privateIp },
      {
        privateIp,
        prefixLength,
        gateway,
        macAddress: eni.macAddress || macAddressOf(eni.id),
        ...(namespace && { namespace }),
      },
    );
    this.#applySourceChecks();
    await fabrics.refresh(key);
    return {
      netnsPath,
      privateIp,
      prefixLength,
      gateway,
      nameservers: [addressAt(vpc.cidr, 2)],
      searchDomains: [internalDomain(region)],
      privateDnsName: privateDnsName(privateIp, region),
    };
  }

  async detach(networkInterfaceId: string): Promise<void> {
    const fabrics = this.#fabrics();
    const removed = fabrics.removeInterface(recordKey('eni', networkInterfaceId));
    if (!removed) return;
    this.#unchecked.delete(removed.key);
    if (fabrics.interfacesOf(removed.fabric).length === 0) await fabrics.remove(removed.fabric);
    else await fabrics.refresh(removed.fabric);
  }

  serveAt(networkInterfaceId: string, port: number, server: Server): AsyncDisposable {
    const fabrics = this.#fabrics();
    const record = fabrics.interface(recordKey('eni', networkInterfaceId));
    using namespace = record && openNetworkNamespace(fabrics.namespacePath(namespaceKey(record)));
    if (!record?.privateIp || !namespace)
      throw new DabbaError('NotFound', `the network interface ${networkInterfaceId} is not attached here`);
    return serving(server, listenTcp(namespace, { address: record.privateIp, port }));
  }

  attached(): string[] {
    return this.#interfaces().map(({ id }) => id);
  }

  /** Detaches interfaces whose records are gone and applies what else changed. Called after every change of the store's records. */
  async onChange(): Promise<void> {
    const orphans = this.#interfaces().filter(({ recordId: id }) => !id || !this.#desired.networkInterfaces.get(id));
    await Promise.all(orphans.map(async ({ id }) => await this.detach(id)));
    for (const { key, kind } of this.#fabrics().records())
      if (kind === 'vpc' && this.#fabrics().interfacesOf(key).length === 0) await this.#fabrics().remove(key);
    this.#applySourceChecks();
    await this.#fabrics().refreshAll();
  }

  due(record: FabricRecord): ReturnType<FabricKind['due']> {
    const { vpcId } = asVpc(record);
    const attachedGateways = new Set(
      this.#desired.internetGateways
        .all()
        .filter((gateway) => gateway.vpcId === vpcId)
        .map(({ id }) => id),
    );
    const nats = this.#nats(vpcId);
    const nodeAddresses = this.#clusters.nodeAddresses(vpcId);
    const all = this.#fabrics()
      .interfacesOf(record.key)
      .flatMap((entry) => this.#known(entry, attachedGateways, nats));
    const interfaces = all.map(({ filtered }) => ({ ...filtered, isNode: nodeAddresses.has(filtered.privateIp) }));
    const inVpc = this.#desired.networkInterfaces.all().filter((eni) => eni.vpcId === vpcId);
    const groups = new Map(
      this.#desired.securityGroups
        .all()
        .filter((group) => group.vpcId === vpcId)
        .map((group) => [group.id, group]),
    );
    const ofClusters = this.#clusters.due(
      vpcId,
      all.flatMap(({ eni, filtered: { link, privateIp, internet } }) =>
        eni.cluster ? [{ ...eni.cluster, link, privateIp, publicIp: internet?.publicIp }] : [],
      ),
    );
    const balancers = this.#balancers.due(vpcId);
    const own = vpcRuleset({
      interfaces,
      group: (id) => groups.get(id),
      members: (id) =>
        inVpc.filter(({ securityGroupIds }) => securityGroupIds.includes(id)).map(({ privateIp }) => privateIp),
      services: servicesOf(this.listeners(record)),
      balancers: balancers.filtered,
    });
    return {
      tables: [own, ...ofClusters.tables, ...balancers.tables],
      untouched: ofClusters.untouched,
      publicIps: [
        ...interfaces.flatMap(({ internet }) => internet?.publicIp ?? []),
        ...nats.map(({ publicIp }) => publicIp),
        ...balancers.publicIps,
      ],
    };
  }

  listeners(record: FabricRecord): Listener[] {
    const { vpcId, cidr, region } = asVpc(record);
    const zones = [...this.#zones, privateNamesZone({ cidr, region })];
    const answer = createResolver(() => zones, this.#forward);
    const isServed = () =>
      this.#desired.vpcs.all().some(({ id, enableDnsSupport }) => id === vpcId && enableDnsSupport);
    const resolve: Resolve = async (...query) => (isServed() ? await answer(...query) : undefined);
    return [
      ...[addressAt(cidr, 2), LINK_LOCAL_RESOLVER].map((address) => dnsListener({ address, resolve, vpcId })),
      ...this.#endpoints.map((endpoint) => httpListener(endpoint, vpcId)),
      ...this.#balancers.due(vpcId).ownAddresses.map(heldAddress),
      ...this.#clusters.listeners(vpcId, (own) => createResolver(() => [...own, ...zones], this.#forward)),
    ];
  }

  /** An interface with its record, and as its rules need it; none when its record is gone, and then nothing passes. */
  #known(
    entry: InterfaceRecord,
    attachedGateways: ReadonlySet<string>,
    nats: readonly RoutedNat[],
  ): { readonly eni: NetworkInterface; readonly filtered: FilteredInterface }[] {
    const eni = entry.recordId === undefined ? undefined : this.#desired.networkInterfaces.get(entry.recordId);
    if (!eni) return [];
    const { link, privateIp } = entry;
    const { securityGroupIds, publicIp } = eni;
    const table = routeTableOf({ id: eni.subnetId, vpcId: eni.vpcId }, this.#desired.routeTables.all());
    const destinations = table ? internetRanges(table.routes, attachedGateways) : [];
    const isPublic = publicIp !== undefined && destinations.length > 0;
    const internet = isPublic ? { internet: { publicIp, destinations } } : {};
    const nat = natRanges(table?.routes ?? [], nats, attachedGateways);
    return [{ eni, filtered: { link, privateIp, securityGroupIds, ...internet, ...(nat.length > 0 && { nat }) } }];
  }

  /** NAT gateways of the VPC, with the routes of the subnets that they are in. */
  #nats(vpcId: string): RoutedNat[] {
    const tables = this.#desired.routeTables.all();
    return this.#desired.natGateways
      .all()
      .filter((nat) => nat.vpcId === vpcId && nat.deletedAt === undefined)
      .map(({ id, publicIp, subnetId }) => ({
        id,
        publicIp,
        routes: routeTableOf({ id: subnetId, vpcId }, tables)?.routes ?? [],
      }));
  }

  #applySourceChecks(): void {
    for (const { key, link, fabric, recordId: id } of this.#interfaces()) {
      const isUnchecked = id !== undefined && this.#desired.networkInterfaces.get(id)?.sourceDestCheck === false;
      const open = this.#fabrics().get(fabric);
      if (!open || isUnchecked === this.#unchecked.has(key)) continue;
      checkSource(open, link, !isUnchecked);
      if (isUnchecked) this.#unchecked.add(key);
      else this.#unchecked.delete(key);
    }
  }

  #interfaces(): InterfaceRecord[] {
    const fabrics = this.#fabrics();
    return fabrics.records().flatMap(({ key, kind }) => (kind === 'vpc' ? fabrics.interfacesOf(key) : []));
  }
}

function asVpc(record: FabricRecord): VpcRecord {
  if (record.kind !== 'vpc') throw new Error(`${record.key} is not a VPC`);
  return record;
}
