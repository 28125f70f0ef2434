/** The form in which the generated types are kept on disk: small, and read in some milliseconds. `generate/compile.ts` writes it, `load.ts` reads it. */

export interface CompactTypes {
  readonly types: readonly CompactType[];
}

export interface CompactType {
  /** The published name: `io.k8s.api.apps.v1.Deployment`. */
  readonly n: string;
  /** Set for a kind: its group and version; the kind is the last word of the name. */
  readonly k?: readonly [group: string, version: string];
  /** 1: owned as a whole. */
  readonly a?: 1;
  readonly f: readonly CompactField[];
  /** Structs whose fields stand among this one's in JSON, but in a message of their own in protobuf: its number, the type. */
  readonly e?: readonly (readonly [number: number, type: number])[];
}

export type CompactField = readonly [
  name: string,
  schema: CompactSchema,
  flags: number,
  protobufNumber: number,
  rest?: FieldRest,
];

export interface FieldRest {
  readonly patchStrategy?: string;
  readonly patchMergeKey?: string;
  readonly default?: unknown;
}

/** Bits of a field's flags. */
export const fieldFlags = {
  isRequired: 1,
  isOmittedWhenEmpty: 2,
  /** A list that protobuf wraps in a message of its own. */
  isWrapped: 4,
  /** Stands among the fields of an embedded struct in protobuf. */
  isEmbedded: 8,
  /** A struct by value in Go. */
  isAlwaysPresent: 16,
} as const;

/**
 * A type's index; a plain type by a letter, for strings followed by the Go type that messages name; a list with its merge keys (`[]`: a set); a map, `1`: owned as a whole;
 * a struct that is not owned as a whole although its type is.
 */
export type CompactSchema =
  | number
  | string
  | readonly ['list', CompactSchema, (readonly string[])?]
  | readonly ['map', CompactSchema, 1?]
  | readonly ['granular', number];

/** The letters of plain types. */
export const plainTypes = {
  s: { type: 'string' },
  i: { type: 'integer', format: 'int32' },
  l: { type: 'integer', format: 'int64' },
  n: { type: 'number' },
  b: { type: 'boolean' },
  '*': { type: 'any' },
  T: { type: 'string', format: 'date-time' },
  M: { type: 'string', format: 'micro-time' },
  D: { type: 'string', format: 'duration' },
  y: { type: 'string', format: 'byte' },
  q: { type: 'string', format: 'quantity' },
  x: { type: 'string', format: 'int-or-string' },
  /** Any JSON value, each with a protobuf form of its own. */
  R: { type: 'any' },
  F: { type: 'any' },
  J: { type: 'any' },
  O: { type: 'any' },
  A: { type: 'any' },
  P: { type: 'any' },
} as const;
