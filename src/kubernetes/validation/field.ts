/** Field errors in upstream's words: apimachinery `util/validation/field`. Paths are written as users read them: `spec.containers[0].name`, `metadata.labels[app]`. */
import { isDeepStrictEqual } from 'node:util';
import type { KubernetesObject } from '../object.ts';
import type { FieldError } from '../status.ts';
import type { Validate } from '../auth/user.ts';

export type Errors = readonly FieldError[];

export function required(field: string, detail = ''): FieldError {
  return { type: 'Required value', field, message: withDetail('Required value', detail) };
}

export function invalidValue(field: string, value: unknown, detail: string): FieldError {
  return { type: 'Invalid value', field, message: withDetail(`Invalid value: ${show(value)}`, detail) };
}

export function notSupported(field: string, value: unknown, supported: Iterable<string>): FieldError {
  const values = [...supported].map(show).join(', ');
  return {
    type: 'Unsupported value',
    field,
    message: `Unsupported value: ${show(value)}${values && `: supported values: ${values}`}`,
  };
}

export function duplicate(field: string, value: unknown): FieldError {
  return { type: 'Duplicate value', field, message: `Duplicate value: ${show(value)}` };
}

export function forbiddenField(field: string, detail: string): FieldError {
  return { type: 'Forbidden', field, message: withDetail('Forbidden', detail) };
}

export function tooLong(field: string, maxBytes: number): FieldError {
  return { type: 'Too long', field, message: `Too long: may not be more than ${maxBytes} bytes` };
}

export function tooMany(field: string, actual: number, max: number): FieldError {
  return { type: 'Too many', field, message: `Too many: ${actual}: must have at most ${max} items` };
}

export function notFoundValue(field: string, value: unknown): FieldError {
  return { type: 'Not found', field, message: `Not found: ${show(value)}` };
}

/** The error, if the condition holds. The error is made only then. */
export function when(condition: unknown, error: () => FieldError): Errors {
  return condition ? [error()] : [];
}

/** Checks every item under its path. */
export function each<T>(
  items: readonly T[] | undefined,
  field: string,
  check: (item: T, field: string, index: number) => Errors,
): Errors {
  return (items ?? []).flatMap((item, index) => check(item, `${field}[${index}]`, index));
}

/** Each message of a check of a value becomes an error of the field. */
export function messagesOf(messages: readonly string[], field: string, value: unknown): Errors {
  return messages.map((message) => invalidValue(field, value, message));
}

/** A text that must be there and be one of several. */
export function oneOf(
  value: string | undefined,
  field: string,
  supported: readonly string[],
  { isRequired = false }: { readonly isRequired?: boolean } = {},
): Errors {
  if (value === undefined || value === '') return isRequired ? [required(field)] : [];
  return supported.includes(value) ? [] : [notSupported(field, value, supported)];
}

export function atLeastZero(value: number | undefined, field: string): Errors {
  return when(value !== undefined && value < 0, () => invalidValue(field, value, 'must be greater than or equal to 0'));
}

/** Reports every value that stands twice. */
export function unique<T>(
  items: readonly T[] | undefined,
  field: string,
  keyOf: (item: T) => string | undefined,
  { suffix = '' }: { readonly suffix?: string } = {},
): Errors {
  const seen = new Set<string>();
  return each(items, field, (item, path) => {
    const key = keyOf(item);
    if (key === undefined || key === '') return [];
    const isKnown = seen.has(key);
    seen.add(key);
    return isKnown ? [duplicate(`${path}${suffix}`, key)] : [];
  });
}

/** Whether two values mean the same: what is empty counts as absent, as upstream's semantic equality has it. */
export function same(a: unknown, b: unknown): boolean {
  return a === b || isDeepStrictEqual(pruned(a), pruned(b));
}

export function immutable(value: unknown, old: unknown, field: string): Errors {
  return when(!same(value, old), () => invalidValue(field, value, 'field is immutable'));
}

/** A field that the published shape calls required, and that a client may leave out all the same. */
export function present<T>(value: T): T | undefined {
  return value ?? undefined;
}

/** A validator of one kind, whose objects decoding has given their type. */
export function validatorOf<T extends KubernetesObject>(validate: (object: T, old: T | undefined) => Errors): Validate {
  return (object, old) => validate(object as T, old as T | undefined);
}

function withDetail(text: string, detail: string): string {
  return detail ? `${text}: ${detail}` : text;
}

function show(value: unknown): string {
  return value === undefined ? 'null' : JSON.stringify(value);
}

function pruned(value: unknown): unknown {
  if (Array.isArray(value)) return value.length > 0 ? value.map(pruned) : undefined;
  if (typeof value !== 'object' || value === null) return value ?? undefined;
  const entries = Object.entries(value)
    .map(([name, inner]) => [name, pruned(inner)] as const)
    .filter(([, inner]) => inner !== undefined);
  return entries.length > 0 ? Object.fromEntries(entries) : undefined;
}
