/**
 * What adapters of a monitoring system say of pods, other objects, or things beyond the cluster. Shapes: `custom.metrics.k8s.io/v1beta1` and `v1beta2`, `external.metrics.k8s.io/v1beta1`;
 * behaviour: kubernetes `pkg/controller/podautoscaler/metrics`.
 */
import { messageOf } from '#base';
import type { RemoteRead, RemoteReader } from '../../client/remote-reader.ts';
import type { ResourceType } from '../../object.ts';
import { milliValue } from '../../quantity.ts';
import { formatLabelSelector, type LabelSelector, labelSelectorOf } from '../../selector.ts';
import type { HorizontalPodAutoscaler } from '../../types.ts';

type Metrics = NonNullable<NonNullable<HorizontalPodAutoscaler['spec']>['metrics']>[number];
export type MetricIdentifier = NonNullable<Metrics['pods']>['metric'];

export interface MetricsWorld {
  readonly remote: RemoteReader | undefined;
  readonly namespace: string;
  readonly signal: AbortSignal;
}

interface Value {
  readonly describedObject?: { readonly name?: string };
  readonly value?: string;
}

const custom = { group: 'custom.metrics.k8s.io', name: 'custom', versions: ['v1beta2', 'v1beta1'] } as const;
const external = { group: 'external.metrics.k8s.io', name: 'external', versions: ['v1beta1'] } as const;

/** Thousandths of the metric for each pod that is selected, by name. */
export async function podMetric(
  world: MetricsWorld,
  { name, selector }: MetricIdentifier,
  pods: LabelSelector,
): Promise<ReadonlyMap<string, number>> {
  const items = await read(world, custom, {
    resource: 'pods',
    name: '*',
    subresource: name,
    query: { labelSelector: formatLabelSelector(pods), ...selectorQuery('metricLabelSelector', selector) },
  }).catch(unable(name, custom.name));
  return new Map(items.map(({ describedObject, value }) => [describedObject?.name ?? '', milliValue(value!)] as const));
}

/** Thousandths of the metric of one object. */
export async function objectMetric(
  world: MetricsWorld,
  { name: metric, selector }: MetricIdentifier,
  { type, name }: { readonly type: Pick<ResourceType, 'group' | 'resource' | 'isNamespaced'>; readonly name: string },
): Promise<number> {
  const isNamespace = type.resource === 'namespaces' && type.group === '';
  const resource = type.group ? `${type.resource}.${type.group}` : type.resource;
  const items = await read(world, custom, {
    ...(isNamespace ? { resource: 'metrics', name: metric } : { resource, name, subresource: metric }),
    ...(isNamespace ? { namespace: name } : !type.isNamespaced && { isOfCluster: true }),
    query: selectorQuery('metricLabelSelector', selector),
  }).catch(unable(metric, custom.name));
  return milliValue(items[0]!.value!);
}

/** Thousandths of a metric of something else: the sum of all that is selected. */
export async function externalMetric(world: MetricsWorld, { name, selector }: MetricIdentifier): Promise<number> {
  const asked = { resource: name, query: selectorQuery('labelSelector', selector) };
  const items = await read(world, external, asked).catch(unable(name, external.name));
  return items.reduce((sum, { value }) => sum + milliValue(value!), 0);
}

interface Asked extends Omit<RemoteRead, 'group' | 'version'> {
  readonly isOfCluster?: boolean;
}

async function read(
  { remote, namespace, signal }: MetricsWorld,
  api: typeof custom | typeof external,
  { isOfCluster, ...asked }: Asked,
): Promise<readonly Value[]> {
  const served = remote?.versionsOf(api.group) ?? [];
  const version = api.versions.find((each) => served.includes(each));
  if (!remote || !version) throw new Error(`no ${api.name} metrics API (${api.group}) registered`);
  const told = await remote.read({ group: api.group, version, ...(!isOfCluster && { namespace }), ...asked }, signal);
  const { items } = (told ?? {}) as { readonly items?: unknown };
  const values = Array.isArray(items) ? items.filter(isValue) : [];
  if (values.length === 0) throw new Error(`no metrics returned from ${api.name} metrics API`);
  return values;
}

/** What a server says is anybody's word: entries without a value are left out. */
function isValue(item: unknown): item is Value {
  return typeof item === 'object' && item !== null && typeof (item as Value).value === 'string';
}

function selectorQuery(name: string, selector: MetricIdentifier['selector']): { readonly [name: string]: string } {
  const text = selector ? formatLabelSelector(labelSelectorOf(selector)) : '';
  return text ? { [name]: text } : {};
}

function unable(metric: string, api: string): (error: unknown) => never {
  return (error) => {
    throw new Error(
      `unable to get metric ${metric}: unable to fetch metrics from ${api} metrics API: ${messageOf(error)}`,
      {
        cause: error,
      },
    );
  };
}
