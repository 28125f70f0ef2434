/** Follows load with replicas. Behaviour: kubernetes `pkg/controller/podautoscaler`. */
import { isDeepStrictEqual } from 'node:util';
import { messageOf } from '#base';
import type { Informer } from '../../client/informer.ts';
import { type KubernetesObject, keyOf, type ResourceType } from '../../object.ts';
import { horizontalPodAutoscalers } from '../../resources.ts';
import { matches, parseLabelSelector } from '../../selector.ts';
import type { HorizontalPodAutoscaler, Pod } from '../../types.ts';
import { withCondition } from '../conditions.ts';
import { type Controller, type ControllerParts, copyOf, type Step, wakes } from '../controller.ts';
import { podsIn } from '../indexes.ts';
import { isDeleting, metaOf, omitEmpty, timestampOf } from '../meta.ts';
import { limited, ScaleHistory } from './behavior.ts';
import { type CurrentMetric, measure, type MeasureWorld, type MetricSpec } from './measure.ts';

const NAME = 'horizontal-pod-autoscaler';
/** Load is measured, not announced: upstream's `horizontal-pod-autoscaler-sync-period`. */
const PERIOD_MS = 15_000;

type Status = NonNullable<HorizontalPodAutoscaler['status']>;
type StatusCondition = NonNullable<Status['conditions']>[number];

interface Scale extends KubernetesObject {
  readonly spec?: { readonly replicas?: number };
  readonly status?: { readonly replicas?: number; readonly selector?: string };
}

interface Found {
  readonly type: ResourceType<Scale>;
  readonly scale: Scale;
}

export function horizontalPodAutoscaler(parts: ControllerParts): Controller {
  const copy = parts.informers.of(horizontalPodAutoscalers);
  const pods = podsIn(parts.informers);
  const histories = new Map<string, ScaleHistory>();
  return {
    name: NAME,
    wokenBy: [
      wakes(copy, ({ now, before }) => {
        // Our own status is no reason to measure again.
        const isSame = now && before && now.metadata?.generation === before.metadata?.generation;
        return isSame ? [] : [keyOf((now ?? before)!)];
      }),
    ],
    reads: [copyOf(horizontalPodAutoscalers, copy)],
    async reconcile(key, step) {
      const autoscaler = copy.get(key);
      if (!autoscaler || isDeleting(autoscaler)) {
        histories.delete(key);
        return undefined;
      }
      const history = histories.get(key) ?? new ScaleHistory();
      histories.set(key, history);
      await new Autoscale({ parts, step, autoscaler, pods, history }).run();
      return { afterMs: PERIOD_MS };
    },
  };
}

interface Input {
  readonly parts: ControllerParts;
  readonly step: Step;
  readonly autoscaler: HorizontalPodAutoscaler;
  readonly pods: Informer<Pod>;
  readonly history: ScaleHistory;
}

class Autoscale {
  readonly #input: Input;
  #conditions: readonly StatusCondition[];

  constructor(input: Input) {
    this.#input = input;
    this.#conditions = input.autoscaler.status?.conditions ?? [];
  }

  async run(): Promise<void> {
    const { autoscaler, parts, history } = this.#input;
    const spec = autoscaler.spec!;
    const found = await this.#scale();
    if (!found) return this.#write({});
    const { scale } = found;
    const current = scale.spec?.replicas ?? 0;
    if (current === 0 && (spec.minReplicas ?? 1) !== 0) {
      this.#say(
        'ScalingActive',
        'False',
        'ScalingDisabled',
        'scaling is disabled since the replica count of the target is zero',
      );
      return this.#write({ current, desired: 0 });
    }
    const beyond = outOfBounds(spec, current);
    if (beyond) return this.#rescale(found, beyond);
    const demand = await this.#demand(scale, current);
    if (!demand) return this.#write({ current, desired: autoscaler.status?.desiredReplicas || current });
    const nowMs = parts.clock.now();
    const { replicas, reason, message, stabilized } = limited({
      spec,
      current,
      desired: demand.replicas,
      history,
      nowMs,
    });
    if (stabilized)
      this.#say(
        'AbleToScale',
        'True',
        'ScaleDownStabilized',
        'recent recommendations were higher than current one, applying the highest recent recommendation',
      );
    else this.#say('AbleToScale', 'True', 'ReadyForNewScale', 'recommended size matches current size');
    this.#say(
      'ScalingLimited',
      reason ? 'True' : 'False',
      reason || 'DesiredWithinRange',
      message || 'the desired count is within the acceptable range',
    );
    if (replicas === current) return this.#write({ current, desired: current, metrics: demand.metrics });
    const why = replicas < current ? 'All metrics below target' : demand.why;
    return this.#rescale(found, { replicas, why, metrics: demand.metrics });
  }

  async #rescale(
    { type, scale }: Found,
    { replicas, why, metrics }: { replicas: number; why: string; metrics?: readonly CurrentMetric[] },
  ): Promise<void> {
    const { autoscaler, parts, history, step } = this.#input;
    const { kind, name } = autoscaler.spec!.scaleTargetRef;
    const current = scale.spec?.replicas ?? 0;
    const told = { current, desired: replicas, ...(metrics && { metrics }) };
    try {
      await step.api.update(type, { ...scale, spec: { replicas } }, { subresource: 'scale' });
    } catch (error) {
      this.#say(
        'AbleToScale',
        'False',
        'FailedUpdateScale',
        `the HPA controller was unable to update the target scale: ${messageOf(error)}`,
      );
      this.#tell('Warning', 'FailedRescale', `New size: ${replicas}; reason: ${why}; error: ${messageOf(error)}`);
      await this.#write(told);
      throw error;
    }
    history.change(parts.clock.now(), replicas - current);
    this.#say(
      'AbleToScale',
      'True',
      'SucceededRescale',
      `the HPA controller was able to update the target scale to ${replicas}`,
    );
    this.#tell('Normal', 'SuccessfulRescale', `New size: ${replicas}; reason: ${why}`);
    parts.logger.info('scaled', { autoscaler: keyOf(autoscaler), target: `${kind}/${name}`, replicas });
    return this.#write({ ...told, hasScaled: true });
  }

  #target(type: ResourceType, name: string): { readonly namespace?: string | undefined; readonly name: string } {
    const { namespace } = metaOf(this.#input.autoscaler);
    return type.isNamespaced ? { namespace, name } : { name };
  }

  async #scale(): Promise<Found | undefined> {
    const { autoscaler, parts, step } = this.#input;
    const { apiVersion = '', kind, name } = autoscaler.spec!.scaleTargetRef;
    try {
      const type = parts.resources.ofKind(apiVersion, kind);
      if (!type) throw new Error(`no matches for kind "${kind}" in group "${apiVersion}"`);
      const scale = await step.api.get(type, this.#target(type, name), { subresource: 'scale' });
      this.#say(
        'AbleToScale',
        'True',
        'SucceededGetScale',
        "the HPA controller was able to get the target's current scale",
      );
      return { type, scale };
    } catch (error) {
      this.#say(
        'AbleToScale',
        'False',
        'FailedGetScale',
        `the HPA controller was unable to get the target's current scale: ${messageOf(error)}`,
      );
      this.#tell('Warning', 'FailedGetScale', messageOf(error));
      return undefined;
    }
  }

  /** The largest size that any metric asks for; undefined when none can be measured. With some unknown nothing shrinks. */
  async #demand(scale: Scale, current: number) {
    const { autoscaler, pods } = this.#input;
    const selector = parseLabelSelector(scale.status?.selector ?? '');
    if (!selector.requirements.length) {
      this.#say('ScalingActive', 'False', 'InvalidSelector', "the HPA target's scale is missing a selector");
      this.#tell('Warning', 'SelectorRequired', 'selector is required');
      return undefined;
    }
    const mine = pods.list(metaOf(autoscaler).namespace).filter((pod) => matches(selector, pod.metadata?.labels));
    const world = this.#world(scale, { selector, pods: mine, currentReplicas: current });
    const metrics: CurrentMetric[] = [];
    let best: { replicas: number; why: string } | undefined;
    let failure: { reason: string; message: string } | undefined;
    for (const metric of autoscaler.spec!.metrics ?? [defaultMetric]) {
      try {
        const { replicas, told, name } = await measure(metric, world);
        metrics.push(told);
        if (!best || replicas > best.replicas) best = { replicas, why: `${name} above target` };
      } catch (error) {
        failure ??= { reason: `FailedGet${metric.type}Metric`, message: messageOf(error) };
      }
    }
    if (failure) {
      this.#tell('Warning', failure.reason, failure.message);
      if (!best || best.replicas < current) {
        const message = `the HPA was unable to compute the replica count: ${failure.message}`;
        this.#say('ScalingActive', 'False', failure.reason, message);
        this.#tell(
          'Warning',
          'FailedComputeMetricsReplicas',
          `invalid metrics (1 invalid out of ${(autoscaler.spec!.metrics ?? [1]).length}), first error is: ${failure.message}`,
        );
        return undefined;
      }
    }
    this.#say(
      'ScalingActive',
      'True',
      'ValidMetricFound',
      `the HPA was able to successfully calculate a replica count from ${best!.why.replace(' above target', '')}`,
    );
    return { ...best!, metrics };
  }

  #world(scale: Scale, found: Pick<MeasureWorld, 'selector' | 'pods' | 'currentReplicas'>): MeasureWorld {
    const { autoscaler, parts, step } = this.#input;
    return {
      ...found,
      api: step.api,
      remote: parts.remoteOf?.(NAME),
      resources: parts.resources,
      namespace: metaOf(autoscaler).namespace!,
      statusReplicas: scale.status?.replicas ?? 0,
      nowMs: parts.clock.now(),
      signal: step.signal,
    };
  }

  #say(type: string, status: 'True' | 'False', reason: string, message: string): void {
    const lastTransitionTime = timestampOf(this.#input.parts.clock);
    this.#conditions = withCondition(this.#conditions, { type, status, reason, message, lastTransitionTime });
  }

  async #write({
    current,
    desired,
    metrics,
    hasScaled,
  }: {
    current?: number;
    desired?: number;
    metrics?: readonly CurrentMetric[];
    hasScaled?: boolean;
  }): Promise<void> {
    const { autoscaler, step, parts } = this.#input;
    const before = autoscaler.status;
    const status: Status = {
      desiredReplicas: desired ?? before?.desiredReplicas ?? 0,
      ...omitEmpty({
        observedGeneration: autoscaler.metadata?.generation,
        currentReplicas: current ?? before?.currentReplicas,
        lastScaleTime: hasScaled ? timestampOf(parts.clock) : before?.lastScaleTime,
        currentMetrics: metrics ?? before?.currentMetrics,
        conditions: this.#conditions,
      }),
    };
    if (isDeepStrictEqual(status, before)) return;
    await step.api.update(horizontalPodAutoscalers, { ...autoscaler, status }, { subresource: 'status' });
  }

  #tell(type: 'Normal' | 'Warning', reason: string, message: string): void {
    const { parts, autoscaler } = this.#input;
    parts.events.as(NAME).record(horizontalPodAutoscalers, autoscaler, { type, reason, message });
  }
}

/** Bounds hold whatever is measured, and before anything is. */
function outOfBounds(
  { minReplicas = 1, maxReplicas }: NonNullable<HorizontalPodAutoscaler['spec']>,
  current: number,
): { readonly replicas: number; readonly why: string } | undefined {
  if (current > maxReplicas) return { replicas: maxReplicas, why: 'Current number of replicas above Spec.MaxReplicas' };
  if (current < minReplicas) return { replicas: minReplicas, why: 'Current number of replicas below Spec.MinReplicas' };
  return undefined;
}

/** What an autoscaler without metrics follows: `pkg/apis/autoscaling/v2/defaults.go`. */
const defaultMetric: MetricSpec = {
  type: 'Resource',
  resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } },
};
