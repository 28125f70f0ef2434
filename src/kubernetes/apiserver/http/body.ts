/** Reads and decodes what clients send. */
import type { GroupVersionKind, KubernetesObject } from '../../object.ts';
import { apiVersionOf } from '../../object.ts';
import { decode, decodeParsed, describeProblem, parseBody, strictDecodingError } from '../../schema/decode.ts';
import type { FieldProblem, ObjectSchema } from '../../schema/schema.ts';
import { StatusError } from '../../status.ts';
import type { ApiParts } from '../parts.ts';
import { type Exchange, parameter } from './exchange.ts';

/** Upstream's `--max-request-bytes`. */
const MAX_BYTES = 3 * 1024 * 1024;

/** Throws `RequestEntityTooLarge`, and `BadRequest` when the client breaks off. */
export async function readBody({ request, signal }: Exchange): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of request) {
    // Without an encoding set, a request gives buffers.
    pieces.push(piece as Buffer);
    size += (piece as Buffer).length;
    if (size > MAX_BYTES)
      throw new StatusError('RequestEntityTooLarge', `Request entity too large: limit is ${MAX_BYTES}`);
  }
  signal.throwIfAborted();
  return Buffer.concat(pieces, size);
}

export type FieldValidation = 'Strict' | 'Warn' | 'Ignore';

/** Throws `BadRequest` for a value that is none of the three. */
export function fieldValidationOf(exchange: Exchange): FieldValidation {
  const asked = parameter(exchange, 'fieldValidation') ?? 'Warn';
  if (asked === 'Strict' || asked === 'Warn' || asked === 'Ignore') return asked;
  throw new StatusError(
    'Invalid',
    `CreateOptions.meta.k8s.io "" is invalid: fieldValidation: Unsupported value: ${JSON.stringify(asked)}: supported values: "Ignore", "Strict", "Warn"`,
  );
}

export interface Expected {
  /** What the URL says the body is. */
  readonly kind: GroupVersionKind;
  /** Undefined when nothing is known of its fields. */
  readonly schema: ObjectSchema | undefined;
  /** Bodies of every group version are taken: options. */
  readonly isAnyVersion?: boolean;
}

const protobufType = 'application/vnd.kubernetes.protobuf';

/** The body as an object of the expected kind. Throws `BadRequest`, `UnsupportedMediaType`; tells unknown and duplicate fields as `fieldValidation` wants. */
export function decodeBody(
  { schemas }: Pick<ApiParts, 'schemas'>,
  exchange: Exchange,
  body: Buffer,
  expected: Expected,
): KubernetesObject {
  const type = mediaTypeOf(exchange);
  if (type === protobufType) return sameKind(schemas.decodeProtobuf(body), expected);
  if (!['application/json', 'application/yaml', 'text/json', ''].includes(type))
    throw new StatusError(
      'UnsupportedMediaType',
      `the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, ${protobufType}`,
    );
  return decodeText(exchange, body.toString(), expected);
}

function decodeText(exchange: Exchange, text: string, expected: Expected): KubernetesObject {
  const { kind, schema } = expected;
  const validation = fieldValidationOf(exchange);
  const findsDuplicates = validation !== 'Ignore';
  if (!schema) return sameKind(asObject(parseBody(text, { findsDuplicates }).value), expected);
  const { object, problems } = decode(text, { schema, kind, findsDuplicates });
  tell(exchange, kind, problems);
  return sameKind(object, expected);
}

/** The outcome of a patch, decoded as if it had been sent. */
export function decodeOutcome(exchange: Exchange, outcome: unknown, expected: Expected): KubernetesObject {
  const { kind, schema } = expected;
  if (!schema) return sameKind(asObject(outcome), expected);
  const { object, problems } = decodeParsed(outcome, { schema, kind });
  tell(exchange, kind, problems);
  return sameKind(object, expected);
}

function tell(exchange: Exchange, kind: GroupVersionKind, problems: readonly FieldProblem[]): void {
  if (!problems.length) return;
  const validation = fieldValidationOf(exchange);
  if (validation === 'Strict') throw strictDecodingError(kind, problems);
  if (validation === 'Warn') for (const problem of problems) exchange.warnings.add(describeProblem(problem));
}

export function mediaTypeOf({ request }: Exchange): string {
  return (request.headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase();
}

/** Throws `BadRequest` for what is no object with proper metadata. */
export function asObject(value: unknown): KubernetesObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new StatusError(
      'BadRequest',
      "couldn't get version/kind; json parse error: json: cannot unmarshal non-object value into Go value",
    );
  const { metadata = {} } = value as { readonly metadata?: unknown };
  if (typeof metadata !== 'object' || metadata === null || Array.isArray(metadata))
    throw new StatusError(
      'BadRequest',
      'json: cannot unmarshal value into Go struct field .metadata of type v1.ObjectMeta',
    );
  return value;
}

/** Kind and version may be left out; others than the URL's are refused. */
function sameKind(object: KubernetesObject, { kind, isAnyVersion = false }: Expected): KubernetesObject {
  const apiVersion = apiVersionOf(kind);
  if (object.kind && object.kind !== kind.kind) throw mismatch(object, kind);
  if (!isAnyVersion && object.apiVersion && object.apiVersion !== apiVersion) throw mismatch(object, kind);
  return { ...object, kind: kind.kind, apiVersion };
}

function mismatch({ kind, apiVersion }: KubernetesObject, expected: GroupVersionKind): StatusError {
  const wanted = apiVersionOf(expected);
  return new StatusError(
    'BadRequest',
    kind === expected.kind
      ? `the API version in the data (${apiVersion}) does not match the expected API version (${wanted})`
      : `${expected.kind} in version ${JSON.stringify(expected.version)} cannot be handled as a ${expected.kind}: the kind in the data (${kind}) does not match the expected kind`,
  );
}
