/** Logs of control planes on their way to CloudWatch Logs: Amazon EKS User Guide, "Send control plane logs to CloudWatch Logs". As there, on a best-effort basis. */
import { messageOf, type Clock, type Logger } from '#base';
import type { ControlPlaneLog, ControlPlaneLogs } from '#kubernetes';
import type { ServiceLogs } from '../../logs/index.ts';
import type { ClusterRecord } from '../records.ts';

export const logTypes = ['api', 'audit', 'authenticator', 'controllerManager', 'scheduler'] as const;

/** How the streams of each begin. */
const streams: { readonly [Log in ControlPlaneLog]: string } = {
  api: 'kube-apiserver',
  audit: 'kube-apiserver-audit',
  authenticator: 'authenticator',
  controllerManager: 'kube-controller-manager',
  scheduler: 'kube-scheduler',
};

/** Lines that wait to be kept; further ones are dropped, and the log says how many. */
const MAX_WAITING = 10_000;

export interface LogDeliveryParts {
  readonly logs: ServiceLogs;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Waiting {
  events: { readonly timestamp: number; readonly message: string }[];
  dropped: number;
}

/** The logs of one cluster. What is said while earlier lines are being written waits, and goes with them in one batch. */
export class LogDelivery implements ControlPlaneLogs {
  readonly #parts: LogDeliveryParts;
  readonly #cluster: Pick<ClusterRecord, 'account' | 'region' | 'name' | 'id'>;
  readonly #waiting = new Map<ControlPlaneLog, Waiting>();
  readonly #writing = new Map<ControlPlaneLog, Promise<void>>();
  #wanted: ReadonlySet<string> = new Set();

  constructor(parts: LogDeliveryParts, cluster: Pick<ClusterRecord, 'account' | 'region' | 'name' | 'id'>) {
    this.#parts = parts;
    this.#cluster = cluster;
  }

  /** From now on these are kept. */
  configure(types: readonly string[]): void {
    this.#wanted = new Set(types);
  }

  wants(log: ControlPlaneLog): boolean {
    return this.#wanted.has(log);
  }

  write(log: ControlPlaneLog, message: string): void {
    if (!this.wants(log)) return;
    const waiting = this.#waiting.get(log) ?? { events: [], dropped: 0 };
    this.#waiting.set(log, waiting);
    if (waiting.events.length >= MAX_WAITING) waiting.dropped++;
    else waiting.events.push({ timestamp: this.#parts.clock.now(), message });
    if (!this.#writing.has(log)) this.#writing.set(log, this.#writeAll(log));
  }

  /** Resolves when what was said is kept. */
  async idle(): Promise<void> {
    await Promise.all(this.#writing.values());
  }

  async #writeAll(log: ControlPlaneLog): Promise<void> {
    // Whoever says several things in a turn says them together.
    await Promise.resolve();
    const { account, region, name, id } = this.#cluster;
    const to = { account, region, group: `/aws/eks/${name}/cluster`, stream: `${streams[log]}-${id}` };
    for (let batch = this.#take(log); batch.length; batch = this.#take(log))
      try {
        await this.#parts.logs.write(to, batch);
      } catch (error) {
        this.#parts.logger.warn('lines of a control plane were lost', { cluster: name, log, error: messageOf(error) });
      }
    this.#writing.delete(log);
  }

  #take(log: ControlPlaneLog) {
    const { events = [], dropped = 0 } = this.#waiting.get(log) ?? {};
    this.#waiting.delete(log);
    if (!dropped) return events;
    return [...events, { timestamp: this.#parts.clock.now(), message: `${dropped} lines were dropped` }];
  }
}

/** The deliveries of the clusters that run here, by the clusters' ids. */
export class LogDeliveries {
  readonly #parts: LogDeliveryParts;
  readonly #byId = new Map<string, LogDelivery>();

  constructor(parts: LogDeliveryParts) {
    this.#parts = parts;
  }

  /** Of this cluster, as its record wants it now. */
  of(record: ClusterRecord): LogDelivery {
    let delivery = this.#byId.get(record.id);
    if (!delivery) this.#byId.set(record.id, (delivery = new LogDelivery(this.#parts, record)));
    delivery.configure(record.logTypes ?? []);
    return delivery;
  }

  /** Resolves when what was said is kept. */
  async idle(): Promise<void> {
    await Promise.all([...this.#byId.values()].map(async (delivery) => await delivery.idle()));
  }

  async forget(id: string): Promise<void> {
    const delivery = this.#byId.get(id);
    this.#byId.delete(id);
    await delivery?.idle();
  }
}
