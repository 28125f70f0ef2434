/** The ways of changing objects, as the API server uses them. */
import type { KubernetesObject } from '../object.ts';
import { StatusError } from '../status.ts';
import type { ApiParts } from './parts.ts';

function isPlain(value: unknown): value is { readonly [key: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function mergePatch(document: unknown, patch: unknown): unknown {
  if (!isPlain(patch)) return patch;
  const out: { [key: string]: unknown } = isPlain(document) ? { ...document } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete out[key];
    else out[key] = mergePatch(out[key], value);
  }
  return out;
}

function missing(what: string): never {
  throw new StatusError('NotImplemented', `${what} is not served yet`);
}

export const merging: ApiParts['merge'] = {
  jsonPatch: () => missing('a JSON patch'),
  mergePatch,
  strategicPatch: () => missing('a strategic merge patch'),
  apply: () => missing('server-side apply'),
  trackManagers: ({ next }: { readonly next: KubernetesObject }) => next,
};
