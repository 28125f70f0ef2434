import type { ServiceModel } from './model.ts';
import type { OperationSchema } from './schema.ts';

/** Where an operation of a REST protocol lives. */
export interface Route {
  readonly operation: OperationSchema;
  readonly method: string;
  /** `clusters`, `{name}`, or, last, `{resourceArn+}` for the rest of the path. */
  readonly segments: readonly string[];
  /** Query parameters that the template fixes, e.g. `?list-type=2`. */
  readonly fixedQuery: readonly (readonly [string, string])[];
}

const routesByModel = new WeakMap<ServiceModel, readonly Route[]>();

/** The routes of a service, most specific first. */
export function routesOf(model: ServiceModel): readonly Route[] {
  let routes = routesByModel.get(model);
  if (!routes) {
    routes = [...model.operations.values()]
      .flatMap(routeOf)
      .sort((first, second) => specificity(second) - specificity(first));
    routesByModel.set(model, routes);
  }
  return routes;
}

function routeOf(operation: OperationSchema): Route[] {
  if (!operation.http) return [];
  const [method, uri] = operation.http;
  const [path = '', query = ''] = uri.split('?');
  return [{ operation, method, segments: path.split('/').slice(1), fixedQuery: [...new URLSearchParams(query)] }];
}

/** Fixed queries first, then literal segments before labels before the greedy label. */
function specificity(route: Route): number {
  const weight = (segment: string) => (!segment.startsWith('{') ? 2 : segment.endsWith('+}') ? 0 : 1);
  return route.segments.reduce((sum, segment) => sum + weight(segment), route.fixedQuery.length * 100);
}

/** The operation that a method and path mean, with the values of the path's labels. */
export function matchRoute(
  routes: readonly Route[],
  method: string,
  path: string,
  query: URLSearchParams,
): { readonly operation: OperationSchema; readonly labels: ReadonlyMap<string, string> } | undefined {
  const segments = path.split('/').slice(1);
  if (segments.length > 1 && segments.at(-1) === '') segments.pop();
  for (const route of routes) {
    if (route.method !== method) continue;
    if (!route.fixedQuery.every(([key, value]) => (value === '' ? query.has(key) : query.get(key) === value))) continue;
    const labels = labelsOf(route, segments);
    if (labels) return { operation: route.operation, labels };
  }
  return undefined;
}

function labelsOf(route: Route, segments: readonly string[]): Map<string, string> | undefined {
  const isGreedy = route.segments.at(-1)?.endsWith('+}') ?? false;
  if (isGreedy ? segments.length < route.segments.length : segments.length !== route.segments.length) return undefined;
  const labels = new Map<string, string>();
  for (const [index, pattern] of route.segments.entries()) {
    if (pattern.endsWith('+}')) labels.set(pattern.slice(1, -2), segments.slice(index).map(decode).join('/'));
    else if (pattern.startsWith('{')) labels.set(pattern.slice(1, -1), decode(segments[index]!));
    else if (pattern !== segments[index]) return undefined;
  }
  return labels;
}

/** Percent-decodes; text that is not well encoded stays as it is. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return text;
    throw error;
  }
}
