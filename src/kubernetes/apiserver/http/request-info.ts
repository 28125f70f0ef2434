/** What a URL and a method ask for. Source: apiserver `endpoints/request/requestinfo.go`. */
import type { GroupVersion } from '../../object.ts';

export type RequestInfo =
  | {
      readonly kind: 'resource';
      readonly groupVersion: GroupVersion;
      /** `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`. */
      readonly verb: string;
      readonly namespace: string | undefined;
      readonly resource: string;
      readonly name: string | undefined;
      /** The one object that a list or watch selects by its name: authorisers are asked about it, so that who may see an object may follow it. */
      readonly selectedName: string | undefined;
      readonly subresource: string | undefined;
      /** What follows a subresource that goes on: `proxy/metrics/resource`. */
      readonly rest: string;
    }
  | { readonly kind: 'path'; readonly verb: string; readonly path: string };

const methodVerbs: { readonly [method: string]: string } = {
  GET: 'get',
  HEAD: 'get',
  POST: 'create',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};

/** Subresources of namespaces; anything else behind a namespace's name is a resource in it. */
const namespaceParts = new Set(['status', 'finalize']);

export function requestInfo(method: string, url: URL): RequestInfo {
  const verb = methodVerbs[method] ?? method.toLowerCase();
  const path = {
    kind: 'path',
    verb: verb === 'get' && method !== 'HEAD' ? 'get' : methodPathVerb(method),
    path: url.pathname,
  } as const;
  const segments = segmentsOf(url.pathname);
  if (!segments) return path;
  const [root, ...afterRoot] = segments;
  const [group, version, ...rest] = root === 'api' ? ['', ...afterRoot] : root === 'apis' ? afterRoot : [];
  if (group === undefined || !version || !rest.length) return path;
  return resourceInfo({ group, version }, rest, verb, url.searchParams);
}

function methodPathVerb(method: string): string {
  return method === 'HEAD' ? 'head' : method.toLowerCase();
}

/** Undefined for what no path of ours decodes to. */
function segmentsOf(pathname: string): string[] | undefined {
  try {
    return pathname.split('/').filter(Boolean).map(decodeURIComponent);
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}

function resourceInfo(
  groupVersion: GroupVersion,
  segments: readonly string[],
  verb: string,
  query: URLSearchParams,
): RequestInfo {
  const isOldWatch = segments[0] === 'watch' && segments.length > 1;
  const parts = isOldWatch ? segments.slice(1) : segments;
  const isInNamespace = parts[0] === 'namespaces' && parts.length > 2 && !namespaceParts.has(parts[2]!);
  const namespace = isInNamespace ? parts[1] : undefined;
  const [resource = '', name, subresource, ...rest] = isInNamespace ? parts.slice(2) : parts;
  const isWatch = isOldWatch || ['1', 'true', 'True', 'TRUE', 't', 'T'].includes(query.get('watch') ?? '');
  return {
    kind: 'resource',
    groupVersion,
    verb: resourceVerb(verb, { isNamed: name !== undefined, isWatch }),
    namespace: namespace ?? (resource === 'namespaces' ? name : undefined),
    resource,
    name,
    selectedName: name === undefined ? selectedName(query.get('fieldSelector') ?? '') : undefined,
    subresource,
    rest: rest.map(encodeURIComponent).join('/'),
  };
}

function selectedName(fieldSelector: string): string | undefined {
  return /(?:^|,)metadata\.name={1,2}([^,=!]+)/.exec(fieldSelector)?.[1];
}

function resourceVerb(
  verb: string,
  { isNamed, isWatch }: { readonly isNamed: boolean; readonly isWatch: boolean },
): string {
  if (verb === 'get' && isWatch) return 'watch';
  if (isNamed) return verb;
  if (verb === 'get') return 'list';
  return verb === 'delete' ? 'deletecollection' : verb;
}
