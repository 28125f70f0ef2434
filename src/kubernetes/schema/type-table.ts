/** Turns the compact types into schemas, which refer to one another. */
import type { CompactField, CompactSchema, CompactType } from './compact.ts';
import { fieldFlags, plainTypes } from './compact.ts';
import type { Field, ObjectSchema, Schema } from './schema.ts';

export class TypeTable {
  readonly types: readonly CompactType[];
  readonly #objects: readonly ObjectSchema[];
  readonly #strings = new Map<string, Schema>();

  constructor(types: readonly CompactType[]) {
    this.types = types;
    const fields = types.map(() => new Map<string, Field>());
    this.#objects = types.map(({ n, a }, index) => ({
      type: 'object',
      name: n,
      fields: fields[index]!,
      ...(a && { isAtomic: true }),
    }));
    for (const [index, type] of types.entries())
      for (const field of type.f) fields[index]!.set(field[0], this.#field(field));
  }

  object(index: number): ObjectSchema {
    return this.#objects[index]!;
  }

  #field([, schema, flags, , rest]: CompactField): Field {
    return {
      schema: this.#schema(schema),
      isRequired: (flags & fieldFlags.isRequired) !== 0,
      ...((flags & fieldFlags.isOmittedWhenEmpty) !== 0 && { isOmittedWhenEmpty: true }),
      ...((flags & fieldFlags.isAlwaysPresent) !== 0 && { isAlwaysPresent: true }),
      ...rest,
    };
  }

  #schema(compact: CompactSchema): Schema {
    if (typeof compact === 'number') return this.object(compact);
    if (typeof compact === 'string') return this.#plain(compact);
    if (compact[0] === 'granular') return { ...this.object(compact[1]), isAtomic: false };
    if (compact[0] === 'list') return { type: 'array', items: this.#schema(compact[1]), list: listTypeOf(compact[2]) };
    return { type: 'map', values: this.#schema(compact[1]), ...(compact[2] && { isAtomic: true }) };
  }

  #plain(code: string): Schema {
    const known = this.#strings.get(code);
    if (known) return known;
    const [letter, goType] = code.split(' ');
    const plain: Schema = plainTypes[letter as keyof typeof plainTypes];
    const schema = goType ? { ...plain, goType } : plain;
    this.#strings.set(code, schema);
    return schema;
  }
}

function listTypeOf(keys: readonly string[] | undefined) {
  if (!keys) return { kind: 'atomic' } as const;
  return keys.length > 0 ? ({ kind: 'map', keys } as const) : ({ kind: 'set' } as const);
}
