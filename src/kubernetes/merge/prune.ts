/** What an apply takes away. Behaviour: structured-merge-diff `merge/update.go`, "prune". */
import type { Schema } from '../schema/schema.ts';
import { fieldSetOf, withNamedFields } from './field-set-of.ts';
import type { FieldSet } from './field-set.ts';
import { difference, emptySet, intersection, union } from './field-set.ts';
import type { Manager, Managers } from './managed-fields.ts';
import { removeFields, withoutEmptied } from './remove-fields.ts';
import { fromVersion, inVersion, type Versions } from './versions.ts';

export interface Pruning {
  /** The manager as it applied the last time. */
  readonly last: Manager;
  /** With what it applies now. */
  readonly managers: Managers;
  readonly schema: Schema;
  readonly versions?: Versions | undefined;
}

/**
 * Removes what this manager applied the last time and does not apply now, unless somebody else owns it. An item or object around it goes too once nothing in it is owned, but
 * only if it was this manager's. The object is taken apart in the version of the last time.
 */
export function prune(merged: unknown, { last, managers, schema, versions }: Pruning): unknown {
  const other = versions?.(last.apiVersion);
  if (!other) return pruneHere(merged, { last, managers, schema, versions });
  const there = inVersion(other, merged);
  // Seen from there, the version of the request is another one, and that of the last time none.
  const from: Versions = (apiVersion) => {
    if (apiVersion === last.apiVersion) return undefined;
    const third = versions?.(apiVersion) ?? { schema, of: (object) => object, from: (object) => object };
    return {
      schema: third.schema,
      of: (object) => third.of(other.from(object)),
      from: (object) => other.of(third.from(object)),
    };
  };
  return fromVersion(other, pruneHere(there, { last, managers, schema: other.schema, versions: from }));
}

function pruneHere(merged: unknown, { last, managers, schema, versions }: Pruning): unknown {
  const named = (set: FieldSet) => withNamedFields(set, schema);
  const setOf = (value: unknown) => named(fieldSetOf(value, schema));
  const everything = setOf(merged);
  const cut = removeFields(merged, named(last.set), schema) ?? {};
  const kept = setOf(withOwned(merged, cut, { managers, schema, versions }));
  const gone = intersection(difference(everything, kept), named(last.set));
  return withoutEmptied(removeFields(merged, gone, schema) ?? {}, merged, schema);
}

/** `cut`, with what was cut from `merged` and somebody owns, in whatever version. */
function withOwned(merged: unknown, cut: unknown, { managers, schema, versions }: Omit<Pruning, 'last'>): unknown {
  const owned = new Map<string, FieldSet>();
  for (const { apiVersion, set } of managers.values()) {
    const key = versions?.(apiVersion) ? apiVersion : '';
    owned.set(key, union(owned.get(key) ?? emptySet, set));
  }
  const keep = (whole: unknown, left: unknown, [set, of]: readonly [FieldSet, Schema]) => {
    const setOf = (value: unknown) => withNamedFields(fieldSetOf(value, of), of);
    const stays = union(setOf(left), withNamedFields(set, of));
    return removeFields(whole, difference(setOf(whole), stays), of) ?? {};
  };
  // The version at hand first: others may not be had of an object without what is owned in it.
  let left: unknown = keep(merged, cut, [owned.get('') ?? emptySet, schema]);
  owned.delete('');
  for (const [apiVersion, set] of owned) {
    const other = versions!(apiVersion)!;
    left = fromVersion(other, keep(inVersion(other, merged), inVersion(other, left), [set, other.schema]));
  }
  return left;
}
