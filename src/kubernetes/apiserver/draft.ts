/** An object while it is being made: the same shape, writable. What the cache hands out is frozen; a draft is always a copy. */
export type Draft<T> = T extends object ? { -readonly [Key in keyof T]: Draft<T[Key]> } : T;

/** A deep copy that may be changed. Members that are undefined vanish, as they do on the wire. */
export function draftOf<T>(value: T): Draft<T> {
  // JSON in, JSON out: the copy has the shape of the original.
  return JSON.parse(JSON.stringify(value)) as Draft<T>;
}

/** Freezes all of a JSON value. */
export function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value))
    for (const member of Object.values(Object.freeze(value))) freeze(member);
  return value;
}

/** Equality of JSON values; the order of members does not count. */
export function isSameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const left = Object.entries(a).filter(([, value]) => value !== undefined);
  const right = new Map(Object.entries(b).filter(([, value]) => value !== undefined));
  return (
    left.length === right.size && left.every(([key, value]) => right.has(key) && isSameJson(value, right.get(key)))
  );
}
