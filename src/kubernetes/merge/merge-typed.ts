/** Lays what a client applies over what there is, by the schema. Behaviour: structured-merge-diff `typed/merge.go`. */
import type { JsonObject } from '../schema/json.ts';
import { getOwn, setOwn } from '../schema/json.ts';
import type { Schema } from '../schema/schema.ts';
import { fieldOf, itemElement, itemsOf, shapeOf } from './elements.ts';

/** `live` with `applied` over it: fields and list items of either, leaves of `applied`. Shares what it does not change. */
export function mergeTyped(live: unknown, applied: unknown, schema: Schema): unknown {
  if (applied === undefined) return live;
  if (live === undefined) return applied;
  const shape = shapeOf(schema, live, applied);
  // A container that is said to be null is one with nothing in it.
  if (shape !== 'leaf' && (live === null || applied === null)) return applied ?? live;
  switch (shape) {
    case 'leaf':
      return applied;
    case 'fields':
      return mergeFields(live as JsonObject, applied as JsonObject, schema);
    case 'items':
      return mergeItems(live as readonly unknown[], applied as readonly unknown[], schema);
  }
  return applied;
}

function mergeFields(live: JsonObject, applied: JsonObject, schema: Schema): JsonObject {
  const result = { ...live };
  for (const [name, value] of Object.entries(applied))
    setOwn(result, name, mergeTyped(getOwn(live, name), value, fieldOf(schema, name).schema));
  return result;
}

interface Item {
  readonly element: string;
  readonly value: unknown;
}

/**
 * Items of both, those of `applied` in its order. An item of `live` alone keeps its place among those they share; where the two disagree about an order, `applied` wins.
 */
function mergeItems(live: readonly unknown[], applied: readonly unknown[], schema: Schema): readonly unknown[] {
  const indexed = (list: readonly unknown[]): readonly Item[] =>
    list.map((value) => ({ element: itemElement(schema, value), value }));
  const [left, right] = [indexed(live), indexed(applied)];
  const leftBy = new Map([...left].reverse().map(({ element, value }) => [element, value]));
  const rightElements = new Set(right.map(({ element }) => element));
  const shared = right.filter(({ element }) => leftBy.has(element)).map(({ element }) => element);
  const result: unknown[] = [];
  const done = new Set<string>();
  const take = ({ element, value }: Item) => {
    done.add(element);
    if (shared[0] === element) shared.shift();
    result.push(mergeTyped(leftBy.get(element), value, itemsOf(schema)));
  };
  let next = 0;
  for (const item of left) {
    if (!rightElements.has(item.element)) {
      result.push(item.value);
      continue;
    }
    // An item of both comes when it is the next that they share; until then only live's own items are taken.
    if (done.has(item.element) || shared[0] !== item.element) continue;
    for (; right[next]!.element !== item.element; next += 1) take(right[next]!);
    take(right[next]!);
    next += 1;
  }
  for (const item of right.slice(next)) take(item);
  return result;
}
