/**
 * `x-kubernetes-validations`: rules that authors of definitions write in CEL. Behaviour: apiextensions `apiserver/schema/cel/validation.go`. A rule sees `self`, and `oldSelf` where
 * the value was there before; rules about the old value are not asked of a new one.
 */
import { CelError, celTypeError, compileCel, type CelProgram, type CelType } from '../../cel/cel.ts';
import { TOTAL_LIMIT, withinCost } from '../../cel/cost.ts';
import { CelOptional } from '../../cel/optional.ts';
import { celTypeOf, celValue } from './cel-values.ts';
import type { FieldError } from '../../status.ts';
import { getOwn, isEqual, isObject } from '../json.ts';
import { childrenOf, type JsonSchema, type ValidationRule } from './json-schema.ts';

const variables = ['self', 'oldSelf'];

/** True if a schema has rules anywhere; of most there is nothing to evaluate. */
export function hasRules(schema: JsonSchema): boolean {
  return (schema['x-kubernetes-validations']?.length ?? 0) > 0 || childrenOf(schema).some(hasRules);
}

/** Rules that do not compile, or do not fit the types of the schema, for the author of the definition; `path` leads to the schema. */
export function ruleErrors(schema: JsonSchema, path: string): readonly FieldError[] {
  return (schema['x-kubernetes-validations'] ?? []).flatMap(({ rule, messageExpression, optionalOldSelf }, index) => {
    const at = `${path}.x-kubernetes-validations[${index}]`;
    const self = celTypeOf(schema, path.endsWith('openAPIV3Schema'));
    const types = { self, oldSelf: optionalOldSelf ? 'dyn' : self };
    return [
      ...compileErrors(rule, `${at}.rule`, types),
      ...(messageExpression ? compileErrors(messageExpression, `${at}.messageExpression`) : []),
    ];
  });
}

function compileErrors(
  expression: string,
  field: string,
  types?: { readonly [name: string]: CelType },
): readonly FieldError[] {
  try {
    compileCel(expression, variables);
    const wrong = types && celTypeError(expression, types);
    return wrong ? [compilationFailed(expression, field, wrong)] : [];
  } catch (error) {
    if (error instanceof CelError) return [compilationFailed(expression, field, error.message)];
    throw error;
  }
}

function compilationFailed(expression: string, field: string, why: string): FieldError {
  const message = `Invalid value: ${JSON.stringify(expression)}: compilation failed: ERROR: <input>: ${why}`;
  return { type: 'Invalid value', field, message };
}

interface Subject {
  readonly value: unknown;
  readonly old: unknown;
  readonly path: string;
}

/** What the rules of a schema and of everything below it have to say; together they may cost no more than a request may. */
export function evaluateRules(schema: JsonSchema, subject: Subject): readonly FieldError[] {
  return withinCost(TOTAL_LIMIT, () => evaluateAll(schema, subject));
}

function evaluateAll(schema: JsonSchema, { value, old, path }: Subject): readonly FieldError[] {
  if (value === undefined || value === null || !hasRulesCached(schema)) return [];
  const own = (schema['x-kubernetes-validations'] ?? []).flatMap((rule) =>
    evaluateRule(rule, schema, { value, old, path }),
  );
  return [...own, ...below(schema, { value, old, path })];
}

const known = new WeakMap<JsonSchema, boolean>();

function hasRulesCached(schema: JsonSchema): boolean {
  const answer = known.get(schema) ?? hasRules(schema);
  known.set(schema, answer);
  return answer;
}

function below(schema: JsonSchema, { value, old, path }: Subject): readonly FieldError[] {
  const { items, properties = {}, additionalProperties } = schema;
  if (Array.isArray(value))
    return items
      ? value.flatMap((item, index) =>
          evaluateAll(items, { value: item, old: counterpart(schema, item, old), path: `${path}[${index}]` }),
        )
      : [];
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([name, item]) => {
    const own = Object.hasOwn(properties, name) ? properties[name] : additionalProperties;
    if (typeof own !== 'object') return [];
    const before = isObject(old) ? getOwn(old, name) : undefined;
    return evaluateAll(own, { value: item, old: before, path: path === '' ? name : `${path}.${name}` });
  });
}

/** The item of the old list that is the same one; lists without keys have none. */
function counterpart(schema: JsonSchema, item: unknown, old: unknown): unknown {
  const keys = schema['x-kubernetes-list-map-keys'];
  if (schema['x-kubernetes-list-type'] !== 'map' || !keys || !Array.isArray(old) || !isObject(item)) return undefined;
  return old.find((one) => isObject(one) && keys.every((key) => isEqual(one[key], item[key])));
}

const programs = new Map<string, CelProgram>();
const mostPrograms = 2000;

function programOf(expression: string): CelProgram {
  const compiled = programs.get(expression) ?? compileCel(expression, variables);
  if (programs.size >= mostPrograms) programs.clear();
  programs.set(expression, compiled);
  return compiled;
}

function evaluateRule(rule: ValidationRule, schema: JsonSchema, { value, old, path }: Subject): readonly FieldError[] {
  try {
    const program = programOf(rule.rule);
    const isTransition = program.mentions('oldSelf');
    if (isTransition && old === undefined && !rule.optionalOldSelf) return [];
    const values = {
      self: celValue(value, schema),
      ...(isTransition && { oldSelf: oldValue(rule, schema, old) }),
    };
    return program.evaluate(values) === true ? [] : [failure(rule, schema, { path, message: messageOf(rule, values) })];
  } catch (error) {
    if (!(error instanceof CelError)) throw error;
    const message = `${rule.rule}: ${error.message}`;
    return [failure({ rule: rule.rule }, schema, { path, message: `rule evaluation error: ${message}` })];
  }
}

/** With `optionalOldSelf`, the old value is an optional: the rule asks `oldSelf.hasValue()`. */
function oldValue({ optionalOldSelf }: ValidationRule, schema: JsonSchema, old: unknown): unknown {
  const value = old === undefined ? undefined : celValue(old, schema);
  return optionalOldSelf ? new CelOptional(value) : value;
}

function messageOf(
  { rule, message, messageExpression }: ValidationRule,
  values: { readonly [name: string]: unknown },
): string {
  const otherwise = message ?? `failed rule: ${rule.trim()}`;
  if (!messageExpression) return otherwise;
  try {
    const text = programOf(messageExpression).evaluate(values);
    return typeof text === 'string' && text.trim() !== '' && !text.includes('\n') ? text : otherwise;
  } catch (error) {
    // An expression that fails says nothing; the plain message remains.
    if (error instanceof CelError) return otherwise;
    throw error;
  }
}

const errorTypes: { readonly [reason: string]: FieldError['type'] } = {
  FieldValueForbidden: 'Forbidden',
  FieldValueRequired: 'Required value',
  FieldValueDuplicate: 'Duplicate value',
};

function failure(
  { reason = '', fieldPath = '' }: ValidationRule,
  schema: JsonSchema,
  { path, message }: { readonly path: string; readonly message: string },
): FieldError {
  const type = errorTypes[reason] ?? 'Invalid value';
  const shown =
    type === 'Invalid value' || type === 'Duplicate value'
      ? `${type}: ${JSON.stringify(schema.type ?? 'object')}`
      : type;
  const field = `${path}${fieldPath}`.replace(/^\./, '');
  return { type, field: field === '' ? '<nil>' : field, message: `${shown}: ${message}` };
}
