/** What one metric of an autoscaler says now, and how many replicas it asks for. Behaviour: kubernetes `pkg/controller/podautoscaler/horizontal.go`, "computeStatusFor…Metric". */
import { messageOf } from '#base';
import type { ApiClient } from '../../client/client.ts';
import type { ServedResources } from '../../client/served-resources.ts';
import { formatQuantity, milliQuantity, milliValue } from '../../quantity.ts';
import { formatLabelSelector, type LabelSelector, labelSelectorOf } from '../../selector.ts';
import type { HorizontalPodAutoscaler, Pod } from '../../types.ts';
import { externalMetric, type MetricsWorld, objectMetric, podMetric } from './custom-metrics.ts';
import { podUsage } from './metrics.ts';
import { type Demand, demandOf, demandOfAverage, demandOfValue } from './replicas.ts';

export type MetricSpec = NonNullable<NonNullable<HorizontalPodAutoscaler['spec']>['metrics']>[number];
export type CurrentMetric = NonNullable<NonNullable<HorizontalPodAutoscaler['status']>['currentMetrics']>[number];

export interface MeasureWorld extends MetricsWorld {
  readonly api: ApiClient;
  readonly resources: ServedResources;
  /** Of the target's pods. */
  readonly selector: LabelSelector;
  readonly pods: readonly Pod[];
  /** What the target wants, and what it says that it has. */
  readonly currentReplicas: number;
  readonly statusReplicas: number;
  readonly nowMs: number;
}

export interface Measured {
  readonly replicas: number;
  readonly told: CurrentMetric;
  /** As events call it. */
  readonly name: string;
}

/** Throws when the metric cannot be had, or its target is none. */
export async function measure(metric: MetricSpec, world: MeasureWorld): Promise<Measured> {
  if (metric.resource) return measureResource(metric.resource, undefined, world);
  const { containerResource } = metric;
  if (containerResource) return measureResource(containerResource, containerResource.container, world);
  const what = metric.type.toLowerCase();
  try {
    if (metric.pods) return await measurePods(metric.pods, world);
    if (metric.object) return await measureObject(metric.object, world);
    if (metric.external) return await measureExternal(metric.external, world);
  } catch (error) {
    throw new Error(`failed to get ${what} metric value: ${messageOf(error)}`, { cause: error });
  }
  throw new Error(`unknown metric source type ${JSON.stringify(metric.type)}`);
}

async function measureResource(
  { name: resource, target: wanted }: NonNullable<MetricSpec['resource']>,
  container: string | undefined,
  world: MeasureWorld,
): Promise<Measured> {
  const { api, namespace, selector, signal } = world;
  const query = { namespace, selector, resource, ...(container !== undefined && { container }) };
  const usage = await podUsage(api, query, signal);
  const { averageUtilization, averageValue } = wanted;
  if (averageUtilization === undefined && averageValue === undefined)
    throw new Error(
      'invalid resource metric source: neither an average utilization target nor an average value target was set',
    );
  const target =
    averageUtilization === undefined
      ? { averageMilli: milliValue(averageValue!) }
      : { utilization: averageUtilization };
  const demand = demandOf({ ...world, usage, resource, container, target });
  const current = { averageValue: quantity(demand.averageMilli), ...utilization(demand) };
  const what = averageUtilization === undefined ? '' : ' utilization (percentage of request)';
  return {
    replicas: demand.replicas,
    told:
      container === undefined
        ? { type: 'Resource', resource: { name: resource, current } }
        : { type: 'ContainerResource', containerResource: { name: resource, container, current } },
    name: `${resource} resource${what}`,
  };
}

async function measurePods(
  { metric, target }: NonNullable<MetricSpec['pods']>,
  world: MeasureWorld,
): Promise<Measured> {
  if (target.averageValue === undefined) throw new Error('invalid pods metric source: no average value target was set');
  const usage = await podMetric(world, metric, world.selector);
  const wanted = { averageMilli: milliValue(target.averageValue) };
  const demand = demandOf({ ...world, usage, resource: '', container: undefined, target: wanted });
  const current = { averageValue: quantity(demand.averageMilli) };
  return {
    replicas: demand.replicas,
    told: { type: 'Pods', pods: { metric, current } },
    name: `pods metric ${metric.name}`,
  };
}

async function measureObject(
  { describedObject, metric, target }: NonNullable<MetricSpec['object']>,
  world: MeasureWorld,
): Promise<Measured> {
  const { apiVersion = '', kind, name } = describedObject;
  const type = world.resources.ofKind(apiVersion, kind);
  if (!type) throw new Error(`no matches for kind "${kind}" in group "${apiVersion}"`);
  const { replicas, current } = against(target, await objectMetric(world, metric, { type, name }), world);
  return {
    replicas,
    told: { type: 'Object', object: { describedObject, metric, current } },
    name: `${kind} metric ${metric.name}`,
  };
}

async function measureExternal(
  { metric, target }: NonNullable<MetricSpec['external']>,
  world: MeasureWorld,
): Promise<Measured> {
  const { replicas, current } = against(target, await externalMetric(world, metric), world);
  const selected = metric.selector ? formatLabelSelector(labelSelectorOf(metric.selector)) : '';
  return {
    replicas,
    told: { type: 'External', external: { metric, current } },
    name: `external metric ${metric.name}(${selected})`,
  };
}

/** One value for all pods: as it is, or shared among them. */
function against(
  { value, averageValue }: NonNullable<MetricSpec['external']>['target'],
  milli: number,
  world: MeasureWorld,
): { readonly replicas: number; readonly current: NonNullable<CurrentMetric['external']>['current'] } {
  if (averageValue !== undefined) {
    const { replicas, averageMilli } = demandOfAverage(milli, milliValue(averageValue), world);
    return { replicas, current: { averageValue: quantity(averageMilli) } };
  }
  if (value === undefined) throw new Error('neither a value target nor an average value target was set');
  return { replicas: demandOfValue(milli, milliValue(value), world), current: { value: quantity(milli) } };
}

function utilization({ utilization: percent }: Demand): { readonly averageUtilization?: number } {
  return percent === undefined ? {} : { averageUtilization: percent };
}

function quantity(milli: number): string {
  return formatQuantity(milliQuantity(milli));
}
