/** Joins what the Go types, the models and our table of list types say into the compact form, and into the descriptions. */
import type { CompactField, CompactSchema, CompactType, CompactTypes, FieldRest } from '../compact.ts';
import { fieldFlags } from '../compact.ts';
import type { GoField, GoStruct, GoType } from './go-types.ts';
import { atomicStructs, defaults, mapLists, mapTypes, setLists } from './list-types.ts';
import type { Model, Models } from './models.ts';
import { groupOf, isEndOfGroup, modelNamesOf, publishedName } from './packages.ts';

/** Documentation by published type name: of the type, of its fields. */
export type Descriptions = { readonly [type: string]: readonly [type: string, fields: Record<string, string>] };

export interface Compiled {
  readonly types: CompactTypes;
  readonly descriptions: Descriptions;
}

const metaPackage = 'k8s.io/apimachinery/pkg/apis/meta/v1';
const crdPackage = 'k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1';

/** Go types whose JSON is not their fields: the letter of what it is. */
const specialTypes = new Map([
  [`${metaPackage}.Time`, 'T'],
  [`${metaPackage}.MicroTime`, 'M'],
  [`${metaPackage}.Duration`, 'D'],
  [`${metaPackage}.FieldsV1`, 'F'],
  ['k8s.io/apimachinery/pkg/api/resource.Quantity', 'q'],
  ['k8s.io/apimachinery/pkg/util/intstr.IntOrString', 'x'],
  ['k8s.io/apimachinery/pkg/runtime.RawExtension', 'R'],
  [`${crdPackage}.JSON`, 'J'],
  [`${crdPackage}.JSONSchemaPropsOrBool`, 'O'],
  [`${crdPackage}.JSONSchemaPropsOrArray`, 'A'],
  [`${crdPackage}.JSONSchemaPropsOrStringArray`, 'P'],
]);
const plainLetters: { readonly [kind: string]: string } = {
  bool: 'b',
  int32: 'i',
  int64: 'l',
  byte: 'i',
  float: 'n',
  string: 's',
  interface: '*',
};

/** Compiles the kinds among `structs` and all they are made of. Throws if a row of our table names a field that is not there: it is stale then. */
export function compile(structs: readonly GoStruct[], models: Models): Compiled {
  const used = usedBy(structs);
  const compiler = new Compiler(used, models);
  const types = used.map((struct) => compiler.type(struct));
  compiler.checkTable();
  return { types: { types }, descriptions: compiler.descriptions };
}

const others = new Set([
  `${metaPackage}.WatchEvent`,
  `${metaPackage}.TypeMeta`,
  'k8s.io/apimachinery/pkg/version.Info',
]);

/** Kinds and what their fields lead to; packages hold more than is part of the API. */
function usedBy(structs: readonly GoStruct[]): readonly GoStruct[] {
  const byKey = new Map(structs.map((struct) => [keyOf(struct), struct]));
  const used = new Set<GoStruct>();
  const visit = (key: string) => {
    const struct = specialTypes.has(key) ? undefined : byKey.get(key);
    if (!struct || used.has(struct)) return;
    used.add(struct);
    for (const { type } of struct.fields) visit(structIn(type));
  };
  for (const struct of structs) if (isKind(struct) || others.has(keyOf(struct))) visit(keyOf(struct));
  return structs.filter((struct) => used.has(struct));
}

function isKind(struct: GoStruct): boolean {
  return isEndOfGroup(struct) && struct.fields.some((field) => isInline(field) && field.name === 'TypeMeta');
}

/** The struct that a type is, points to or holds; empty for none. */
function structIn(type: GoType): string {
  if (type.kind === 'struct') return keyOf(type);
  return type.kind === 'pointer' || type.kind === 'slice' || type.kind === 'map' ? structIn(type.element) : '';
}

/** Where a field stands. */
interface Place {
  readonly model: Model | undefined;
  readonly flags: number;
  /** Protobuf has it. */
  readonly isCarried: boolean;
}

class Compiler {
  readonly descriptions: Record<string, readonly [string, Record<string, string>]> = {};
  readonly #structs: ReadonlyMap<string, GoStruct>;
  readonly #indexes: ReadonlyMap<string, number>;
  readonly #models: Models;
  readonly #seen = new Set<string>();

  constructor(structs: readonly GoStruct[], models: Models) {
    this.#structs = new Map(structs.map((struct) => [keyOf(struct), struct]));
    this.#indexes = new Map(structs.map((struct, index) => [keyOf(struct), index]));
    this.#models = models;
  }

  type(struct: GoStruct): CompactType {
    const model = this.#modelOf(struct);
    const isAtomic = atomicStructs[struct.packagePath]?.includes(struct.name);
    if (isAtomic) this.#seen.add(`${struct.packagePath} ${struct.name}`);
    const embedded = struct.fields.filter((field) => isInline(field) && numberOf(field) > 0);
    const fields = this.#fieldsOf(struct, { model, flags: 0, isCarried: true });
    this.#describe(struct, fields, model);
    return {
      n: publishedName(struct),
      ...(isKind(struct) && { k: groupOf(struct.packagePath) }),
      ...(isAtomic && { a: 1 as const }),
      f: fields,
      ...(embedded.length > 0 && { e: embedded.map((field) => [numberOf(field), this.#indexOf(field.type)] as const) }),
    };
  }

  /** Every row of the table must have met its field. */
  checkTable(): void {
    for (const table of [mapLists, setLists, atomicStructs, mapTypes, defaults])
      for (const [packagePath, rows] of Object.entries(table))
        for (const row of Array.isArray(rows) ? rows : Object.keys(rows))
          if (!this.#seen.has(`${packagePath} ${row}`))
            throw new Error(`list-types.ts names ${row} of ${packagePath}, which is not there`);
  }

  #modelOf(struct: GoStruct): Model | undefined {
    const names = new Set(this.#jsonNames(struct));
    return modelNamesOf(struct)
      .map((name) => this.#models.get(name))
      .find((model) => model && [...model.fields.keys()].every((name) => names.has(name)));
  }

  #jsonNames(struct: GoStruct): readonly string[] {
    return struct.fields.flatMap((field) =>
      isInline(field) ? this.#jsonNames(this.#structOf(field.type)) : [jsonName(field)],
    );
  }

  /** Fields of embedded structs stand among those of the struct; protobuf carries them only if the embedded one has a number. */
  #fieldsOf(struct: GoStruct, place: Place): readonly CompactField[] {
    return struct.fields
      .filter((field) => isInline(field) || jsonName(field) !== '-')
      .flatMap((field) => {
        if (!isInline(field)) return [this.#field(struct, field, place)];
        const flags = place.flags | fieldFlags.isEmbedded;
        return this.#fieldsOf(this.#structOf(field.type), { ...place, flags, isCarried: numberOf(field) > 0 });
      });
  }

  #field(struct: GoStruct, field: GoField, { model, flags, isCarried }: Place): CompactField {
    const name = jsonName(field);
    const options = (field.tags.get('json') ?? '').split(',').slice(1);
    const isPointer = field.type.kind === 'pointer';
    const isStruct = field.type.kind === 'struct';
    const isRequired = model ? (model.fields.get(name)?.isRequired ?? false) : !options.includes('omitempty');
    const isOmitted = options.includes('omitempty') && !isPointer && !isStruct;
    const schema = this.#schemaOfField(struct, field);
    const bits =
      flags |
      (isRequired ? fieldFlags.isRequired : 0) |
      (isOmitted ? fieldFlags.isOmittedWhenEmpty : 0) |
      (isWrapped(field) ? fieldFlags.isWrapped : 0) |
      (isStruct && typeof schema !== 'string' ? fieldFlags.isAlwaysPresent : 0);
    const rest = this.#restOf(struct, field);
    const compact = [name, schema, bits, isCarried ? numberOf(field) : 0] as const;
    return Object.keys(rest).length > 0 ? [...compact, rest] : compact;
  }

  #restOf(struct: GoStruct, field: GoField): FieldRest {
    const value = this.#row(defaults, struct, field);
    const patchStrategy = field.tags.get('patchStrategy');
    const patchMergeKey = field.tags.get('patchMergeKey');
    return {
      ...(patchStrategy && { patchStrategy }),
      ...(patchMergeKey && { patchMergeKey }),
      ...(value !== undefined && { default: value }),
    };
  }

  #schemaOfField(struct: GoStruct, field: GoField): CompactSchema {
    const schema = this.#schemaOf(field.type);
    const mapType = this.#row(mapTypes, struct, field);
    if (mapType === 'granular' && typeof schema === 'number') return ['granular', schema];
    if (typeof schema !== 'object') return schema;
    if (schema[0] === 'map') return mapType === 'atomic' ? ['map', schema[1], 1] : schema;
    const keys = this.#row(mapLists, struct, field)?.split(',') ?? (this.#isSet(struct, field) ? [] : undefined);
    return keys ? ['list', schema[1], keys] : schema;
  }

  #isSet(struct: GoStruct, field: GoField): boolean {
    const row = `${struct.name}.${jsonName(field)}`;
    if (!setLists[struct.packagePath]?.includes(row)) return false;
    this.#seen.add(`${struct.packagePath} ${row}`);
    return true;
  }

  #row<Value>(
    table: { readonly [packagePath: string]: { readonly [field: string]: Value } },
    struct: GoStruct,
    field: GoField,
  ): Value | undefined {
    const row = `${struct.name}.${jsonName(field)}`;
    const value = table[struct.packagePath]?.[row];
    if (value !== undefined) this.#seen.add(`${struct.packagePath} ${row}`);
    return value;
  }

  #schemaOf(type: GoType): CompactSchema {
    switch (type.kind) {
      case 'pointer':
        return this.#schemaOf(type.element);
      case 'slice':
        return type.element.kind === 'byte' ? 'y' : ['list', this.#schemaOf(type.element)];
      case 'map':
        return ['map', this.#schemaOf(type.element)];
      case 'struct':
        return specialTypes.get(keyOf(type)) ?? this.#indexOf(type);
      default: {
        const letter = plainLetters[type.kind];
        if (!letter) throw new Error(`a field has the Go type ${type.name}, which has no JSON form here`);
        return letter === 's' && type.packagePath ? `s ${goName(type)}` : letter;
      }
    }
  }

  #structOf(type: GoType): GoStruct {
    const struct = type.kind === 'struct' ? this.#structs.get(keyOf(type)) : undefined;
    if (!struct) throw new Error(`the Go struct ${JSON.stringify(type)} is not among the types read`);
    return struct;
  }

  #indexOf(type: GoType): number {
    return this.#indexes.get(keyOf(this.#structOf(type)))!;
  }

  #describe(struct: GoStruct, fields: readonly CompactField[], model: Model | undefined): void {
    if (!model) return;
    const texts = fields.map(([name]) => [name, model.fields.get(name)?.description ?? ''] as const);
    this.descriptions[publishedName(struct)] = [
      model.description,
      Object.fromEntries(texts.filter(([, description]) => description !== '')),
    ];
  }
}

function keyOf({ packagePath, name }: { readonly packagePath: string; readonly name: string }): string {
  return `${packagePath}.${name}`;
}

/** `v1.Protocol`. */
function goName({ packagePath, name }: { readonly packagePath: string; readonly name: string }): string {
  return `${packagePath.slice(packagePath.lastIndexOf('/') + 1)}.${name}`;
}

function jsonName(field: GoField): string {
  return (field.tags.get('json') ?? field.name).split(',')[0] || field.name;
}

/** Its fields stand among those of the struct that embeds it. */
function isInline(field: GoField): boolean {
  return field.isEmbedded && (field.tags.get('json') ?? '').startsWith(',');
}

/** `bytes,2,opt,name=spec`: the number, 0 for what protobuf does not carry. */
function numberOf(field: GoField): number {
  return Number((field.tags.get('protobuf') ?? '').split(',')[1] ?? 0);
}

/** A list type with a name of its own that is not repeated is a message of one repeated field `items`; as a map's value it always is. */
function isWrapped({ type, tags }: GoField): boolean {
  if (type.kind === 'map') return type.element.kind === 'slice' && type.element.packagePath !== '';
  return type.kind === 'slice' && type.packagePath !== '' && (tags.get('protobuf') ?? '').split(',')[2] !== 'rep';
}
