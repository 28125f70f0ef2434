import { DabbaError, isDabbaError, messageOf, type Logger } from '#base';
import {
  NetlinkSocket,
  addAddress,
  addRoute,
  addVethPair,
  findLink,
  listLinks,
  listRoutes,
  removeLink,
  removeRoute,
  setLinkUp,
  setRoute,
  type Link,
  type NetworkNamespace,
  type RouteRequest,
} from '#kernel';
import { overlaps } from '../cidr.ts';
import { linkAddresses, linkBlocks } from '../link-plan.ts';
import type { Cidr, Ipv4 } from '../model.ts';
import { UPLINK } from '../rules/fabric.ts';
import { machineRuleset, uplinkPrefix, TABLE_PREFIX, type PublishedTarget } from '../rules/machine.ts';
import { renderRemoval } from '../rules/ruleset.ts';
import { leaveForeignFirewalls, passForeignFirewalls } from './foreign-firewalls.ts';
import { forgetForwardingDuty, inheritsForwardingDuty, passOnForwardingDuty } from './forwarding.ts';
import { AppliedRulesets, type RunNft } from './nft.ts';
import type { RecordFolder } from './state.ts';
import { bootId, readSysctl, writeSysctl } from './sysctl.ts';

/** What this daemon took of the machine as a whole. Written before it is taken. */
export interface MachineRecord {
  readonly key: 'machine';
  /** The boot it belongs to: nothing that was taken outlives one. */
  readonly bootId: string;
  readonly publicCidr: Cidr;
  readonly linkCidr?: Cidr;
  /** Forwarding was off before us (or before another dabba that has gone), so it goes off with us. */
  readonly restoresForwarding: boolean;
}

/** `rtm_protocol` of our routes, a number nobody registered (linux/rtnetlink.h), so that they are told from all others. */
export const ROUTE_PROTOCOL = 219;
/** Of the unreachable routes; any other route to the same place comes first. */
const UNREACHABLE_METRIC = 4096;
const DEFAULT_MTU = 1500;
const DEFAULT_ROUTE = '0.0.0.0/0';

/** Our side of the machine's own network namespace: uplinks, routes to public addresses, forwarding, the table of rules. */
export class Machine {
  readonly #instance: string;
  readonly #publicCidr: Cidr;
  readonly #records: RecordFolder<MachineRecord>;
  readonly #runNft: RunNft;
  readonly #logger: Logger;
  #socket: NetlinkSocket | undefined;
  /** Public address → slot of the uplink it is routed to. */
  readonly #publicRoutes = new Map<Ipv4, number>();
  readonly #rules: AppliedRulesets;
  #linkCidr: Cidr | undefined;
  #guardedLink: string | undefined;
  #passing: Promise<void> | undefined;

  constructor(options: {
    readonly instance: string;
    readonly publicCidr: Cidr;
    readonly records: RecordFolder<MachineRecord>;
    readonly runNft: RunNft;
    readonly logger: Logger;
    /** Ports that lead into fabrics now. */
    readonly published: () => readonly PublishedTarget[];
    /** Ranges whose addresses leave as they are. */
    readonly untranslated: () => readonly Cidr[];
  }) {
    this.#instance = options.instance;
    this.#publicCidr = options.publicCidr;
    this.#records = options.records;
    this.#runNft = options.runNft;
    this.#logger = options.logger;
    const wanted = () =>
      machineRuleset({
        instance: this.#instance,
        publicCidr: this.#publicCidr,
        linkCidr: this.linkCidr,
        ...(this.#guardedLink ? { guardedLink: this.#guardedLink } : {}),
        published: options.published(),
        untranslated: options.untranslated(),
      });
    this.#rules = new AppliedRulesets(
      () => ({ tables: [wanted()] }),
      async (script) => await this.#runNft(script),
    );
  }

  get #netlink(): NetlinkSocket {
    return (this.#socket ??= new NetlinkSocket());
  }

  /** Takes the address ranges, turns forwarding on and puts the rules in force. Throws `FailedPrecondition` when a range is taken. */
  async start(): Promise<void> {
    const before = this.#recordOfThisBoot();
    if (before && before.publicCidr !== this.#publicCidr) removeRoute(this.#netlink, unreachable(before.publicCidr));
    const inherits = await inheritsForwardingDuty(this.#instance, this.#runNft);
    const record: MachineRecord = {
      key: 'machine',
      bootId: bootId(),
      publicCidr: this.#publicCidr,
      restoresForwarding: before?.restoresForwarding || inherits || readSysctl('ipv4/ip_forward') === '0',
      ...(before?.linkCidr ? { linkCidr: before.linkCidr } : {}),
    };
    this.#claimPublicCidr(record, before);
    this.#claimLinkCidr(record);
    if (readSysctl('ipv4/ip_forward') === '0') writeSysctl('ipv4/ip_forward', 1);
    this.#guardedLink = record.restoresForwarding ? this.#defaultLink()?.name : undefined;
    await this.#rules.refresh();
    await this.passForeignFirewalls();
    if (inherits) await forgetForwardingDuty(this.#instance, this.#runNft);
    this.#adoptPublicRoutes();
  }

  /** The block that the uplinks' addresses are from; known once started. */
  get linkCidr(): Cidr {
    if (this.#linkCidr === undefined) throw new Error('the network plane has not been started');
    return this.#linkCidr;
  }

  /** The MTU of the link to the world, which nothing behind it should exceed. */
  mtu(): number {
    return this.#defaultLink()?.mtu || DEFAULT_MTU;
  }

  /** Networks that the machine has routes to, ours left out. */
  routedNetworks(): Cidr[] {
    return this.#foreignRoutes().map(({ destination }) => destination);
  }

  /** Makes the uplink of a slot, from the machine's namespace into a fabric's, unless it is there. The fabric's end is left down and bare. */
  ensureUplink(slot: number, fabric: NetworkNamespace, hasFabricEnd: boolean): void {
    const name = this.#uplinkName(slot);
    const existing = findLink(this.#netlink, name);
    if (existing && !hasFabricEnd) removeLink(this.#netlink, existing.index);
    if (!existing || !hasFabricEnd)
      this.#netlink.execute(addVethPair({ name, peerName: UPLINK, peerNamespace: fabric.descriptor, mtu: this.mtu() }));
    const index = findLink(this.#netlink, name)!.index;
    writeSysctl(`ipv6/conf/${name}/disable_ipv6`, 1);
    this.#netlink.execute(addAddress(index, linkAddresses(this.linkCidr, slot).machine, 31), setLinkUp(index));
  }

  /** Puts the ports published now in force. */
  async refreshRules(): Promise<void> {
    await this.#rules.refresh();
  }

  /** Sees to it that no firewall of others drops what our rules accept. */
  async passForeignFirewalls(): Promise<void> {
    this.#passing ??= passForeignFirewalls(this.#instance, this.#runNft)
      .catch((error: unknown) =>
        // What runs here goes on; what goes out may not.
        this.#logger.warn('another firewall may drop what is forwarded', { error: messageOf(error) }),
      )
      .finally(() => {
        this.#passing = undefined;
      });
    await this.#passing;
  }

  /**
   * Makes a network's own addresses lead to the uplink of a slot, for the machine itself and for published ports. Throws
   * `FailedPrecondition` when the machine has another route there.
   */
  routeNetwork(slot: number, cidr: Cidr): void {
    const name = this.#uplinkName(slot);
    const interfaceIndex = findLink(this.#netlink, name)!.index;
    // What comes from loopback by a published port leaves by the uplink; nothing that comes in by it may name loopback (`input`).
    writeSysctl(`ipv4/conf/${name}/route_localnet`, 1);
    const gateway = linkAddresses(this.linkCidr, slot).fabric;
    if (this.#ensureRoute({ destination: cidr, gateway, interfaceIndex, protocol: ROUTE_PROTOCOL })) return;
    const isOurs = listRoutes(this.#netlink).some(
      (route) => route.destination === cidr && route.interfaceIndex === interfaceIndex,
    );
    if (!isOurs)
      throw new DabbaError('FailedPrecondition', `network ${cidr}: this machine already has a route to that range`);
  }

  unrouteNetwork(slot: number, cidr: Cidr): void {
    const link = findLink(this.#netlink, this.#uplinkName(slot));
    if (link) removeRoute(this.#netlink, { destination: cidr, interfaceIndex: link.index });
  }

  /** Makes exactly these public addresses lead to the uplink of a slot; one that led elsewhere moves. */
  routePublicAddresses(slot: number, addresses: readonly Ipv4[]): void {
    const wanted = new Set(addresses);
    for (const [address, owner] of this.#publicRoutes) {
      if (owner !== slot || wanted.has(address)) continue;
      removeRoute(this.#netlink, { destination: `${address}/32` });
      this.#publicRoutes.delete(address);
    }
    const fresh = addresses.filter((address) => this.#publicRoutes.get(address) !== slot);
    if (fresh.length === 0) return;
    const interfaceIndex = findLink(this.#netlink, this.#uplinkName(slot))!.index;
    const gateway = linkAddresses(this.linkCidr, slot).fabric;
    this.#netlink.execute(
      ...fresh.map((address) =>
        setRoute({ destination: `${address}/32`, gateway, interfaceIndex, protocol: ROUTE_PROTOCOL }),
      ),
    );
    for (const address of fresh) this.#publicRoutes.set(address, slot);
  }

  /** Removes the uplinks of every slot not in `slots`: what an earlier process made and no longer knows. */
  removeStrayUplinks(slots: ReadonlySet<number>): void {
    const known = new Set(Array.from(slots, (slot) => this.#uplinkName(slot)));
    const strays = this.#uplinks().filter(({ name }) => !known.has(name));
    for (const { index } of strays) removeLink(this.#netlink, index);
  }

  stop(): void {
    this.#socket?.[Symbol.dispose]();
    this.#socket = undefined;
  }

  /** Gives back all that `start` took, also in a process that never started. */
  async destroy(): Promise<void> {
    this.removeStrayUplinks(new Set());
    const inherits = await inheritsForwardingDuty(this.#instance, this.#runNft);
    await leaveForeignFirewalls(this.#instance, this.#runNft).catch((error: unknown) =>
      this.#logger.warn('rules for our links may be left in another firewall', { error: messageOf(error) }),
    );
    await this.#runNft(renderRemoval(TABLE_PREFIX + this.#instance));
    if (inherits) await forgetForwardingDuty(this.#instance, this.#runNft);
    const record = this.#recordOfThisBoot();
    this.#records.delete('machine');
    if (!record) return;
    removeRoute(this.#netlink, unreachable(record.publicCidr));
    if (record.linkCidr) removeRoute(this.#netlink, unreachable(record.linkCidr));
    if ((record.restoresForwarding || inherits) && !(await passOnForwardingDuty(this.#runNft)))
      writeSysctl('ipv4/ip_forward', 0);
    this.#linkCidr = undefined;
  }

  #recordOfThisBoot(): MachineRecord | undefined {
    const record = this.#records.get('machine');
    return record?.bootId === bootId() ? record : undefined;
  }

  #claimPublicCidr(record: MachineRecord, before: MachineRecord | undefined): void {
    const advice = 'choose another range with --public-cidr';
    const isOurs = before?.publicCidr === this.#publicCidr;
    const clash = this.#foreignRoutes().find(
      ({ destination, kind }) =>
        overlaps(destination, this.#publicCidr) &&
        !(isOurs && kind === 'unreachable' && destination === this.#publicCidr),
    );
    const removal = `ip route del unreachable ${clash?.destination}`;
    if (clash)
      throw new DabbaError(
        'FailedPrecondition',
        `public addresses ${this.#publicCidr}: this machine already has a route to ${clash.destination}` +
          (clash.protocol === ROUTE_PROTOCOL
            ? ` of another dabba (if that one is gone: ${removal}); ${advice}`
            : `; ${advice}`),
      );
    this.#records.put(record);
    this.#ensureRoute(unreachable(this.#publicCidr));
  }

  /** The route is also the lock: of two daemons that choose the same block at once, one sees that it exists and moves on. */
  #claimLinkCidr(record: MachineRecord): void {
    if (record.linkCidr) {
      this.#ensureRoute(unreachable(record.linkCidr));
      this.#linkCidr = record.linkCidr;
      return;
    }
    for (const linkCidr of linkBlocks(this.#instance, this.routedNetworks())) {
      if (!this.#ensureRoute(unreachable(linkCidr))) continue;
      this.#records.put({ ...record, linkCidr });
      this.#linkCidr = linkCidr;
      return;
    }
    throw new DabbaError('ResourceExhausted', 'no block of 100.64.0.0/10 is free for uplinks');
  }

  #adoptPublicRoutes(): void {
    const slots = new Map(this.#uplinks().map(({ index, name }) => [index, this.#slotOf(name)]));
    for (const { protocol, destination, interfaceIndex } of listRoutes(this.#netlink)) {
      const slot = slots.get(interfaceIndex ?? 0);
      if (protocol === ROUTE_PROTOCOL && slot !== undefined && destination.endsWith('/32'))
        this.#publicRoutes.set(destination.slice(0, -3), slot);
    }
  }

  /** Routes of the main table that do not lead over our uplinks. The default route overlaps everything and says nothing. */
  #foreignRoutes() {
    const own = new Set(this.#uplinks().map(({ index }) => index));
    const mainTable = 254;
    return listRoutes(this.#netlink).filter(
      ({ table, destination, interfaceIndex }) =>
        table === mainTable && destination !== DEFAULT_ROUTE && !own.has(interfaceIndex ?? 0),
    );
  }

  #defaultLink(): Link | undefined {
    const routes = listRoutes(this.#netlink).filter(
      ({ destination, kind }) => destination === DEFAULT_ROUTE && kind === 'unicast',
    );
    const best = routes.sort((a, b) => a.metric - b.metric)[0];
    return listLinks(this.#netlink).find(({ index }) => index === best?.interfaceIndex);
  }

  /** True if the route was not there before. */
  #ensureRoute(route: RouteRequest): boolean {
    try {
      this.#netlink.execute(addRoute(route));
      return true;
    } catch (error) {
      if (isDabbaError(error, 'AlreadyExists')) return false;
      throw error;
    }
  }

  #uplinks(): Link[] {
    return listLinks(this.#netlink).filter(({ name }) => name.startsWith(uplinkPrefix(this.#instance)));
  }

  /** At most 15 characters: `dab`, up to six of the instance, a dash, up to four digits. */
  #uplinkName(slot: number): string {
    return `${uplinkPrefix(this.#instance)}${slot}`;
  }

  #slotOf(name: string): number {
    return Number(name.slice(uplinkPrefix(this.#instance).length));
  }
}

function unreachable(destination: Cidr): RouteRequest {
  return { kind: 'unreachable', destination, metric: UNREACHABLE_METRIC, protocol: ROUTE_PROTOCOL };
}
