import type { KubernetesObject } from '../object.ts';
import { matches, matchesFields, parseFieldSelector, parseLabelSelector } from '../selector.ts';
import type { Selection } from './client.ts';

/** The predicate of a selection; any path of an object may be a field. Throws `BadRequest`. */
export function matcherOf({
  namespace,
  labelSelector,
  fieldSelector,
}: Selection): (object: KubernetesObject) => boolean {
  const labels = parseLabelSelector(labelSelector ?? '');
  const fields = parseFieldSelector(fieldSelector ?? '');
  return (object) =>
    (!namespace || object.metadata?.namespace === namespace) &&
    matches(labels, object.metadata?.labels) &&
    matchesFields(fields, (path) => valueAt(object, path));
}

function valueAt(object: KubernetesObject, path: string): string {
  let value: unknown = object;
  for (const name of path.split('.')) value = (value as { readonly [name: string]: unknown } | undefined)?.[name];
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';
}
