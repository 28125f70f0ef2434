import { DabbaError, type Clock, type Logger } from '#base';
import { watchCache, type Collection, type Store, type WatchCache } from '#store';
import type {
  InternetGateway,
  LoadBalancer,
  NatGateway,
  NetworkInterface,
  RouteTable,
  SecurityGroup,
  Subnet,
  TargetGroup,
  TargetGroupHealth,
  Vpc,
} from '../model.ts';
import { NETWORK_PREFIX, networkRecords, recordId } from '../records.ts';

/** A watch delivers within milliseconds; this long means that the store is out of reach, and the caller's retry is better than our wait. */
const CATCH_UP_MS = 10_000;

/** One collection as it stands in the cache. */
interface Records<T> {
  get(id: string): T | undefined;
  all(): T[];
}

export interface DesiredStateOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Ends the following. */
  readonly signal: AbortSignal;
  readonly onChange: () => void;
}

/** The network records of the store, in memory and a little behind it. `onChange` is called after each change. */
export class DesiredState {
  readonly vpcs: Records<Vpc>;
  readonly subnets: Records<Subnet>;
  readonly internetGateways: Records<InternetGateway>;
  readonly natGateways: Records<NatGateway>;
  readonly routeTables: Records<RouteTable>;
  readonly securityGroups: Records<SecurityGroup>;
  readonly networkInterfaces: Records<NetworkInterface>;
  readonly loadBalancers: Records<LoadBalancer>;
  readonly targetGroups: Records<TargetGroup>;
  readonly targetHealth: Records<TargetGroupHealth>;
  readonly #options: DesiredStateOptions;
  #cache: WatchCache<unknown> | undefined;

  constructor(options: DesiredStateOptions) {
    this.#options = options;
    const records = networkRecords(options.store);
    this.vpcs = this.#view(records.vpcs);
    this.subnets = this.#view(records.subnets);
    this.internetGateways = this.#view(records.internetGateways);
    this.natGateways = this.#view(records.natGateways);
    this.routeTables = this.#view(records.routeTables);
    this.securityGroups = this.#view(records.securityGroups);
    this.networkInterfaces = this.#view(records.networkInterfaces);
    this.loadBalancers = this.#view(records.loadBalancers);
    this.targetGroups = this.#view(records.targetGroups);
    this.targetHealth = this.#view(records.targetHealth);
  }

  /** Reads every record, then follows until the signal. */
  async start(): Promise<void> {
    this.#cache = await watchCache({ ...this.#options, prefix: NETWORK_PREFIX });
    this.#cache.onChange(this.#options.onChange);
  }

  /** The VPC and subnet of an interface. Throws `NotFound` when one of the three has no record. */
  async require(eni: NetworkInterface): Promise<{ readonly vpc: Vpc; readonly subnet: Subnet }> {
    if (!this.#isKnown(eni)) await this.#catchUp();
    const { tenant, region } = eni;
    const vpc = this.vpcs.get(recordId({ tenant, region, id: eni.vpcId }));
    const subnet = this.subnets.get(recordId({ tenant, region, id: eni.subnetId }));
    if (!vpc) throw new DabbaError('NotFound', `network interface ${eni.id}: there is no VPC ${eni.vpcId}`);
    if (!subnet) throw new DabbaError('NotFound', `network interface ${eni.id}: there is no subnet ${eni.subnetId}`);
    if (!this.networkInterfaces.get(recordId(eni)))
      throw new DabbaError('NotFound', `network interface ${eni.id} has no record`);
    return { vpc, subnet };
  }

  /** True if all that an interface's rules depend on has been seen; what was written a moment ago may not have been. */
  #isKnown({ tenant, region, ...eni }: NetworkInterface): boolean {
    const seen = this.networkInterfaces.get(recordId({ tenant, region, id: eni.id }));
    const groupIds = seen?.securityGroupIds ?? [];
    return (
      seen !== undefined &&
      seen.publicIp === eni.publicIp &&
      this.vpcs.get(recordId({ tenant, region, id: eni.vpcId })) !== undefined &&
      this.subnets.get(recordId({ tenant, region, id: eni.subnetId })) !== undefined &&
      groupIds.every((id) => this.securityGroups.get(recordId({ tenant, region, id })) !== undefined)
    );
  }

  async #catchUp(): Promise<void> {
    const { store, signal } = this.#options;
    const revision = await store.revision();
    const limit = AbortSignal.any([signal, AbortSignal.timeout(CATCH_UP_MS)]);
    await this.#cache?.waitFor(revision, limit).catch((error: unknown) => {
      throw new DabbaError('Unavailable', `the network records of revision ${revision} have not come`, {
        cause: error,
      });
    });
  }

  #view<T>(collection: Collection<T>): Records<T> {
    // What lies under a collection's prefix was written by that collection.
    return {
      get: (id) => this.#cache?.get(collection.key(id))?.value as T | undefined,
      all: () => (this.#cache?.list(collection.prefix) ?? []).map(({ value }) => value as T),
    };
  }
}
