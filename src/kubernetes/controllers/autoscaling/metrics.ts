/** What pods use, as autoscaling asks it: the resource metrics API, which kubectl top reads too. */
import type { ApiClient } from '../../client/client.ts';
import type { KubernetesObject, ResourceType } from '../../object.ts';
import { formatLabelSelector, type LabelSelector } from '../../selector.ts';
import { milliValue } from '../../quantity.ts';

interface PodMetrics extends KubernetesObject {
  readonly containers?: readonly { readonly name: string; readonly usage: { readonly [resource: string]: string } }[];
}

const podMetrics: ResourceType<PodMetrics> = {
  group: 'metrics.k8s.io',
  version: 'v1beta1',
  kind: 'PodMetrics',
  resource: 'pods',
  isNamespaced: true,
};

export interface MetricsQuery {
  readonly namespace: string;
  readonly selector: LabelSelector;
  readonly resource: string;
  /** One container of each pod; all of them when absent. */
  readonly container?: string;
}

/** Thousandths of the resource that each pod uses, by name. Pods that nothing is known of are left out. Throws when nothing is known at all. */
export async function podUsage(
  client: ApiClient,
  { namespace, selector, resource, container }: MetricsQuery,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, number>> {
  const { items } = await client.list(podMetrics, { namespace, labelSelector: formatLabelSelector(selector), signal });
  const usage = new Map<string, number>();
  for (const { metadata, containers = [] } of items) {
    const amounts = containers
      .filter(({ name }) => container === undefined || name === container)
      .map((each) => each.usage[resource]);
    if (!amounts.length || amounts.includes(undefined)) continue;
    usage.set(
      metadata!.name!,
      (amounts as string[]).reduce((sum, amount) => sum + milliValue(amount), 0),
    );
  }
  if (!usage.size) throw new Error('no metrics returned from resource metrics API');
  return usage;
}
