/** `fieldsV1`, the form of a field set in `managedFields`, and paths as messages show them. Source: structured-merge-diff `fieldpath/serialize.go`, `element.go`. */
import { isObject } from '../schema/json.ts';
import type { FieldSet } from './field-set.ts';
import { FieldSetBuilder, emptySet } from './field-set.ts';

export type FieldsV1 = { readonly [element: string]: FieldsV1 };

const self = '.';

/** Writes a set; elements in order, so that equal sets are written alike. */
export function encodeFields(set: FieldSet): FieldsV1 {
  const elements = [...new Set([...set.members, ...set.children.keys()])].sort();
  return Object.fromEntries(
    elements.map((element) => {
      const below = set.children.get(element);
      if (!below) return [element, {}];
      return [element, set.members.has(element) ? { [self]: {}, ...encodeFields(below) } : encodeFields(below)];
    }),
  );
}

const isElement = /^[fkvi]:/;
/** Objects that are stored are never changed, so what was read of one stays true; it goes with the object. */
const decoded = new WeakMap<object, FieldSet>();

/** Reads a set; undefined for what is none. */
export function decodeFields(fields: unknown): FieldSet | undefined {
  if (!isObject(fields)) return undefined;
  const known = decoded.get(fields) ?? decodeLevel(fields);
  if (known) decoded.set(fields, known);
  return known;
}

function decodeLevel(fields: object): FieldSet | undefined {
  const builder = new FieldSetBuilder();
  for (const [element, below] of Object.entries(fields)) {
    if (element === self) continue;
    if (!isElement.test(element) || !isObject(below)) return undefined;
    const child = decodeLevel(below);
    if (!child) return undefined;
    if (child === emptySet || Object.hasOwn(below, self)) builder.add(element);
    builder.below(element, child);
  }
  return builder.build();
}

/** `.spec.containers[name="web"].image`. */
export function showPath(path: readonly string[]): string {
  return path.map(showElement).join('');
}

function showElement(element: string): string {
  const text = element.slice(2);
  switch (element[0]) {
    case 'f':
      return `.${text}`;
    case 'k': {
      const keys = Object.entries(JSON.parse(text) as object);
      return `[${keys.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(',')}]`;
    }
    case 'v':
      return `[=${text}]`;
    default:
      return `[${text}]`;
  }
}
