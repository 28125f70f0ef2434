/** Schemas as the OpenAPI documents show them: a definition for each type, found by reference. */
import type { Descriptions } from '../load.ts';
import type { JsonObject } from '../json.ts';
import type { Field, ListType, ObjectSchema, Schema, Schemas, StringSchema } from '../schema.ts';
import type { GroupVersionKind } from '../../object.ts';

/** What the two versions of OpenAPI say differently. */
export interface Dialect {
  /** Before a definition's name in a reference. */
  readonly prefix: string;
  /** v2 knows one type for each value only. */
  readonly hasOneOf: boolean;
}

export const v3: Dialect = { prefix: '#/components/schemas/', hasOneOf: true };
export const v2: Dialect = { prefix: '#/definitions/', hasOneOf: false };

export interface DefinitionSources {
  readonly schemas: Schemas;
  readonly descriptions: Descriptions;
}

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1';
const quantity = 'io.k8s.apimachinery.pkg.api.resource.Quantity';
const intOrString = 'io.k8s.apimachinery.pkg.util.intstr.IntOrString';

/** Collects the definitions that a document refers to, and all that those do. */
export class Definitions {
  readonly #sources: DefinitionSources;
  readonly #dialect: Dialect;
  readonly #kinds = new Map<string, GroupVersionKind[]>();
  readonly #made = new Map<string, JsonObject>();

  constructor(sources: DefinitionSources, dialect: Dialect) {
    this.#sources = sources;
    this.#dialect = dialect;
  }

  /** A reference to a built-in kind; undefined if there is no such kind. */
  ofKind(kind: GroupVersionKind): JsonObject | undefined {
    const schema = this.#sources.schemas.of(kind);
    if (!schema) return undefined;
    const kinds = this.#kinds.get(schema.name) ?? [];
    const isKnown = kinds.some((one) => one.group === kind.group && one.version === kind.version);
    if (!isKnown) this.#kinds.set(schema.name, [...kinds, kind]);
    return this.#reference(schema);
  }

  /** A reference to a type by its name. Throws for one there is not. */
  named(name: string): JsonObject {
    const schema = this.#sources.schemas.named(name);
    if (!schema) throw new Error(`there is no type ${name}`);
    return this.#reference(schema);
  }

  /** A reference to a definition that is made elsewhere. */
  custom(name: string, definition: JsonObject): JsonObject {
    this.#made.set(name, definition);
    return { $ref: this.#dialect.prefix + name };
  }

  /** All that was referred to, by name in order. */
  all(): { readonly [name: string]: JsonObject } {
    const entries = [...this.#made].sort(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(entries.map(([name, definition]) => [name, this.#withKinds(name, definition)]));
  }

  #withKinds(name: string, definition: JsonObject): JsonObject {
    const kinds = this.#kinds.get(name)?.map(({ group, version, kind }) => ({ group, kind, version }));
    return kinds ? { ...definition, 'x-kubernetes-group-version-kind': kinds } : definition;
  }

  #reference(schema: ObjectSchema): JsonObject {
    if (!this.#made.has(schema.name)) {
      // Before what it refers to, which may refer back.
      this.#made.set(schema.name, {});
      this.#made.set(schema.name, this.#definition(schema));
    }
    return { $ref: this.#dialect.prefix + schema.name };
  }

  #definition(schema: ObjectSchema): JsonObject {
    const [description, texts] = this.#sources.descriptions[schema.name] ?? ['', {}];
    const names = [...schema.fields.keys()].sort();
    const properties = names.map((name) => [name, this.#property(schema.fields.get(name)!, texts[name])] as const);
    const required = names.filter((name) => schema.fields.get(name)!.isRequired);
    return {
      ...(description && { description }),
      type: 'object',
      ...(names.length > 0 && { properties: Object.fromEntries(properties) }),
      ...(required.length > 0 && { required }),
      ...(schema.isAtomic && { 'x-kubernetes-map-type': 'atomic' }),
    };
  }

  #property(field: Field, description: string | undefined): JsonObject {
    const { patchStrategy, patchMergeKey } = field;
    const extras = {
      ...(description && { description }),
      ...(field.default !== undefined && { default: field.default }),
      ...(patchMergeKey && { 'x-kubernetes-patch-merge-key': patchMergeKey }),
      ...(patchStrategy && { 'x-kubernetes-patch-strategy': patchStrategy }),
    };
    const schema = this.#schema(field.schema);
    if (!('$ref' in schema) || Object.keys(extras).length === 0) return { ...extras, ...schema };
    // Beside a reference nothing counts; v2's readers allow it, v3's want it wrapped.
    return this.#dialect.hasOneOf ? { ...extras, allOf: [schema] } : { ...extras, ...schema };
  }

  #schema(schema: Schema): JsonObject {
    switch (schema.type) {
      case 'string':
        return this.#string(schema);
      case 'integer':
        return { type: 'integer', format: schema.format };
      case 'number':
        return { type: 'number', format: 'double' };
      case 'boolean':
        return { type: 'boolean' };
      case 'any':
        return { 'x-kubernetes-preserve-unknown-fields': true };
      case 'array':
        return { type: 'array', items: this.#schema(schema.items), ...listExtensions(schema.list) };
      case 'map':
        return {
          type: 'object',
          additionalProperties: this.#schema(schema.values),
          ...(schema.isAtomic && { 'x-kubernetes-map-type': 'atomic' }),
        };
      case 'object':
        return this.#reference(schema);
    }
    return {};
  }

  /** Strings with a meaning are types of their own. */
  #string({ format }: StringSchema): JsonObject {
    switch (format) {
      case 'date-time':
        return this.custom(`${meta}.Time`, { type: 'string', format: 'date-time', description: timeText });
      case 'micro-time':
        return this.custom(`${meta}.MicroTime`, { type: 'string', format: 'date-time', description: microTimeText });
      case 'duration':
        return this.custom(`${meta}.Duration`, { type: 'string', description: durationText });
      case 'quantity':
        return this.custom(quantity, { description: quantityText, ...this.#either('string', 'number') });
      case 'int-or-string':
        return this.custom(intOrString, {
          description: intOrStringText,
          format: 'int-or-string',
          ...this.#either('integer', 'string'),
        });
      case 'byte':
        return { type: 'string', format: 'byte' };
      case undefined:
    }
    return { type: 'string' };
  }

  #either(...types: readonly string[]): JsonObject {
    return this.#dialect.hasOneOf ? { oneOf: types.map((type) => ({ type })) } : { type: 'string' };
  }
}

const timeText = 'An instant, RFC 3339, in whole seconds.';
const microTimeText = 'An instant, RFC 3339, to the microsecond.';
const durationText = 'A duration as Go writes it, such as 1h30m.';
const quantityText =
  'An amount: a number with decimals and a suffix. Suffixes are those of the SI (m, k, M, G, T, P, E), powers of two (Ki, Mi, Gi, Ti, Pi, Ei), or a decimal exponent (1e3).';
const intOrStringText = 'A whole number or a string.';

function listExtensions(list: ListType): JsonObject {
  if (list.kind === 'map') return { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': [...list.keys] };
  return { 'x-kubernetes-list-type': list.kind };
}
