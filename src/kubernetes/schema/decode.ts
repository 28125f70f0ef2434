/**
 * Reads what a client sent against a schema: unknown fields are dropped and told, wrong types refused, empty values of optional fields left out. What comes out is what a
 * Kubernetes server would store. Messages follow Go's `encoding/json` as Kubernetes forked it (`sigs.k8s.io/json`), because clients compare them.
 */
import { messageOf } from '#base';
import type { GroupVersionKind, KubernetesObject } from '../object.ts';
import { StatusError } from '../status.ts';
import { ConformError } from './conform-error.ts';
import { Conform } from './conform.ts';
import { type Parsed, parseJson } from './parse-json.ts';
import { parseYaml } from './parse-yaml.ts';
import type { Decoded, FieldProblem, ObjectSchema } from './schema.ts';

export interface DecodeOptions {
  readonly schema: ObjectSchema;
  /** What the body must be, for messages. */
  readonly kind: GroupVersionKind;
  /** False: do not look for duplicate keys (`fieldValidation=Ignore`). Default: true. */
  readonly findsDuplicates?: boolean;
}

/**
 * Decodes a JSON or YAML body. Throws `BadRequest`: `Deployment in version "v1" cannot be handled as a Deployment: json: cannot unmarshal string into Go struct field
 * DeploymentSpec.spec.replicas of type int32`.
 */
export function decode(text: string, options: DecodeOptions): Decoded {
  const parsed = parseBody(text, options);
  const { object, problems } = decodeParsed(parsed.value, options);
  return { object, problems: joined(parsed, problems, options.schema) };
}

/**
 * Duplicate and unknown fields in the order of the text; that a field comes twice which is unknown anyway is not worth saying. Of custom resources upstream finds duplicates when
 * it reads, unknown fields later, when it prunes.
 */
function joined(
  { duplicates, placeOf }: Parsed,
  unknown: readonly FieldProblem[],
  { isCustom }: ObjectSchema,
): readonly FieldProblem[] {
  if (duplicates.length === 0) return unknown;
  const plain = duplicates.map(({ kind, path }): FieldProblem => ({ kind, path }));
  if (isCustom) return [...plain, ...unknown];
  const isUnknown = (path: string) =>
    unknown.some((one) => path === one.path || path.startsWith(`${one.path}.`) || path.startsWith(`${one.path}[`));
  const places = new Map<FieldProblem, number>([
    ...unknown.map((problem) => [problem, placeOf(problem.path)] as const),
    ...plain.map((problem, index) => [problem, duplicates[index]!.place] as const),
  ]);
  return [...places]
    .filter(([{ kind, path }]) => kind === 'unknown' || !isUnknown(path))
    .sort(([, a], [, b]) => a - b)
    .map(([problem]) => problem);
}

/** The same for JSON that is parsed already: what a patch gave, what another component wrote. */
export function decodeParsed(value: unknown, { schema, kind }: DecodeOptions): Decoded {
  const problems: FieldProblem[] = [];
  try {
    const object = new Conform(problems).object(value, schema) as KubernetesObject;
    return { object, problems };
  } catch (error) {
    if (!(error instanceof ConformError)) throw error;
    throw cannotBeHandled(kind, error.message);
  }
}

/** What a body says of itself, before its schema is known; undefined parts are absent or no strings. Throws `BadRequest` for what is no object. */
export function peekKind(text: string): { readonly apiVersion?: string; readonly kind?: string } {
  const { value } = parseBody(text, { findsDuplicates: false });
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new StatusError(
      'BadRequest',
      'couldn\'t get version/kind; json parse error: json: cannot unmarshal non-object value into Go value of type struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }',
    );
  const { apiVersion, kind } = value as { readonly apiVersion?: unknown; readonly kind?: unknown };
  return { ...(typeof apiVersion === 'string' && { apiVersion }), ...(typeof kind === 'string' && { kind }) };
}

/** Parses a body: JSON, else YAML. */
export function parseBody(
  text: string,
  { findsDuplicates = true }: { readonly findsDuplicates?: boolean } = {},
): Parsed {
  try {
    return /^\s*[[{]/.test(text) ? parseJson(text, { findsDuplicates }) : parseYaml(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new StatusError('BadRequest', `couldn't get version/kind; json parse error: ${goWordsOf(messageOf(error))}`);
  }
}

/** What Go says where the JSON parser here uses other words. */
function goWordsOf(message: string): string {
  const token = /^Unexpected token '([^]+?)'/.exec(message)?.[1];
  if (token) return `invalid character '${token}' looking for beginning of value`;
  return message.replace(/^U/, 'u');
}

/** 400: `Pod in version "v1" cannot be handled as a Pod: …`. */
export function cannotBeHandled({ version, kind }: GroupVersionKind, why: string): StatusError {
  return new StatusError('BadRequest', `${kind} in version "${version}" cannot be handled as a ${kind}: ${why}`);
}

/** `unknown field "spec.replica"`: the words of a warning, and of a strict refusal. */
export function describeProblem({ kind, path }: FieldProblem): string {
  return `${kind} field "${path}"`;
}

/** 400 for `fieldValidation=Strict`: `… strict decoding error: unknown field "a", duplicate field "b"`. */
export function strictDecodingError(kind: GroupVersionKind, problems: readonly FieldProblem[]): StatusError {
  return cannotBeHandled(kind, `strict decoding error: ${problems.map(describeProblem).join(', ')}`);
}
