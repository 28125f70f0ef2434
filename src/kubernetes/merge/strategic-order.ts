/** The order of a merged list: the patch's among the items it names, the original's among the others, woven as they stood. */
import { isEqual, isObject } from '../schema/json.ts';

export interface Orders {
  /** Items, or their keys alone. */
  readonly patchOrder: readonly unknown[];
  readonly originalOrder: readonly unknown[];
  /** The key that identifies an item; undefined for plain values. */
  readonly key: string | undefined;
}

/** Sorts `items`. Behaviour: `normalizeElementOrder` and `mergeSortedSlice` of apimachinery `util/strategicpatch`. */
export function orderLike(items: readonly unknown[], { patchOrder, originalOrder, key }: Orders): readonly unknown[] {
  const identity = (item: unknown) => (key && isObject(item) ? item[key] : item);
  const placeIn = (order: readonly unknown[], item: unknown) =>
    order.findIndex((one) => isEqual(identity(one), identity(item)));
  const isNamed = (item: unknown) => placeIn(patchOrder, item) >= 0;
  const named = sortBy(items.filter(isNamed), (item) => placeIn(patchOrder, item));
  const others = sortBy(
    items.filter((item) => !isNamed(item)),
    (item) => placeIn(originalOrder, item),
  );
  const result: unknown[] = [];
  while (others.length > 0 && named.length > 0) {
    const [other, one] = [placeIn(originalOrder, others[0]), placeIn(originalOrder, named[0])];
    result.push(other >= 0 && one >= 0 && other < one ? others.shift() : named.shift());
  }
  return [...result, ...others, ...named];
}

function sortBy(items: readonly unknown[], place: (item: unknown) => number): unknown[] {
  return items
    .map((item) => ({ item, place: place(item) }))
    .sort((a, b) => a.place - b.place)
    .map(({ item }) => item);
}
