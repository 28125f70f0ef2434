/**
 * Writes the protobuf form of the built-in kinds: the counterpart of `protobuf.ts`, driven by the same field numbers. What JSON leaves out is left out here too, which Go reads
 * as the empty value.
 *
 * Source: apimachinery `runtime/serializer/protobuf` (envelope, stream frames), `runtime/generated.proto`, `meta/v1/generated.proto`.
 */
import { apiVersionOf, type GroupVersionKind } from '../object.ts';
import { type CompactField, type CompactSchema, type CompactType, fieldFlags } from './compact.ts';
import type { JsonObject } from './json.ts';
import { writeDuration, writeIntOrString, writeTime } from './protobuf-values.ts';
import { ProtobufWriter } from './protobuf-writer.ts';

const magic = Buffer.from('k8s\0');

/**
 * An object's message as field 2 of another: so it stands in the envelope (`raw = 2` of `runtime.Unknown`) and in every list (`items = 2`), wherefore it is kept so.
 */
export type ObjectField = Buffer;

/** An object as clients read it. */
export function envelope(kind: GroupVersionKind, object: ObjectField): Buffer {
  return Buffer.concat([envelopeHead(kind), object]);
}

/** A list's items are not copied: what comes before them, and then they. `rest` is a list without items. */
export function* listEnvelope(kind: GroupVersionKind, rest: Buffer, items: readonly ObjectField[]): Generator<Buffer> {
  const writer = new ProtobufWriter();
  writer.head(
    2,
    items.reduce((size, item) => size + item.length, rest.length),
  );
  yield Buffer.concat([envelopeHead(kind), writer.take(), rest]);
  yield* items;
}

function envelopeHead(kind: GroupVersionKind): Buffer {
  const writer = new ProtobufWriter();
  writer.text(2, kind.kind);
  writer.text(1, apiVersionOf(kind));
  writer.endMessage(1, 0);
  return Buffer.concat([magic, writer.take()]);
}

/** One event of a watch as a frame of its stream: four bytes of length, then a `WatchEvent` whose object is enveloped. */
export function watchFrame(type: string, enveloped: Uint8Array): Buffer {
  const event = new ProtobufWriter();
  const end = event.size;
  event.bytes(1, enveloped);
  event.endMessage(2, end);
  event.text(1, type);
  const message = event.take();
  const frame = Buffer.allocUnsafe(4 + message.length);
  frame.writeUInt32BE(message.length);
  frame.set(message, 4);
  return frame;
}

/** How the fields of one type are written: its own by name, and the types whose fields stand among them in JSON. */
interface Plan {
  readonly fields: ReadonlyMap<string, CompactField>;
  readonly embedded: readonly (readonly [number: number, type: number])[];
}

export class MessageEncoder {
  readonly #types: readonly CompactType[];
  readonly #plans: (Plan | undefined)[] = [];
  readonly #writer = new ProtobufWriter();
  readonly #jsonSchemaProps: number;

  constructor(types: readonly CompactType[]) {
    this.#types = types;
    this.#jsonSchemaProps = types.findIndex(({ n }) => n.endsWith('.apiextensions.v1.JSONSchemaProps'));
  }

  /** True when any field of the type has a number. */
  hasMessage(typeIndex: number): boolean {
    const { fields, embedded } = this.#planOf(typeIndex);
    return fields.size + embedded.length > 0;
  }

  /** An object's message. The object has the type's shape. */
  message(typeIndex: number, object: object): Buffer {
    // An object of the kind is read as JSON alone.
    this.#message(typeIndex, object as JsonObject);
    return this.#writer.take();
  }

  objectField(typeIndex: number, object: object): ObjectField {
    this.#message(typeIndex, object as JsonObject);
    this.#writer.endMessage(2, 0);
    return this.#writer.take();
  }

  #planOf(typeIndex: number): Plan {
    const known = this.#plans[typeIndex];
    if (known) return known;
    const { f, e = [] } = this.#types[typeIndex]!;
    const own = f.filter(([, , flags, number]) => number > 0 && !(flags & fieldFlags.isEmbedded));
    return (this.#plans[typeIndex] = { fields: new Map(own.map((field) => [field[0], field])), embedded: e });
  }

  #message(typeIndex: number, object: JsonObject): void {
    const writer = this.#writer;
    const { fields, embedded } = this.#planOf(typeIndex);
    for (const [number, type] of embedded) {
      const end = writer.size;
      this.#message(type, object);
      if (writer.size > end) writer.endMessage(number, end);
    }
    for (const name in object) {
      const field = fields.get(name);
      const value = object[name];
      if (field && value !== null && value !== undefined) this.#field(field, value);
    }
  }

  #field([, schema, flags, number]: CompactField, value: unknown): void {
    const isWrapped = (flags & fieldFlags.isWrapped) !== 0;
    if (!Array.isArray(schema) || schema[0] === 'granular') return this.#value(number, schema, value);
    if (schema[0] === 'map') return this.#map(number, isWrapped, schema[1] as CompactSchema, value as JsonObject);
    // A list: what is not wrapped in a message of its own is the field, repeated.
    const end = this.#writer.size;
    this.#list(isWrapped ? 1 : number, schema[1] as CompactSchema, value as readonly unknown[]);
    if (isWrapped) this.#writer.endMessage(number, end);
  }

  #list(number: number, schema: CompactSchema, items: readonly unknown[]): void {
    for (let index = items.length - 1; index >= 0; index -= 1) this.#value(number, schema, items[index] ?? '');
  }

  /** Entries are messages: `key = 1`, `value = 2`. */
  #map(number: number, isWrapped: boolean, schema: CompactSchema, entries: JsonObject): void {
    const writer = this.#writer;
    for (const [key, value] of Object.entries(entries).toReversed()) {
      const end = writer.size;
      if (isWrapped) {
        this.#list(1, 's', value as readonly unknown[]);
        writer.endMessage(2, end);
      } else this.#value(2, schema, value ?? '');
      writer.text(1, key);
      writer.endMessage(number, end);
    }
  }

  #value(number: number, schema: CompactSchema, value: unknown): void {
    const writer = this.#writer;
    if (typeof schema === 'string') return this.#plain(number, schema[0]!, value);
    const end = writer.size;
    if (typeof schema === 'number') this.#message(schema, value as JsonObject);
    else if (schema[0] === 'granular') this.#message(schema[1], value as JsonObject);
    else throw new Error('a list in a list has no protobuf form');
    writer.endMessage(number, end);
  }

  #plain(number: number, letter: string, value: unknown): void {
    const writer = this.#writer;
    switch (letter) {
      case 's':
        return writer.text(number, String(value));
      case 'i':
      case 'l':
        return writer.integer(number, Number(value));
      case 'b':
        return writer.integer(number, value ? 1 : 0);
      case 'n':
        return writer.double(number, Number(value));
      case 'y':
        return writer.bytes(number, Buffer.from(String(value), 'base64'));
      default:
        return this.#inMessage(number, letter, value);
    }
  }

  /** Plain values of JSON that are messages here. */
  #inMessage(number: number, letter: string, value: unknown): void {
    const writer = this.#writer;
    const end = writer.size;
    if (letter === 'T' || letter === 'M') writeTime(writer, String(value));
    else if (letter === 'D') writeDuration(writer, String(value));
    else if (letter === 'q') writer.text(1, String(value));
    else if (letter === 'x') writeIntOrString(writer, value as number | string);
    else if (letter === 'O' || letter === 'A' || letter === 'P') this.#schemaOr(letter, value);
    else writer.bytes(1, Buffer.from(JSON.stringify(value)));
    writer.endMessage(number, end);
  }

  /** `JSONSchemaPropsOrBool`, `…OrArray`, `…OrStringArray`. */
  #schemaOr(letter: 'O' | 'A' | 'P', value: unknown): void {
    if (Array.isArray(value)) return this.#list(2, letter === 'P' ? 's' : this.#jsonSchemaProps, value);
    if (typeof value === 'boolean') return this.#writer.integer(1, value ? 1 : 0);
    this.#value(letter === 'O' ? 2 : 1, this.#jsonSchemaProps, value);
    if (letter === 'O') this.#writer.integer(1, 1);
  }
}
