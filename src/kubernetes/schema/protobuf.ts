/**
 * Reads the protobuf form of the built-in kinds, which kubectl and helm send, into the JSON form. It is driven by the field numbers of the published types, as is the writer
 * (`protobuf-encode.ts`).
 *
 * Source: apimachinery `runtime/serializer/protobuf` (envelope), the Protocol Buffers encoding guide (wire format), and the `generated.pb.go` conventions of gogo: what is
 * no pointer in Go is always written, so an empty value of an `omitempty` field means none.
 */
import type { GroupVersionKind, KubernetesObject } from '../object.ts';
import { parseApiVersion } from '../object.ts';
import { StatusError } from '../status.ts';
import type { CompactField, CompactSchema, CompactType } from './compact.ts';
import { fieldFlags } from './compact.ts';
import { isEmptyValue, setOwn } from './json.ts';
import { readDuration, readIntOrString, readTime } from './protobuf-values.ts';
import { ProtobufReader } from './protobuf-reader.ts';

/** What the decoder knows of the types. */
export interface ProtobufTypes {
  readonly types: readonly CompactType[];
  indexOf(kind: GroupVersionKind): number | undefined;
}

const magic = [0x6b, 0x38, 0x73, 0x00];

/** True for a body in the protobuf envelope. */
export function isProtobuf(body: Uint8Array): boolean {
  return magic.every((byte, index) => body[index] === byte);
}

/** Reads an enveloped object. Throws `BadRequest` for anything that is not one of a known kind. */
export function decodeProtobuf(body: Uint8Array, types: ProtobufTypes): KubernetesObject {
  if (!isProtobuf(body))
    throw bad('provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]');
  try {
    return readEnvelope(body, types);
  } catch (error) {
    if (error instanceof StatusError) throw error;
    throw bad(`proto: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function bad(message: string): StatusError {
  return new StatusError('BadRequest', message);
}

interface Envelope {
  readonly apiVersion: string;
  readonly kind: string;
  readonly raw: Uint8Array;
}

function readEnvelope(body: Uint8Array, types: ProtobufTypes): KubernetesObject {
  const { apiVersion, kind, raw } = parseEnvelope(body.subarray(magic.length));
  const index = types.indexOf({ ...parseApiVersion(apiVersion), kind });
  if (index === undefined) throw bad(`no kind "${kind}" is registered for version "${apiVersion}"`);
  const object: Json = { apiVersion, kind };
  new MessageDecoder(types).read(new ProtobufReader(raw), index, object);
  return { ...object, apiVersion, kind };
}

/** `runtime.Unknown`: the type's meta, then the message itself. */
function parseEnvelope(bytes: Uint8Array): Envelope {
  const envelope = { apiVersion: '', kind: '', raw: new Uint8Array() };
  const reader = new ProtobufReader(bytes);
  for (let field = reader.next(); field; field = reader.next())
    if (field.number === 1) {
      const meta = new ProtobufReader(reader.bytes());
      for (let part = meta.next(); part; part = meta.next())
        if (part.number === 1) envelope.apiVersion = meta.text();
        else if (part.number === 2) envelope.kind = meta.text();
        else meta.skip();
    } else if (field.number === 2) envelope.raw = Uint8Array.from(reader.bytes());
    else reader.skip();
  return envelope;
}

type Json = { [name: string]: unknown };

/** How the fields of one message are read: by number, a field or the type whose fields are embedded. */
type Plan = ReadonlyMap<number, CompactField | number>;

const plans = new WeakMap<CompactType, Plan>();

function planOf(type: CompactType): Plan {
  const known = plans.get(type);
  if (known) return known;
  const own = type.f.filter(([, , flags, number]) => number > 0 && !(flags & fieldFlags.isEmbedded));
  const plan = new Map<number, CompactField | number>([
    ...own.map((field) => [field[3], field] as const),
    ...(type.e ?? []),
  ]);
  plans.set(type, plan);
  return plan;
}

/** Deeper messages are hostile: the deepest honest ones are the schemas of custom resources. */
const deepest = 500;

class MessageDecoder {
  readonly #types: ProtobufTypes;
  #depth = 0;

  constructor(types: ProtobufTypes) {
    this.#types = types;
  }

  /** Reads the fields of a message of a type into `target`. */
  read(reader: ProtobufReader, typeIndex: number, target: Json): Json {
    this.#depth += 1;
    if (this.#depth > deepest) throw new Error('exceeded maximum nesting depth');
    const plan = planOf(this.#types.types[typeIndex]!);
    for (let field = reader.next(); field; field = reader.next()) {
      const known = plan.get(field.number);
      if (known === undefined) reader.skip();
      else if (typeof known === 'number') this.read(new ProtobufReader(reader.bytes()), known, target);
      else this.#field(reader, known, target);
    }
    this.#depth -= 1;
    return target;
  }

  #field(reader: ProtobufReader, [name, schema, flags]: CompactField, target: Json): void {
    const isOmitted = (flags & fieldFlags.isOmittedWhenEmpty) !== 0;
    if (flags & fieldFlags.isWrapped) return this.#wrapped(reader, name, { schema, target });
    if (Array.isArray(schema) && schema[0] === 'list') return this.#item(reader, name, { schema: schema[1], target });
    if (Array.isArray(schema) && schema[0] === 'map') {
      const [key, value] = this.#entry(reader, () => this.#value(reader, schema[1] as CompactSchema));
      setOwn(this.#objectAt(target, name), key, value);
      return;
    }
    const value = this.#value(reader, schema);
    // A later value of the same field replaces an earlier one, also when it is empty.
    if (value === undefined || (isOmitted && isEmptyValue(value))) delete target[name];
    else target[name] = value;
  }

  #objectAt(target: Json, name: string): Json {
    return (target[name] ??= {}) as Json;
  }

  /** One more entry of a list; plain numbers may come packed. */
  #item(
    reader: ProtobufReader,
    name: string,
    { schema, target }: { readonly schema: CompactSchema; readonly target: Json },
  ): void {
    const list = (target[name] ??= []) as unknown[];
    if (reader.isPacked && (schema === 'i' || schema === 'l')) {
      const packed = new ProtobufReader(reader.bytes());
      while (!packed.isAtEnd) list.push(packed.packedInteger());
      return;
    }
    list.push(this.#value(reader, schema) ?? '');
  }

  /** A list in a message of its own (`items = 1`), or a map of those. */
  #wrapped(
    reader: ProtobufReader,
    name: string,
    { schema, target }: { readonly schema: CompactSchema; readonly target: Json },
  ): void {
    if (!Array.isArray(schema)) throw new Error(`the field ${name} is no list`);
    if (schema[0] === 'map') {
      const [key, value] = this.#entry(reader, (entry) => readStrings(entry));
      setOwn(this.#objectAt(target, name), key, value ?? []);
    } else target[name] = readStrings(reader);
  }

  /** An entry of a map: `key = 1`, `value = 2`. */
  #entry(reader: ProtobufReader, readValue: (entry: ProtobufReader) => unknown): readonly [string, unknown] {
    return reader.within(() => {
      let key = '';
      let value: unknown;
      for (let part = reader.next(); part; part = reader.next())
        if (part.number === 1) key = reader.text();
        else if (part.number === 2) value = readValue(reader);
        else reader.skip();
      return [key, value ?? ''] as const;
    });
  }

  #value(reader: ProtobufReader, schema: CompactSchema): unknown {
    if (typeof schema === 'number') return reader.within(() => this.read(reader, schema, {}));
    if (typeof schema !== 'string') return schema[0] === 'granular' ? this.#value(reader, schema[1]) : reader.skip();
    switch (schema[0]) {
      case 's':
        return reader.text();
      case 'i':
      case 'l':
        return reader.integer();
      case 'b':
        return reader.integer() !== 0;
      case 'n':
        return reader.double();
      case 'y':
        return Buffer.from(reader.bytes()).toString('base64');
      case 'T':
      case 'M':
        return readTime(reader, schema === 'M');
      case 'D':
        return readDuration(reader);
      case 'q':
        return this.#single(reader, (inner) => inner.text()) ?? '0';
      case 'x':
        return readIntOrString(reader);
      case 'R':
      case 'F':
      case 'J':
        return this.#raw(reader);
      case 'O':
      case 'A':
      case 'P':
        return this.#schemaOr(reader, schema[0]);
      default:
        return reader.skip();
    }
  }

  /** A message of one field, number 1. */
  #single<Value>(reader: ProtobufReader, read: (inner: ProtobufReader) => Value): Value | undefined {
    return reader.within(() => {
      let value: Value | undefined;
      for (let field = reader.next(); field; field = reader.next())
        if (field.number === 1) value = read(reader);
        else reader.skip();
      return value;
    });
  }

  /** JSON, or an object in an envelope of its own, as bytes in a message. */
  #raw(reader: ProtobufReader): unknown {
    const bytes = this.#single(reader, (inner) => Uint8Array.from(inner.bytes()));
    if (!bytes || bytes.length === 0) return undefined;
    if (isProtobuf(bytes)) return readEnvelope(bytes, this.#types);
    return JSON.parse(Buffer.from(bytes).toString('utf8')) as unknown;
  }

  /** `JSONSchemaPropsOrBool`, `…OrArray`, `…OrStringArray`: of the two fields of each, the one that is there. */
  #schemaOr(reader: ProtobufReader, letter: 'O' | 'A' | 'P'): unknown {
    const self = this.#types.types.findIndex(({ n }) => n.endsWith('.apiextensions.v1.JSONSchemaProps'));
    return reader.within(() => {
      let schema: unknown;
      let isAllowed: boolean | undefined;
      const list: unknown[] = [];
      const schemaNumber = letter === 'O' ? 2 : 1;
      for (let field = reader.next(); field; field = reader.next())
        if (field.number === schemaNumber) schema = this.#value(reader, self);
        else if (field.number > 2) reader.skip();
        else if (letter === 'O') isAllowed = reader.integer() !== 0;
        else list.push(letter === 'A' ? this.#value(reader, self) : reader.text());
      return schema ?? (letter === 'O' ? (isAllowed ?? false) : list);
    });
  }
}

function readStrings(reader: ProtobufReader): readonly string[] {
  return reader.within(() => {
    const strings: string[] = [];
    for (let field = reader.next(); field; field = reader.next())
      if (field.number === 1) strings.push(reader.text());
      else reader.skip();
    return strings;
  });
}
