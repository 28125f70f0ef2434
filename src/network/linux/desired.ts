import { DabbaError, messageOf, type Clock, type Logger } from '#base';
import type { Collection, KeyValue, Store, Versioned } from '#store';
import type { InternetGateway, NetworkInterface, RouteTable, SecurityGroup, Subnet, Vpc } from '../model.ts';
import { NETWORK_PREFIX, networkRecords, recordId, type NetworkRecords } from '../records.ts';

const RETRY_MS = 1_000;

/** One collection of the store, as it stands now, in memory. */
class Mirror<T> {
  readonly collection: Collection<T>;
  readonly #records = new Map<string, Versioned<T>>();

  constructor(collection: Collection<T>) {
    this.collection = collection;
  }

  get(id: string): T | undefined {
    return this.#records.get(id)?.value;
  }

  *values(): Generator<T> {
    for (const { value } of this.#records.values()) yield value;
  }

  /** The record from memory, or else from the store: what was written a moment ago may not have been seen yet. */
  async find(id: string): Promise<T | undefined> {
    const known = this.get(id);
    if (known) return known;
    const found = await this.collection.get(id);
    if (found) this.#keep(found);
    return found?.value;
  }

  put(entry: KeyValue): void {
    this.#keep(this.collection.read(entry));
  }

  remove(key: string, revision: number): void {
    const id = key.slice(this.collection.prefix.length);
    const known = this.#records.get(id);
    if (known && known.modRevision <= revision) this.#records.delete(id);
  }

  clear(): void {
    this.#records.clear();
  }

  #keep(record: Versioned<T>): void {
    const known = this.#records.get(record.id);
    if (!known || known.modRevision < record.modRevision) this.#records.set(record.id, record);
  }
}

/** The network records of the store, followed by list-then-watch. `onChange` is called after each revision that touched one. */
export class DesiredState {
  readonly vpcs: Mirror<Vpc>;
  readonly subnets: Mirror<Subnet>;
  readonly internetGateways: Mirror<InternetGateway>;
  readonly routeTables: Mirror<RouteTable>;
  readonly securityGroups: Mirror<SecurityGroup>;
  readonly networkInterfaces: Mirror<NetworkInterface>;
  readonly #mirrors: readonly Mirror<unknown>[];
  readonly #store: Store;
  readonly #onChange: () => void;
  readonly #clock: Clock;
  readonly #logger: Logger;

  constructor(options: {
    readonly store: Store;
    readonly clock: Clock;
    readonly logger: Logger;
    readonly onChange: () => void;
  }) {
    this.#store = options.store;
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#onChange = options.onChange;
    const records: NetworkRecords = networkRecords(options.store);
    this.vpcs = new Mirror(records.vpcs);
    this.subnets = new Mirror(records.subnets);
    this.internetGateways = new Mirror(records.internetGateways);
    this.routeTables = new Mirror(records.routeTables);
    this.securityGroups = new Mirror(records.securityGroups);
    this.networkInterfaces = new Mirror(records.networkInterfaces);
    this.#mirrors = [
      this.vpcs,
      this.subnets,
      this.internetGateways,
      this.routeTables,
      this.securityGroups,
      this.networkInterfaces,
    ];
  }

  /** Reads every record, then follows. Resolves once the first read is done, to the promise of the end of following. */
  async start(signal: AbortSignal): Promise<{ readonly ended: Promise<void> }> {
    const revision = await this.#list();
    return { ended: this.#follow(revision, signal) };
  }

  /** The VPC and subnet of an interface. Throws `NotFound` when one of the three has no record. */
  async require(eni: NetworkInterface): Promise<{ readonly vpc: Vpc; readonly subnet: Subnet }> {
    const { tenant, region } = eni;
    const [vpc, subnet, record] = await Promise.all([
      this.vpcs.find(recordId({ tenant, region, id: eni.vpcId })),
      this.subnets.find(recordId({ tenant, region, id: eni.subnetId })),
      this.networkInterfaces.find(recordId(eni)),
      ...eni.securityGroupIds.map((id) => this.securityGroups.find(recordId({ tenant, region, id }))),
    ]);
    if (!vpc) throw new DabbaError('NotFound', `network interface ${eni.id}: there is no VPC ${eni.vpcId}`);
    if (!subnet) throw new DabbaError('NotFound', `network interface ${eni.id}: there is no subnet ${eni.subnetId}`);
    if (!record) throw new DabbaError('NotFound', `network interface ${eni.id} has no record`);
    return { vpc, subnet };
  }

  async #list(): Promise<number> {
    const { entries, revision } = await this.#store.list(NETWORK_PREFIX);
    for (const mirror of this.#mirrors) mirror.clear();
    for (const entry of entries) this.#mirrorOf(entry.key)?.put(entry);
    return revision;
  }

  async #follow(from: number, signal: AbortSignal): Promise<void> {
    let revision: number | undefined = from;
    while (!signal.aborted) {
      try {
        revision ??= await this.#relist();
        revision = await this.#watch(revision, signal);
      } catch (error) {
        // Compacted, or the store is away for a while: what we know stays in force, and everything is read again.
        revision = undefined;
        if (!signal.aborted) this.#logger.warn('network records cannot be followed', { error: messageOf(error) });
      }
      // Nothing announces that a store is back, so it is asked again after a while; aborting ends the sleep, and then the loop.
      if (!signal.aborted) await this.#clock.sleep(RETRY_MS, signal).catch(() => undefined);
    }
  }

  async #relist(): Promise<number> {
    const revision = await this.#list();
    this.#onChange();
    return revision;
  }

  async #watch(from: number, signal: AbortSignal): Promise<number> {
    let revision = from;
    for await (const batch of this.#store.watch(NETWORK_PREFIX, { fromRevision: from + 1, signal })) {
      for (const event of batch.events)
        if (event.kind === 'put') this.#mirrorOf(event.entry.key)?.put(event.entry);
        else this.#mirrorOf(event.key)?.remove(event.key, event.revision);
      revision = batch.revision;
      if (batch.events.length > 0) this.#onChange();
    }
    return revision;
  }

  #mirrorOf(key: string): Mirror<unknown> | undefined {
    return this.#mirrors.find(({ collection }) => key.startsWith(collection.prefix));
  }
}
