/** How fast a scale may move. Behaviour: kubernetes `pkg/controller/podautoscaler/horizontal.go`, "normalizeDesiredReplicasWithBehaviors". */
import type { HorizontalPodAutoscaler } from '../../types.ts';

type Rules = NonNullable<NonNullable<NonNullable<HorizontalPodAutoscaler['spec']>['behavior']>['scaleUp']>;
type Direction = 'up' | 'down';

const defaults: { readonly [Name in Direction]: Rules } = {
  up: {
    stabilizationWindowSeconds: 0,
    selectPolicy: 'Max',
    policies: [
      { type: 'Percent', value: 100, periodSeconds: 15 },
      { type: 'Pods', value: 4, periodSeconds: 15 },
    ],
  },
  down: {
    stabilizationWindowSeconds: 300,
    selectPolicy: 'Max',
    policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }],
  },
};

/** What one autoscaler has recommended and done; lost in a restart, which only makes it careful again. */
export class ScaleHistory {
  readonly #recommendations: { readonly at: number; readonly replicas: number }[] = [];
  readonly #changes: { readonly at: number; readonly by: number }[] = [];

  recommend(at: number, replicas: number): void {
    this.#recommendations.push({ at, replicas });
    const oldest = at - 3_600_000;
    while (this.#recommendations[0] && this.#recommendations[0].at < oldest) this.#recommendations.shift();
  }

  /** The recommendations of the last seconds. */
  since(at: number): readonly number[] {
    return this.#recommendations.filter((each) => each.at >= at).map(({ replicas }) => replicas);
  }

  change(at: number, by: number): void {
    this.#changes.push({ at, by });
    const oldest = at - 3_600_000;
    while (this.#changes[0] && this.#changes[0].at < oldest) this.#changes.shift();
  }

  changed(since: number, direction: Direction): number {
    return this.#changes
      .filter(({ at, by }) => at > since && (direction === 'up' ? by > 0 : by < 0))
      .reduce((sum, { by }) => sum + Math.abs(by), 0);
  }
}

export interface Limited {
  readonly replicas: number;
  /** Why it is not what was asked; empty if it is. */
  readonly reason: string;
  readonly message: string;
}

export interface LimitRequest {
  readonly spec: NonNullable<HorizontalPodAutoscaler['spec']>;
  readonly current: number;
  readonly desired: number;
  readonly history: ScaleHistory;
  readonly nowMs: number;
}

/** The desired size within the stabilization window, the policies and the bounds. */
export function limited({
  spec,
  current,
  desired,
  history,
  nowMs,
}: LimitRequest): Limited & { readonly stabilized: boolean } {
  const rules = (direction: Direction): Rules => ({
    ...defaults[direction],
    ...(direction === 'up' ? spec.behavior?.scaleUp : spec.behavior?.scaleDown),
  });
  history.recommend(nowMs, desired);
  const window = (direction: Direction) =>
    history.since(nowMs - (rules(direction).stabilizationWindowSeconds ?? 0) * 1000);
  let wanted = desired;
  if (desired < current) wanted = Math.min(current, Math.max(...window('down'), desired));
  else if (desired > current) wanted = Math.max(current, Math.min(...window('up'), desired));
  const stabilized = wanted !== desired;
  return { stabilized, ...bounded({ spec, current, desired: wanted, history, nowMs }, rules) };
}

function bounded(
  { spec, current, desired, history, nowMs }: LimitRequest,
  rules: (direction: Direction) => Rules,
): Limited {
  const lowest = spec.minReplicas ?? 1;
  const { maxReplicas } = spec;
  const none = { reason: '', message: '' };
  if (desired > current) {
    const allowed = policyLimit({ direction: 'up', rules: rules('up'), current, history, nowMs });
    const limit = Math.max(current, Math.min(allowed, maxReplicas));
    if (desired <= limit) return { replicas: desired, ...none };
    if (maxReplicas <= allowed)
      return {
        replicas: maxReplicas,
        reason: 'TooManyReplicas',
        message: 'the desired replica count is more than the maximum replica count',
      };
    return {
      replicas: limit,
      reason: 'ScaleUpLimit',
      message: 'the desired replica count is increasing faster than the maximum scale rate',
    };
  }
  const allowed = policyLimit({ direction: 'down', rules: rules('down'), current, history, nowMs });
  if (desired < lowest && lowest >= allowed)
    return {
      replicas: lowest,
      reason: 'TooFewReplicas',
      message: 'the desired replica count is less than the minimum replica count',
    };
  if (desired < allowed && desired < current)
    return {
      replicas: allowed,
      reason: 'ScaleDownLimit',
      message: 'the desired replica count is decreasing faster than the maximum scale rate',
    };
  if (desired > maxReplicas)
    return {
      replicas: maxReplicas,
      reason: 'TooManyReplicas',
      message: 'the desired replica count is more than the maximum replica count',
    };
  return { replicas: desired, ...none };
}

/** The size that the policies let it reach. */
function policyLimit({
  direction,
  rules,
  current,
  history,
  nowMs,
}: {
  readonly direction: Direction;
  readonly rules: Rules;
  readonly current: number;
  readonly history: ScaleHistory;
  readonly nowMs: number;
}): number {
  if (rules.selectPolicy === 'Disabled') return current;
  const sign = direction === 'up' ? 1 : -1;
  const limits = (rules.policies ?? []).map(({ type, value, periodSeconds }) => {
    const done = history.changed(nowMs - periodSeconds * 1000, direction);
    // Where it stood when the period began.
    const base = current - sign * done;
    if (type === 'Pods') return base + sign * value;
    return direction === 'up' ? Math.ceil(base * (1 + value / 100)) : Math.floor(base * (1 - value / 100));
  });
  if (!limits.length) return direction === 'up' ? Number.POSITIVE_INFINITY : 0;
  const isWidest = rules.selectPolicy !== 'Min';
  const widest = direction === 'up' ? Math.max(...limits) : Math.min(...limits);
  const narrowest = direction === 'up' ? Math.min(...limits) : Math.max(...limits);
  return isWidest ? widest : narrowest;
}
