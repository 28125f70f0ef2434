import { AwsError } from '../errors.ts';
import { errorBody, errorHeaders } from './json.ts';
import {
  formatOf,
  formatTimestamp,
  parseJsonObject,
  parseTimestamp,
  readJson,
  readMembers,
  writeJson,
} from './json-values.ts';
import type { Structure, Wire, WireRequest } from './message.ts';
import { matchRoute, routesOf } from './routes.ts';
import type { Member, OperationSchema, Shape } from './schema.ts';

/** REST-JSON: the operation is a method and a path; input comes from path labels, query, headers and a JSON body. */
export const restJsonWire: Wire = {
  name: 'rest-json',
  unknownOperation: { code: 'UnknownOperationException', status: 404 },

  nameOf: (request) => `${request.method} ${request.path}`,

  find(model, request) {
    const query = new URLSearchParams(request.query);
    const match = matchRoute(routesOf(model), request.method, request.path, query);
    return match && { operation: match.operation, read: () => read(match.operation, match.labels, query, request) };
  },

  write(_model, operation, output) {
    const headers: { [name: string]: string } = { 'content-type': 'application/json' };
    const members = operation.output.kind === 'structure' ? operation.output.members : [];
    let status = operation.http?.[2] ?? 200;
    let body: unknown;
    const rest: Structure = {};
    for (const member of members) {
      const value = output[member.name];
      if (value === undefined || value === null) continue;
      if (member.httpResponseCode) status = value as number;
      else if (member.httpHeader) headers[member.httpHeader] = headerText(member, value);
      else if (member.httpPayload) body = writeJson(member.shape, value, 'trait', member);
      else rest[member.jsonName] = writeJson(member.shape, value, 'trait', member);
    }
    return { status, headers, body: JSON.stringify(body ?? rest) };
  },

  writeError(model, error) {
    return {
      status: error.status,
      headers: { 'content-type': 'application/json', ...errorHeaders(model, error) },
      body: JSON.stringify(errorBody(model, error)),
    };
  },
};

function read(
  operation: OperationSchema,
  labels: ReadonlyMap<string, string>,
  query: URLSearchParams,
  request: WireRequest,
): Structure {
  if (operation.input.kind !== 'structure') return {};
  const input: Structure = {};
  const inBody: Member[] = [];
  for (const member of operation.input.members) {
    if (member.httpPayload) input[member.name] = readPayload(member, request.body);
    else if (isBoundToBody(member)) inBody.push(member);
    else {
      const value = readBound(member, labels, query, request);
      if (value !== undefined) input[member.name] = value;
    }
  }
  return inBody.length ? { ...input, ...readMembers(inBody, parseJsonObject(request.body), '', 'trait') } : input;
}

function isBoundToBody(member: Member): boolean {
  return !member.httpLabel && !member.httpQuery && !member.httpQueryParams && !member.httpHeader;
}

function readBound(
  member: Member,
  labels: ReadonlyMap<string, string>,
  query: URLSearchParams,
  request: WireRequest,
): unknown {
  const text = (value: string | undefined) =>
    value === undefined ? undefined : readText(member.shape, value, member.name);
  if (member.httpLabel) return text(labels.get(member.name));
  if (member.httpQueryParams) return Object.fromEntries(query);
  if (member.httpHeader) return text(request.headers[member.httpHeader]?.toString());
  const values = query.getAll(member.httpQuery!);
  if (!values.length) return undefined;
  const { shape } = member;
  return shape.kind === 'list'
    ? values.map((value) => readText(shape.item.shape, value, member.name))
    : text(values[0]);
}

function readPayload(member: Member, body: Buffer): unknown {
  return member.shape.kind === 'structure' || member.shape.kind === 'document'
    ? readJson(member.shape, parseJsonObject(body), member.name, 'trait')
    : body;
}

/** A value that came as text in a path, query or header. */
function readText(shape: Shape, text: string, path: string): unknown {
  const wrong = (expected: string): never => {
    throw new AwsError('SerializationException', `${path}: expected ${expected}, not "${text}".`, { status: 400 });
  };
  switch (shape.kind) {
    case 'number':
      return text === '' || Number.isNaN(Number(text)) ? wrong('a number') : Number(text);
    case 'boolean':
      return text === 'true' || text === 'false' ? text === 'true' : wrong('true or false');
    case 'timestamp':
      return parseTimestamp(text) ?? wrong('a timestamp');
    default:
      return text;
  }
}

function headerText(member: Member, value: unknown): string {
  return member.shape.kind === 'timestamp'
    ? String(formatTimestamp(value as Date, formatOf(member, member.shape.format, 'http-date')))
    : String(value);
}
