import { AwsError } from '../errors.ts';
import type { Structure } from './message.ts';
import type { Member, Shape, TimestampFormat } from './schema.ts';

/** Whether structures use their members' own names (awsJson) or the `jsonName` trait (restJson). */
export type JsonNames = 'own' | 'trait';

/** A JSON value as the shape says. Unknown members and nulls are dropped; a wrong type throws `SerializationException`. */
export function readJson(shape: Shape, value: unknown, path: string, names: JsonNames): unknown {
  switch (shape.kind) {
    case 'none':
      return {};
    case 'document':
      return value;
    case 'string':
      return typeof value === 'string' ? value : wrong(path, 'a string');
    case 'boolean':
      return typeof value === 'boolean' ? value : wrong(path, 'true or false');
    case 'number':
      return readNumber(value, path);
    case 'bigint':
      return Number.isInteger(value) ? BigInt(value as number) : wrong(path, 'a whole number');
    case 'blob':
      return typeof value === 'string' ? Buffer.from(value, 'base64') : wrong(path, 'a base64 string');
    case 'timestamp':
      return readTimestamp(value, path);
    case 'list':
      if (!Array.isArray(value)) return wrong(path, 'a list');
      return (shape.isSparse ? value : value.filter(isPresent)).map((item, index) =>
        isPresent(item) ? readJson(shape.item.shape, item, `${path}[${index}]`, names) : null,
      );
    case 'map': {
      const map: Structure = {};
      for (const [key, item] of Object.entries(objectAt(value, path)))
        if (isPresent(item)) setOwn(map, key, readJson(shape.value.shape, item, `${path}.${key}`, names));
        else if (shape.isSparse) setOwn(map, key, null);
      return map;
    }
    default:
      return readMembers(shape.members, objectAt(value, path), path, names);
  }
}

/** The members of a structure that `object` has. */
export function readMembers(members: readonly Member[], object: Structure, path: string, names: JsonNames): Structure {
  const structure: Structure = {};
  for (const member of members) {
    const value = object[names === 'trait' ? member.jsonName : member.name];
    if (isPresent(value))
      structure[member.name] = readJson(member.shape, value, path ? `${path}.${member.name}` : member.name, names);
  }
  return structure;
}

/** What `JSON.stringify` is to be given for a value of the shape. Members that the shape lacks are dropped. */
export function writeJson(shape: Shape, value: unknown, names: JsonNames, member?: Member): unknown {
  switch (shape.kind) {
    case 'none':
      return {};
    case 'string':
    case 'boolean':
    case 'document':
      return value;
    case 'number':
      return Number.isFinite(value) ? value : String(value);
    case 'bigint':
      return Number(value);
    case 'blob':
      return base64(value as Uint8Array | string);
    case 'timestamp':
      return formatTimestamp(value as Date, formatOf(member, shape.format, 'epoch-seconds'));
    case 'list':
      return (value as readonly unknown[]).map((item) =>
        isPresent(item) ? writeJson(shape.item.shape, item, names, shape.item) : null,
      );
    case 'map': {
      const map: Structure = {};
      for (const [key, item] of Object.entries(value as Structure))
        if (isPresent(item)) setOwn(map, key, writeJson(shape.value.shape, item, names, shape.value));
        else if (shape.isSparse) setOwn(map, key, null);
      return map;
    }
    default: {
      const structure: Structure = {};
      for (const member of shape.members) {
        const item = (value as Structure)[member.name];
        if (isPresent(item))
          structure[names === 'trait' ? member.jsonName : member.name] = writeJson(member.shape, item, names, member);
      }
      return structure;
    }
  }
}

/** Parses a request's JSON object; an empty body is an empty object. */
export function parseJsonObject(body: Buffer): Structure {
  if (!body.length) return {};
  try {
    return objectAt(JSON.parse(body.toString('utf8')), '');
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new AwsError('SerializationException', 'The request body is not valid JSON.', { status: 400, cause: error });
  }
}

/** Sets an own property even if the key is `__proto__`, which hostile input may say. */
export function setOwn(object: Structure, key: string, value: unknown): void {
  if (key === '__proto__')
    Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
  else object[key] = value;
}

/** The format that applies: the member's, else the shape's, else the protocol's usual. */
export function formatOf(
  member: Member | undefined,
  format: TimestampFormat,
  usual: Exclude<TimestampFormat, 'default'>,
): Exclude<TimestampFormat, 'default'> {
  const own = member?.timestampFormat ?? format;
  return own === 'default' ? usual : own;
}

export function formatTimestamp(value: Date, format: Exclude<TimestampFormat, 'default'>): string | number {
  if (format === 'epoch-seconds') return value.getTime() / 1000;
  return format === 'http-date' ? value.toUTCString() : value.toISOString().replace('.000Z', 'Z');
}

/** A timestamp given as text: seconds since the epoch, ISO 8601 or an HTTP date. Undefined if it is none. */
export function parseTimestamp(text: string): Date | undefined {
  const date = /^-?\d+(\.\d+)?$/.test(text) ? new Date(Number(text) * 1000) : new Date(text);
  return Number.isNaN(date.getTime()) ? undefined : date;
}

export function base64(value: Uint8Array | string): string {
  return Buffer.from(value as Uint8Array).toString('base64');
}

function readNumber(value: unknown, path: string): number {
  if (typeof value === 'number') return value;
  if (value === 'NaN' || value === 'Infinity' || value === '-Infinity') return Number(value);
  return wrong(path, 'a number');
}

function readTimestamp(value: unknown, path: string): Date {
  const date =
    typeof value === 'number' ? new Date(value * 1000) : typeof value === 'string' ? parseTimestamp(value) : undefined;
  return date && !Number.isNaN(date.getTime()) ? date : wrong(path, 'a timestamp');
}

function objectAt(value: unknown, path: string): Structure {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Structure;
  return wrong(path || 'The request body', 'an object');
}

function isPresent(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function wrong(path: string, expected: string): never {
  throw new AwsError('SerializationException', `${path}: expected ${expected}.`, { status: 400 });
}
