import type { Filter } from '@aws-sdk/client-ec2';
import type { Tags } from '#network';
import { AwsError } from '../errors.ts';
import { formOf, hasForm } from '../wildcard.ts';

/** How one resource answers to filters: for each name the value or values it has. Booleans and numbers are compared as text. */
export type FilterFields<T> = { readonly [name: string]: (record: T) => FilterValue | readonly FilterValue[] };
export type FilterValue = string | number | boolean | undefined;

/**
 * Keeps the records that match every filter. A filter matches when one of its values matches one of the record's; `*` and `?` are
 * wildcards; `tag:<key>`, `tag-key` and `tag-value` work for everything that has tags. Throws `InvalidParameterValue` for a name the resource
 * does not have.
 */
export function applyFilters<T extends { readonly tags: Tags }>(
  records: readonly T[],
  filters: readonly Filter[] | undefined,
  fields: FilterFields<T>,
): T[] {
  const matchers = (filters ?? []).map((filter) => matcherOf(filter, fields));
  return records.filter((record) => matchers.every((matches) => matches(record)));
}

function matcherOf<T extends { readonly tags: Tags }>(
  { Name, Values }: Filter,
  fields: FilterFields<T>,
): (record: T) => boolean {
  const name = Name ?? '';
  const valuesOf = fieldOf(name, fields);
  if (!valuesOf) throw new AwsError('InvalidParameterValue', `The filter '${name}' is invalid`);
  const patterns = (Values ?? []).map(wildcard);
  return (record) => {
    const values = valuesOf(record);
    const list = Array.isArray(values) ? (values as readonly FilterValue[]) : [values as FilterValue];
    return list.some((value) => value !== undefined && patterns.some((matches) => matches(String(value))));
  };
}

function fieldOf<T extends { readonly tags: Tags }>(
  name: string,
  fields: FilterFields<T>,
): FilterFields<T>[string] | undefined {
  if (name.startsWith('tag:')) return (record) => record.tags[name.slice(4)];
  if (name === 'tag-key') return (record) => Object.keys(record.tags);
  if (name === 'tag-value') return (record) => Object.values(record.tags);
  return Object.hasOwn(fields, name) ? fields[name] : undefined;
}

/** `*` any run of characters, `?` any one, `\` takes the next as it stands. */
function wildcard(pattern: string): (text: string) => boolean {
  if (!/[*?\\]/.test(pattern)) return (text) => text === pattern;
  const form = pattern.replaceAll(/\\(.)|([*?])/gs, (_match, escaped?: string, wild?: string) =>
    wild === undefined ? escaped! : formOf(wild),
  );
  return (text) => hasForm(form, text);
}
