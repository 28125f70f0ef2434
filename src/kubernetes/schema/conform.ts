/** Makes a parsed JSON value conform to a schema, or says in Go's words why it cannot. */
import { canonicalQuantity, isQuantity } from '../quantity.ts';
import { ConformError } from './conform-error.ts';
import { parseGoTime } from './go-time.ts';
import { isEmptyValue, isObject, setOwn } from './json.ts';
import type { ArraySchema, Field, FieldProblem, MapSchema, ObjectSchema, Schema, StringSchema } from './schema.ts';

/** Upstream stops collecting there. */
const mostProblems = 100;

/** Collects unknown fields into the list it is given. */
export class Conform {
  readonly #problems: FieldProblem[];
  /** Names and indexes that lead to where we are. */
  readonly #path: (string | number)[] = [];
  /** The struct whose field is being read; Go's messages name it. */
  #struct = '';
  /** We are among the fields of a custom resource. */
  #isCustom = false;

  constructor(problems: FieldProblem[]) {
    this.#problems = problems;
  }

  object(value: unknown, schema: ObjectSchema): unknown {
    if (!isObject(value)) throw this.#mismatch(value, schema);
    const [outer, wasCustom] = [this.#struct, this.#isCustom];
    const result: { [name: string]: unknown } = {};
    this.#struct = lastWord(schema.name);
    this.#isCustom = schema.isCustom ?? false;
    for (const name in value) {
      const given = value[name];
      const field = schema.fields.get(name);
      if (field) this.#field(result, name, { field, given });
      else if (schema.preservesUnknown) setOwn(result, name, given);
      else this.#unknown(name);
    }
    [this.#struct, this.#isCustom] = [outer, wasCustom];
    return result;
  }

  #field(
    result: { [name: string]: unknown },
    name: string,
    { field, given }: { readonly field: Field; readonly given: unknown },
  ): void {
    if (given === null) {
      if (this.#isLeft(given, field.schema)) setOwn(result, name, null);
      return;
    }
    this.#path.push(name);
    const value = this.#value(given, field.schema);
    this.#path.pop();
    if (value === undefined || (field.isOmittedWhenEmpty && isEmptyValue(value))) return;
    setOwn(result, name, value);
  }

  #unknown(name: string): void {
    if (this.#problems.length >= mostProblems) return;
    this.#problems.push({ kind: 'unknown', path: strictPath([...this.#path, name]) });
  }

  /** What a custom resource holds in the place of something else stays, for validation to refuse. */
  #isLeft(value: unknown, schema: Schema): boolean {
    if (!this.#isCustom) return false;
    if (schema.type === 'object') return schema.isCustom === true && !isObject(value);
    return schema.type === 'array' ? !Array.isArray(value) : schema.type !== 'map' || !isObject(value);
  }

  #value(value: unknown, schema: Schema): unknown {
    if (this.#isLeft(value, schema)) return value;
    switch (schema.type) {
      case 'string':
        return this.#string(value, schema);
      case 'integer':
        return this.#integer(value, schema);
      case 'number':
        if (typeof value !== 'number') throw this.#mismatch(value, schema);
        return value;
      case 'boolean':
        if (typeof value !== 'boolean') throw this.#mismatch(value, schema);
        return value;
      case 'any':
        return value;
      case 'array':
        return this.#array(value, schema);
      case 'map':
        return this.#map(value, schema);
      case 'object':
        return this.object(value, schema);
    }
    return value;
  }

  #string(value: unknown, schema: StringSchema): unknown {
    switch (schema.format) {
      case undefined:
      case 'duration':
        if (typeof value !== 'string') throw this.#mismatch(value, schema);
        return value;
      case 'quantity':
        return this.#quantity(value);
      case 'int-or-string':
        return intOrString(value);
      case 'byte':
        return this.#bytes(value, schema);
      case 'date-time':
      case 'micro-time':
        if (typeof value !== 'string') throw new ConformError(unmarshal(value, 'value of type string'));
        return parseGoTime(value, schema.format === 'micro-time');
    }
    return value;
  }

  /** Canonical as upstream stores it. */
  #quantity(value: unknown): string {
    const text = String(value);
    if ((typeof value !== 'string' && typeof value !== 'number') || !isQuantity(text))
      throw new ConformError(
        "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
      );
    return canonicalQuantity(text);
  }

  #bytes(value: unknown, schema: StringSchema): string {
    if (typeof value !== 'string') throw this.#mismatch(value, schema);
    const text = value.replace(/[\r\n]/g, '');
    const wrong = /[^A-Za-z0-9+/=]/.exec(text) ?? /=(?=[^=])|={3,}/.exec(text);
    if (wrong || text.length % 4 !== 0)
      throw new ConformError(`illegal base64 data at input byte ${wrong?.index ?? text.length - (text.length % 4)}`);
    return text;
  }

  #integer(value: unknown, schema: Schema & { readonly type: 'integer' }): number {
    if (typeof value !== 'number') throw this.#mismatch(value, schema);
    const isInRange = schema.format === 'int64' || (value >= -2147483648 && value <= 2147483647);
    if (!Number.isInteger(value) || !isInRange || Math.abs(value) > 2 ** 63)
      throw this.#mismatch(value, schema, `number ${value}`);
    return value;
  }

  #array(value: unknown, schema: ArraySchema): unknown {
    if (!Array.isArray(value)) throw this.#mismatch(value, schema);
    const result = Array.from<unknown>({ length: value.length });
    for (let index = 0; index < value.length; index += 1) {
      this.#path.push(index);
      result[index] =
        value[index] === null && !this.#isCustom ? emptyOf(schema.items) : this.#value(value[index], schema.items);
      this.#path.pop();
    }
    return result;
  }

  #map(value: unknown, { values, ...schema }: MapSchema): unknown {
    if (!isObject(value)) throw this.#mismatch(value, { values, ...schema });
    const result: { [name: string]: unknown } = {};
    // Go's messages do not name keys of maps; the paths of unknown fields do.
    const isDeep = values.type === 'object' || values.type === 'array' || values.type === 'map';
    for (const name in value) {
      if (isDeep) this.#path.push(name);
      setOwn(
        result,
        name,
        value[name] === null && !this.#isCustom ? emptyOf(values) : this.#value(value[name], values),
      );
      if (isDeep) this.#path.pop();
    }
    return result;
  }

  /** `json: cannot unmarshal string into Go struct field PodSpec.spec.priority of type int32`: field names without indexes. */
  #mismatch(value: unknown, schema: Schema, shown?: string): ConformError {
    const names = this.#path.filter((part) => typeof part === 'string');
    const target = names.length > 0 ? `struct field ${this.#struct}.${names.join('.')} of` : 'value of';
    return new ConformError(unmarshal(value, `${target} type ${goTypeOf(schema)}`, shown));
  }
}

function unmarshal(value: unknown, target: string, shown = goValueOf(value)): string {
  return `json: cannot unmarshal ${shown} into Go ${target}`;
}

function goValueOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return typeof value === 'boolean' ? 'bool' : typeof value;
}

/** The Go type that a schema was made from: `int32`, `[]v1.Container`, `map[string]string`. */
function goTypeOf(schema: Schema): string {
  switch (schema.type) {
    case 'string':
      return schema.format === 'byte' ? '[]uint8' : (schema.goType ?? 'string');
    case 'integer':
      return schema.format;
    case 'number':
      return 'float64';
    case 'boolean':
      return 'bool';
    case 'any':
      return 'interface {}';
    case 'array':
      return `[]${goTypeOf(schema.items)}`;
    case 'map':
      return `map[string]${goTypeOf(schema.values)}`;
    case 'object':
      return schema.name.split('.').slice(-2).join('.') || 'struct';
  }
  return 'interface {}';
}

function lastWord(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1);
}

/** What Go makes of `null` where a value must be. */
function emptyOf(schema: Schema): unknown {
  switch (schema.type) {
    case 'string':
      return schema.format === 'quantity' ? '0' : '';
    case 'integer':
    case 'number':
      return 0;
    case 'boolean':
      return false;
    case 'array':
      return [];
    case 'map':
    case 'object':
      return {};
    case 'any':
      return null;
  }
  return null;
}

/** `spec.containers[0].name`. */
export function strictPath(parts: readonly (string | number)[]): string {
  return parts.map((part, index) => (typeof part === 'number' ? `[${part}]` : index > 0 ? `.${part}` : part)).join('');
}

function intOrString(value: unknown): number | string {
  if (typeof value === 'string') return value;
  if (typeof value !== 'number') throw new ConformError(unmarshal(value, 'value of type int32'));
  if (!Number.isInteger(value) || Math.abs(value) > 2147483648)
    throw new ConformError(unmarshal(value, 'value of type int32', `number ${value}`));
  return value;
}
