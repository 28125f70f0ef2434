/**
 * Sets of fields of an object, as a tree of path elements. An element is written as in `fieldsV1`: `f:name` a field, `k:{"name":"web"}` the list item with that key,
 * `v:"x"` the item of a set, `i:0` an index. Being a member and having members below are separate things.
 *
 * Sets are never changed; an operation that changes nothing answers the very set it was given, which tells callers so.
 */
export interface FieldSet {
  readonly members: ReadonlySet<string>;
  readonly children: ReadonlyMap<string, FieldSet>;
}

export const emptySet: FieldSet = { members: new Set(), children: new Map() };

export function isEmptySet(set: FieldSet): boolean {
  return set.members.size === 0 && set.children.size === 0;
}

/** Collects the set of one level. */
export class FieldSetBuilder {
  readonly #members = new Set<string>();
  readonly #children = new Map<string, FieldSet>();

  add(element: string): void {
    this.#members.add(element);
  }

  /** Puts a set below an element; an empty one is left out. */
  below(element: string, set: FieldSet): void {
    if (!isEmptySet(set)) this.#children.set(element, set);
  }

  build(): FieldSet {
    return this.#members.size + this.#children.size === 0
      ? emptySet
      : { members: this.#members, children: this.#children };
  }
}

/** A set of one path. */
export function pathSet(path: readonly string[]): FieldSet {
  const [first, ...rest] = path;
  if (first === undefined) return emptySet;
  return rest.length === 0
    ? { members: new Set([first]), children: new Map() }
    : { members: new Set(), children: new Map([[first, pathSet(rest)]]) };
}

export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (a === b || isEmptySet(b)) return a;
  if (isEmptySet(a)) return b;
  const added = [...b.members].filter((element) => !a.members.has(element));
  let children: Map<string, FieldSet> | undefined;
  for (const [element, below] of b.children) {
    const own = a.children.get(element);
    const merged = own ? union(own, below) : below;
    if (merged !== own) (children ??= new Map(a.children)).set(element, merged);
  }
  if (added.length === 0 && !children) return a;
  return {
    members: added.length > 0 ? new Set([...a.members, ...added]) : a.members,
    children: children ?? a.children,
  };
}

/** What is in `a` and not in `b`. Removing an element says nothing of what is below it. */
export function difference(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmptySet(a) || isEmptySet(b)) return a;
  const removed = [...a.members].filter((element) => b.members.has(element));
  let children: Map<string, FieldSet> | undefined;
  for (const [element, below] of a.children) {
    const other = b.children.get(element);
    const rest = other ? difference(below, other) : below;
    if (rest === below) continue;
    children ??= new Map(a.children);
    if (isEmptySet(rest)) children.delete(element);
    else children.set(element, rest);
  }
  if (removed.length === 0 && !children) return a;
  return {
    members: removed.length > 0 ? new Set([...a.members].filter((element) => !b.members.has(element))) : a.members,
    children: children ?? a.children,
  };
}

export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  const builder = new FieldSetBuilder();
  for (const element of a.members) if (b.members.has(element)) builder.add(element);
  for (const [element, below] of a.children) {
    const other = b.children.get(element);
    if (other) builder.below(element, intersection(below, other));
  }
  return builder.build();
}

/** `a` without the paths of `b` and all that is below them. */
export function differenceBelow(a: FieldSet, b: FieldSet): FieldSet {
  const children = new Map([...a.children].filter(([element]) => !b.members.has(element)));
  for (const [element, below] of children) {
    const other = b.children.get(element);
    if (!other) continue;
    const rest = differenceBelow(below, other);
    if (isEmptySet(rest)) children.delete(element);
    else children.set(element, rest);
  }
  return { members: new Set([...a.members].filter((element) => !b.members.has(element))), children };
}

export function isEqualSet(a: FieldSet, b: FieldSet): boolean {
  if (a === b) return true;
  if (a.members.size !== b.members.size || a.children.size !== b.children.size) return false;
  for (const element of a.members) if (!b.members.has(element)) return false;
  for (const [element, below] of a.children) {
    const other = b.children.get(element);
    if (!other || !isEqualSet(below, other)) return false;
  }
  return true;
}

/** Every path that is a member. */
export function pathsOf(set: FieldSet): readonly (readonly string[])[] {
  const below = [...set.children].flatMap(([element, child]) => pathsOf(child).map((path) => [element, ...path]));
  return [...[...set.members].map((element) => [element]), ...below];
}
