import { messageOf, type Clock, type Logger } from '#base';
import type { BalancerTarget, LoadBalancer, TargetGroup, TargetGroupHealth, TargetHealth } from '../model.ts';
import { recordId } from '../records.ts';
import { targetKey, type Balancers } from './balancers.ts';
import type { Fabrics } from './fabrics.ts';
import { probe, type ProbeResult } from './probe.ts';
import { recordKey } from './state.ts';

/** How often a target is tried that has not answered yet: whoever waits for a new one should not wait for an interval. */
const FIRST_INTERVAL_MS = 1_000;

export interface HealthChecksOptions {
  readonly balancers: Balancers;
  readonly fabrics: () => Fabrics;
  /** Writes what is known of a target group's targets; nothing when the group is gone. */
  readonly record: (id: string, health: TargetGroupHealth) => Promise<unknown>;
  /** Load balancers whose fabrics may be here, and what was found out about their targets before. */
  readonly desired: {
    readonly loadBalancers: { all(): LoadBalancer[] };
    readonly targetHealth: { get(id: string): TargetGroupHealth | undefined };
  };
  readonly clock: Clock;
  readonly logger: Logger;
}

/** One target to check, on behalf of one load balancer. */
interface Check {
  readonly balancer: LoadBalancer;
  readonly group: TargetGroup;
  readonly target: BalancerTarget;
}

interface RunningCheck {
  /** Changes with all that the check is made of. */
  readonly text: string;
  readonly ending: AbortController;
  readonly ended: Promise<void>;
}

/** Dials the targets of load balancers from inside their fabrics, from the load balancer's address, and records who answers. */
export class HealthChecks {
  readonly #options: HealthChecksOptions;
  readonly #running = new Map<string, RunningCheck>();
  /** What was last found out, by record and target, and the writes under way. */
  readonly #known = new Map<string, Map<string, TargetHealth>>();
  readonly #writing = new Map<string, Promise<void>>();
  #isStopped = false;

  constructor(options: HealthChecksOptions) {
    this.#options = options;
  }

  /** Starts checks that are missing and ends those no longer asked for. */
  refresh(): void {
    if (this.#isStopped) return;
    const wanted = this.#wanted();
    for (const [key, running] of this.#running) {
      if (textOf(wanted.get(key)) === running.text) continue;
      running.ending.abort();
      this.#running.delete(key);
      if (!wanted.has(key)) this.#forget(key);
    }
    for (const [key, check] of wanted) {
      if (this.#running.has(key)) continue;
      const ending = new AbortController();
      const ended = this.#watch(check, ending.signal).catch((error: unknown) => {
        if (ending.signal.aborted) return;
        this.#options.logger.error('a health check ended', { target: key, error: messageOf(error) });
      });
      this.#running.set(key, { text: textOf(check), ending, ended });
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    const running = [...this.#running.values()];
    this.#running.clear();
    for (const { ending } of running) ending.abort();
    await Promise.all(running.map(async ({ ended }) => await ended));
    await Promise.allSettled(this.#writing.values());
  }

  #wanted(): ReadonlyMap<string, Check> {
    const { desired, balancers, fabrics } = this.#options;
    const here = desired.loadBalancers.all().filter(({ vpcId }) => fabrics().get(recordKey('vpc', vpcId)));
    return new Map(
      here.flatMap((balancer) =>
        balancer.listeners.flatMap(({ targetGroupId }) => {
          const group = balancers.targetGroup(balancer, targetGroupId);
          return (group?.targets ?? []).map((target): [string, Check] => [
            `${recordId(group!)} ${targetKey(target)}`,
            { balancer, group: group!, target },
          ]);
        }),
      ),
    );
  }

  async #watch(check: Check, signal: AbortSignal): Promise<void> {
    const { group, target } = check;
    const { intervalS, healthyThreshold, unhealthyThreshold } = group.healthCheck;
    let streak = 0;
    for (;;) {
      const known = this.#knownOf(group).get(targetKey(target));
      const result = await this.#probe(check, signal);
      if (signal.aborted) return;
      const isChange = (result.isHealthy ? 'healthy' : 'unhealthy') !== known?.state;
      streak = isChange ? streak + 1 : 0;
      // A target that was never checked is taken in after one good answer.
      const threshold = result.isHealthy ? (known ? healthyThreshold : 1) : unhealthyThreshold;
      if (streak >= threshold) {
        streak = 0;
        this.#report(group, target, healthOf(result));
      }
      const isNew = !this.#knownOf(group).has(targetKey(target));
      await this.#options.clock.sleep(isNew ? FIRST_INTERVAL_MS : intervalS * 1000, signal).catch(() => undefined);
      if (signal.aborted) return;
    }
  }

  async #probe({ balancer, group, target }: Check, signal: AbortSignal): Promise<ProbeResult> {
    const { healthCheck } = group;
    const zone = balancer.zones.find((each) => each.zone === target.zone) ?? balancer.zones[0];
    const fabric = this.#options.fabrics().get(recordKey('vpc', balancer.vpcId));
    const at = { address: target.address, port: healthCheck.port ?? target.port };
    if (!zone || !fabric) return { isHealthy: false, reason: 'timeout' };
    // The fabric's own packets pass no groups; the load balancer's would.
    if (!this.#options.balancers.admitsBalancer(balancer, zone, { ...at, protocol: 'tcp' }))
      return { isHealthy: false, reason: 'timeout' };
    return await probe(fabric.namespace, { ...at, from: zone.privateIp, check: healthCheck }, signal);
  }

  #knownOf(group: TargetGroup): Map<string, TargetHealth> {
    const id = recordId(group);
    let known = this.#known.get(id);
    if (!known)
      this.#known.set(id, (known = new Map(Object.entries(this.#options.desired.targetHealth.get(id)?.targets ?? {}))));
    return known;
  }

  #report(group: TargetGroup, target: BalancerTarget, health: TargetHealth): void {
    this.#knownOf(group).set(targetKey(target), health);
    this.#write(recordId(group));
  }

  /** A target that comes back is new. */
  #forget(key: string): void {
    const [id = '', target = ''] = key.split(' ');
    if (this.#known.get(id)?.delete(target)) this.#write(id);
  }

  #write(id: string): void {
    const { record, logger } = this.#options;
    const before = this.#writing.get(id) ?? Promise.resolve();
    const writing = before
      .then(async () => {
        await record(id, { targets: Object.fromEntries(this.#known.get(id) ?? []) });
      })
      .catch((error: unknown) => logger.error('target health could not be recorded', { id, error: messageOf(error) }))
      .finally(() => {
        if (this.#writing.get(id) === writing) this.#writing.delete(id);
      });
    this.#writing.set(id, writing);
  }
}

function textOf(check: Check | undefined): string {
  return check ? JSON.stringify([check.balancer.id, check.balancer.zones, check.group.healthCheck, check.target]) : '';
}

function healthOf({ isHealthy, reason, description }: ProbeResult): TargetHealth {
  return {
    state: isHealthy ? 'healthy' : 'unhealthy',
    ...(reason ? { reason } : {}),
    ...(description ? { description } : {}),
  };
}
