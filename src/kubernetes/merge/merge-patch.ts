/** JSON Merge Patch, RFC 7386. */
import { isObject, setOwn } from '../schema/json.ts';

/** `document` with `patch` merged in: objects by name, `null` removes, anything else replaces. Leaves both alone. */
export function mergePatch(document: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const result: Record<string, unknown> = isObject(document) ? { ...document } : {};
  for (const [name, value] of Object.entries(patch))
    if (value === null) delete result[name];
    else setOwn(result, name, mergePatch(Object.hasOwn(result, name) ? result[name] : undefined, value));
  return result;
}
