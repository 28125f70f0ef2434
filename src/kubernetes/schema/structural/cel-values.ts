/** Values of a custom resource as CEL sees them: whole numbers where the schema says so, names that an expression can say. */
import { isObject } from '../json.ts';
import type { JsonSchema } from './json-schema.ts';

/** A value for a rule. */
export function celValue(value: unknown, schema: JsonSchema | undefined): unknown {
  if (typeof value === 'number') return isWhole(value, schema) ? BigInt(value) : value;
  if (Array.isArray(value)) return value.map((item) => celValue(item, schema?.items));
  if (!isObject(value)) return value;
  const { properties = {}, additionalProperties } = schema ?? {};
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => {
      if (Object.hasOwn(properties, name)) return [celName(name), celValue(item, properties[name])];
      return [name, celValue(item, typeof additionalProperties === 'object' ? additionalProperties : undefined)];
    }),
  );
}

function isWhole(value: number, schema: JsonSchema | undefined): boolean {
  return Number.isInteger(value) && schema?.type !== 'number';
}

const reserved = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(
    ' ',
  ),
);

/** How a rule names a property: `foo-bar` is `foo__dash__bar`. Source: Kubernetes' "CRD validation", "Escaping". */
export function celName(name: string): string {
  if (reserved.has(name)) return `__${name}__`;
  return name
    .replaceAll('__', '__underscores__')
    .replaceAll('.', '__dot__')
    .replaceAll('-', '__dash__')
    .replaceAll('/', '__slash__');
}
