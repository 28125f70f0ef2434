/**
 * The one file that knows how an AWS SDK package writes its schemas: arrays `[kind, namespace, name, traits, …]`, typed by `@smithy/types`
 * as `StaticSchema`. It turns them, lazily, into the shapes that the wire formats walk. The SDK packages are pinned exactly and the botocore
 * sweep (`test/conformance/botocore-sweep.test.ts`) fails if the format changes.
 */

export type TimestampFormat = 'default' | 'date-time' | 'http-date' | 'epoch-seconds';

/** What a value of the API looks like. Members resolve their shape when it is first asked for, so recursive shapes are no trouble. */
export type Shape =
  | { readonly kind: 'none' | 'string' | 'number' | 'boolean' | 'bigint' | 'blob' | 'document' }
  | { readonly kind: 'timestamp'; readonly format: TimestampFormat }
  | ListShape
  | MapShape
  | StructureShape;

export interface ListShape {
  readonly kind: 'list';
  readonly item: Member;
  readonly isSparse: boolean;
  readonly isFlattened: boolean;
}

export interface MapShape {
  readonly kind: 'map';
  readonly mapKey: Member;
  readonly value: Member;
  readonly isSparse: boolean;
  readonly isFlattened: boolean;
}

export interface StructureShape {
  readonly kind: 'structure';
  readonly name: string;
  readonly members: readonly Member[];
  readonly isUnion: boolean;
}

/** A member of a structure, or a list's item, or a map's key or value. Traits that nobody reads are left out. */
export interface Member {
  readonly name: string;
  readonly shape: Shape;
  readonly isRequired: boolean;
  readonly isSensitive: boolean;
  readonly isIdempotencyToken: boolean;
  readonly isFlattened: boolean;
  readonly jsonName: string;
  readonly xmlName: string | undefined;
  readonly ec2QueryName: string | undefined;
  readonly timestampFormat: TimestampFormat | undefined;
  readonly httpLabel: boolean;
  readonly httpPayload: boolean;
  readonly httpResponseCode: boolean;
  readonly httpQueryParams: boolean;
  readonly httpQuery: string | undefined;
  readonly httpHeader: string | undefined;
}

/** Method, path template (with fixed query) and success status of an operation of a REST protocol. */
export type HttpBinding = readonly [method: string, uri: string, status: number];

export interface OperationSchema {
  readonly name: string;
  readonly http: HttpBinding | undefined;
  readonly input: Shape;
  readonly output: Shape;
}

export interface ErrorSchema {
  readonly name: string;
  readonly shape: StructureShape;
  readonly fault: 'client' | 'server';
  readonly httpStatus: number | undefined;
  /** Code and status in the Query protocols, where they differ from the shape's name. */
  readonly query: { readonly code: string; readonly status: number } | undefined;
}

type Traits = { readonly [name: string]: unknown };
type Definition = readonly unknown[];

const flagNames = [
  'httpLabel',
  'idempotent',
  'idempotencyToken',
  'sensitive',
  'httpPayload',
  'httpResponseCode',
  'httpQueryParams',
];

/** Every operation that an SDK package exports. */
export function operationSchemas(sdk: object): Map<string, OperationSchema> {
  return new Map(
    definitionsOf(sdk, 9).map((definition) => {
      const name = definition[2] as string;
      return [
        name,
        {
          name,
          http: traitsOf(definition[3])['http'] as HttpBinding | undefined,
          get input() {
            return shapeOf(definition[4]);
          },
          get output() {
            return shapeOf(definition[5]);
          },
        },
      ];
    }),
  );
}

/** Every error that an SDK package exports, by shape name. */
export function errorSchemas(sdk: object): Map<string, ErrorSchema> {
  return new Map(
    definitionsOf(sdk, -3).map((definition) => {
      const name = definition[2] as string;
      const traits = traitsOf(definition[3]);
      const [code, status] = (traits['awsQueryError'] as [string, number] | undefined) ?? [];
      const schema: ErrorSchema = {
        name,
        shape: shapeOf(definition) as StructureShape,
        fault: traits['error'] === 'server' ? 'server' : 'client',
        httpStatus: traits['httpError'] as number | undefined,
        query: code === undefined || status === undefined ? undefined : { code, status },
      };
      return [name, schema];
    }),
  );
}

function definitionsOf(sdk: object, kind: number): Definition[] {
  return Object.values(sdk).filter((value): value is Definition => Array.isArray(value) && value[0] === kind);
}

const primitives = new Map<number, Shape>([
  [0, { kind: 'string' }],
  [1, { kind: 'number' }],
  [2, { kind: 'boolean' }],
  [4, { kind: 'timestamp', format: 'default' }],
  [5, { kind: 'timestamp', format: 'date-time' }],
  [6, { kind: 'timestamp', format: 'http-date' }],
  [7, { kind: 'timestamp', format: 'epoch-seconds' }],
  [15, { kind: 'document' }],
  [17, { kind: 'bigint' }],
  [19, { kind: 'bigint' }],
  [21, { kind: 'blob' }],
  [42, { kind: 'blob' }],
]);

/** Shapes of definitions, so that a shape is made once and compared by identity. Dies with its SDK package. */
const shapes = new WeakMap<object, Shape>();

function shapeOf(reference: unknown): Shape {
  if (typeof reference === 'function') return shapeOf((reference as () => unknown)());
  if (reference === undefined || reference === 'unit') return { kind: 'none' };
  if (typeof reference === 'number') return shapeOfNumber(reference);
  const definition = reference as Definition;
  if (isMemberReference(definition)) return shapeOf(definition[0]);
  if (definition[0] === 0) return shapeOf(definition[4]);
  const known = shapes.get(definition);
  if (known) return known;
  const made = aggregateOf(definition);
  shapes.set(definition, made);
  return made;
}

/** 64 and more: a list of the primitive below; 128 and more: a map to it. */
function shapeOfNumber(reference: number): Shape {
  if (reference >= 128)
    return {
      kind: 'map',
      mapKey: memberOf('key', 0),
      value: memberOf('value', reference & 63),
      isSparse: false,
      isFlattened: false,
    };
  if (reference >= 64)
    return { kind: 'list', item: memberOf('member', reference & 63), isSparse: false, isFlattened: false };
  const shape = primitives.get(reference);
  if (!shape) throw new Error(`the SDK's schema uses an unknown primitive ${reference}`);
  return shape;
}

function aggregateOf(definition: Definition): Shape {
  const [kind, , name, rawTraits, first, second, requiredCount] = definition;
  const traits = traitsOf(rawTraits);
  const common = { isSparse: Boolean(traits['sparse']), isFlattened: Boolean(traits['xmlFlattened']) };
  if (kind === 1) return { kind: 'list', item: memberOf('member', first), ...common };
  if (kind === 2) return { kind: 'map', mapKey: memberOf('key', first), value: memberOf('value', second), ...common };
  if (kind !== 3 && kind !== 4 && kind !== -3) throw new Error(`the SDK's schema uses an unknown kind ${kind}`);
  const references = second as readonly unknown[];
  const members = (first as readonly string[]).map((member, index) =>
    memberOf(member, references[index], index < ((requiredCount as number | undefined) ?? 0)),
  );
  return { kind: 'structure', name: name as string, members, isUnion: kind === 4 };
}

function isMemberReference(reference: unknown): reference is readonly [unknown, unknown] {
  return Array.isArray(reference) && reference.length === 2;
}

function memberOf(name: string, reference: unknown, isRequired = false): Member {
  let traits: Traits = {};
  let target = reference;
  while (isMemberReference(target)) {
    traits = { ...traitsOf(target[1]), ...traits };
    target = target[0];
  }
  const format = traits['timestampFormat'] as number | undefined;
  const formatShape = format === undefined ? undefined : primitives.get(format);
  const text = (trait: string) => traits[trait] as string | undefined;
  let shape: Shape | undefined;
  return {
    name,
    get shape() {
      return (shape ??= shapeOf(target));
    },
    isRequired,
    // The trait may stand on the member or on the shape that it refers to.
    get isSensitive() {
      return Boolean(traits['sensitive']) || isSensitiveShape(target);
    },
    isIdempotencyToken: Boolean(traits['idempotencyToken']),
    isFlattened: Boolean(traits['xmlFlattened']),
    jsonName: text('jsonName') ?? name,
    xmlName: text('xmlName'),
    ec2QueryName: text('ec2QueryName'),
    timestampFormat: formatShape?.kind === 'timestamp' ? formatShape.format : undefined,
    httpLabel: Boolean(traits['httpLabel']),
    httpPayload: Boolean(traits['httpPayload']),
    httpResponseCode: Boolean(traits['httpResponseCode']),
    httpQueryParams: Boolean(traits['httpQueryParams']),
    httpQuery: text('httpQuery'),
    httpHeader: text('httpHeader')?.toLowerCase(),
  };
}

function isSensitiveShape(reference: unknown): boolean {
  if (typeof reference === 'function') return isSensitiveShape((reference as () => unknown)());
  return Array.isArray(reference) && reference.length > 2 && Boolean(traitsOf(reference[3])['sensitive']);
}

/** Traits are an object, or a number whose bits stand for the flags in order. */
function traitsOf(traits: unknown): Traits {
  if (traits && typeof traits === 'object') return traits as Traits;
  const bits = typeof traits === 'number' ? traits : 0;
  return Object.fromEntries(flagNames.filter((_, index) => (bits >> index) & 1).map((name) => [name, 1]));
}
