// A dependency because CBOR is a published format that a well-kept library reads; it belongs to the SDK packages that we load anyway.
import { cbor, tag } from '@smithy/core/cbor';
import { AwsError } from '../errors.ts';
import { errorBody, errorHeaders } from './json.ts';
import { setOwn } from './json-values.ts';
import type { Structure, Wire } from './message.ts';
import type { Shape } from './schema.ts';

const headers = { 'content-type': 'application/cbor', 'smithy-protocol': 'rpc-v2-cbor' };

/** Smithy RPC v2 CBOR: `POST /service/<name>/operation/<name>`. Loaded on the first such request. */
export const cborWire: Wire = {
  name: 'cbor',
  unknownOperation: { code: 'UnknownOperationException', status: 404 },

  nameOf: (request) => request.path.split('/').at(-1) ?? '',

  find(model, request) {
    const operation = model.operations.get(request.path.split('/').at(-1) ?? '');
    return operation && { operation, read: () => read(operation.input, parse(request.body), '') as Structure };
  },

  write(_model, operation, output) {
    const body = operation.output.kind === 'none' ? '' : cbor.serialize(write(operation.output, output));
    return { status: 200, headers, body };
  },

  writeError(model, error) {
    return {
      status: error.status,
      headers: { ...headers, ...errorHeaders(model, error) },
      body: cbor.serialize(errorBody(model, error)),
    };
  },
};

function parse(body: Buffer): unknown {
  if (!body.length) return {};
  try {
    return cbor.deserialize(body) as unknown;
  } catch (error) {
    // The library throws plain errors of several types for malformed bytes, and nothing else can fail here.
    throw new AwsError('SerializationException', 'The request body is not valid CBOR.', { status: 400, cause: error });
  }
}

function read(shape: Shape, value: unknown, path: string): unknown {
  switch (shape.kind) {
    case 'timestamp':
      return readTimestamp(value, path);
    case 'number':
      return typeof value === 'number' || typeof value === 'bigint' ? Number(value) : wrong(path, 'a number');
    case 'list':
      if (!Array.isArray(value)) return wrong(path, 'a list');
      return (value as readonly unknown[]).map((item, index) => read(shape.item.shape, item, `${path}[${index}]`));
    case 'map': {
      const map: Structure = {};
      for (const [key, item] of Object.entries(objectAt(value, path)))
        if (isPresent(item)) setOwn(map, key, read(shape.value.shape, item, `${path}.${key}`));
      return map;
    }
    case 'structure': {
      const object = objectAt(value, path);
      const structure: Structure = {};
      for (const member of shape.members) {
        const item = object[member.name];
        if (isPresent(item))
          structure[member.name] = read(member.shape, item, path ? `${path}.${member.name}` : member.name);
      }
      return structure;
    }
    case 'string':
      return typeof value === 'string' ? value : wrong(path, 'a string');
    case 'boolean':
      return typeof value === 'boolean' ? value : wrong(path, 'true or false');
    case 'bigint':
      return typeof value === 'number' || typeof value === 'bigint' ? BigInt(value) : wrong(path, 'a whole number');
    case 'blob':
      return value instanceof Uint8Array ? value : wrong(path, 'bytes');
    case 'none':
      return {};
    default:
      return value;
  }
}

/** A timestamp is tag 1 with seconds since the epoch, which the library may have turned into a `Date` already. */
function readTimestamp(value: unknown, path: string): Date {
  const seconds = typeof value === 'object' && value !== null && 'value' in value ? value.value : value;
  const date =
    seconds instanceof Date
      ? seconds
      : typeof seconds === 'number' || typeof seconds === 'bigint'
        ? new Date(Number(seconds) * 1000)
        : undefined;
  return date && !Number.isNaN(date.getTime()) ? date : wrong(path, 'a timestamp');
}

function write(shape: Shape, value: unknown): unknown {
  switch (shape.kind) {
    case 'timestamp':
      return tag({ tag: 1, value: (value as Date).getTime() / 1000 });
    case 'list':
      return (value as readonly unknown[]).map((item) => write(shape.item.shape, item));
    case 'map': {
      const map: Structure = {};
      for (const [key, item] of Object.entries(value as Structure)) setOwn(map, key, write(shape.value.shape, item));
      return map;
    }
    case 'structure': {
      const structure: Structure = {};
      for (const member of shape.members) {
        const item = (value as Structure)[member.name];
        if (isPresent(item)) structure[member.name] = write(member.shape, item);
      }
      return structure;
    }
    default:
      return value;
  }
}

function objectAt(value: unknown, path: string): Structure {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Structure;
  return wrong(path || 'The request body', 'a map');
}

function isPresent(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function wrong(path: string, expected: string): never {
  throw new AwsError('SerializationException', `${path}: expected ${expected}.`, { status: 400 });
}
