/** Which fields differ between two objects. Behaviour: structured-merge-diff `typed/compare.go`. */
import type { JsonObject } from '../schema/json.ts';
import { getOwn, isEqual } from '../schema/json.ts';
import type { Schema } from '../schema/schema.ts';
import { fieldElement, fieldOf, itemElement, itemsOf, shapeOf } from './elements.ts';
import type { FieldSet } from './field-set.ts';
import { FieldSetBuilder, emptySet, isEmptySet } from './field-set.ts';

export interface Comparison {
  readonly added: FieldSet;
  readonly modified: FieldSet;
  readonly removed: FieldSet;
}

type Change = keyof Comparison;

/** What is below a value, and what happened to the value itself. */
interface Difference extends Comparison {
  readonly self: Change | undefined;
}

const none: Comparison = { added: emptySet, modified: emptySet, removed: emptySet };

/** Compares two objects of a kind. */
export function compare(before: unknown, after: unknown, schema: Schema): Comparison {
  return differenceOf(before, after, schema) ?? none;
}

export function isSame({ added, modified, removed }: Comparison): boolean {
  return isEmptySet(added) && isEmptySet(modified) && isEmptySet(removed);
}

function differenceOf(before: unknown, after: unknown, schema: Schema): Difference | undefined {
  if (before === after) return undefined;
  const shape = shapeOf(schema, before, after);
  if (shape === 'leaf' || (isVoid(before) && isVoid(after))) return leafDifference(before, after);
  const levels = new Levels();
  if (shape === 'fields') compareFields(levels, { before, after, schema });
  else compareItems(levels, { before, after, schema });
  return levels.build(before === undefined ? 'added' : after === undefined ? 'removed' : undefined);
}

/** Nothing, `null`, or a container with nothing in it; these are told apart as leaves are. */
function isVoid(value: unknown): boolean {
  return value === undefined || value === null || (typeof value === 'object' && Object.keys(value).length === 0);
}

function leafDifference(before: unknown, after: unknown): Difference | undefined {
  if (before === undefined) return { ...none, self: 'added' };
  if (after === undefined) return { ...none, self: 'removed' };
  return isEqual(before, after) ? undefined : { ...none, self: 'modified' };
}

/** The three sets of one level, as they grow. */
class Levels {
  readonly #sets = { added: new FieldSetBuilder(), modified: new FieldSetBuilder(), removed: new FieldSetBuilder() };

  put(element: string, difference: Difference | undefined): void {
    if (!difference) return;
    if (difference.self) this.#sets[difference.self].add(element);
    this.#sets.added.below(element, difference.added);
    this.#sets.modified.below(element, difference.modified);
    this.#sets.removed.below(element, difference.removed);
  }

  build(self: Change | undefined): Difference | undefined {
    const built = {
      added: this.#sets.added.build(),
      modified: this.#sets.modified.build(),
      removed: this.#sets.removed.build(),
    };
    return self || !isSame(built) ? { ...built, self } : undefined;
  }
}

interface Sides {
  readonly before: unknown;
  readonly after: unknown;
  readonly schema: Schema;
}

function compareFields(levels: Levels, { before, after, schema }: Sides): void {
  const [old, now] = [before ?? undefined, after ?? undefined] as (JsonObject | undefined)[];
  const names = now ? Object.keys(now) : [];
  if (old) for (const name of Object.keys(old)) if (!now || !Object.hasOwn(now, name)) names.push(name);
  for (const name of names) {
    const field = fieldOf(schema, name);
    const valueIn = (side: JsonObject | undefined) => {
      const value = side && getOwn(side, name);
      return side && value === undefined && field.isAlwaysPresent ? {} : value;
    };
    levels.put(fieldElement(name), differenceOf(valueIn(old), valueIn(now), field.schema));
  }
}

function compareItems(levels: Levels, { before, after, schema }: Sides): void {
  const [old, now] = [before, after].map((list) => groups((list ?? []) as readonly unknown[], schema));
  for (const element of new Set([...now!.keys(), ...old!.keys()])) {
    const [was, is] = [old!.get(element), now!.get(element)];
    const isPlain = (was?.length ?? 0) <= 1 && (is?.length ?? 0) <= 1;
    // Items that share a key cannot be told apart: they are compared as a whole.
    levels.put(element, isPlain ? differenceOf(was?.[0], is?.[0], itemsOf(schema)) : leafDifference(was, is));
  }
}

function groups(list: readonly unknown[], schema: Schema): ReadonlyMap<string, readonly unknown[]> {
  return Map.groupBy(list, (item) => itemElement(schema, item));
}
