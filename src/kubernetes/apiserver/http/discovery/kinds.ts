/** What a resource's subresources take and answer, as discovery and OpenAPI tell it. */
import type { Served } from '../../catalog.ts';
import type { Resource, Subresource } from '../../resource.ts';

/** Kinds of connections, whose options are kinds of their own. */
const connectKinds: { readonly [name: string]: string } = {
  exec: 'PodExecOptions',
  attach: 'PodAttachOptions',
  portforward: 'PodPortForwardOptions',
  log: 'Pod',
};

/** The kind of what a subresource takes and answers; of a connection, that of its options. */
export function responseKind(resource: Resource, version: Served['version'], part: Subresource, name: string) {
  if (part.kind === 'scale') return { group: 'autoscaling', version: 'v1', kind: 'Scale' };
  if (part.kind === 'post') return part.bodyType;
  if (part.kind === 'connect') {
    const kind = name === 'proxy' ? `${resource.type.kind}ProxyOptions` : connectKinds[name]!;
    return { ...version, kind };
  }
  return version;
}

export function verbsOf(part: Subresource): readonly string[] {
  if (part.kind === 'scale') return ['get', 'patch', 'update'];
  return part.kind === 'post' ? ['create'] : part.verbs;
}

export function byPlural(a: Served, b: Served): number {
  return a.resource.type.resource < b.resource.type.resource ? -1 : 1;
}

export function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}
