import type { KubernetesObject } from '../object.ts';

/** A JSON object that is being made. */
export interface Json {
  [name: string]: unknown;
}

/** A deep copy that may be changed. */
export function draftOf(object: object): Json {
  return structuredClone(object) as Json;
}

/** A finished draft as what it is: drafts are made from objects of the type, and stay in its shape. */
export function objectOf<T extends KubernetesObject>(draft: Json): T {
  return draft as KubernetesObject as T;
}

/** RFC 7386, for the memory client alone: `kubernetes/merge/` is the real one. */
export function applyMergePatch(document: unknown, patch: unknown): unknown {
  if (!isRecord(patch)) return patch;
  const next: Record<string, unknown> = isRecord(document) ? { ...document } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete next[name];
    else if (value !== undefined) next[name] = applyMergePatch(next[name], value);
  }
  return next;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
