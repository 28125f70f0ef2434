/**
 * What is known of a kind's fields: read from the published types for the built-in kinds (`generate/`), from the definition for custom ones (`structural/`). Strict decoding,
 * protobuf, patches, server-side apply, OpenAPI and `kubectl explain` all read this one form.
 */
import type { GroupVersion, GroupVersionKind, KubernetesObject } from '../object.ts';
import type { ObjectField } from './protobuf-encode.ts';

export type Schema =
  | StringSchema
  | { readonly type: 'integer'; readonly format: 'int32' | 'int64' }
  | { readonly type: 'number' }
  | { readonly type: 'boolean' }
  /** Any JSON value, unchecked. A raw extension is owned as a whole in server-side apply; `isGranular`: objects in it field by field (preserve-unknown-fields). */
  | { readonly type: 'any'; readonly isGranular?: boolean }
  | ArraySchema
  | MapSchema
  | ObjectSchema;

export interface StringSchema {
  readonly type: 'string';
  readonly format?: 'date-time' | 'micro-time' | 'duration' | 'byte' | 'quantity' | 'int-or-string';
  /** The Go type that messages name, if it is not `string`: `v1.Protocol`. */
  readonly goType?: string;
}

export interface ArraySchema {
  readonly type: 'array';
  readonly items: Schema;
  readonly list: ListType;
}

export interface MapSchema {
  readonly type: 'map';
  readonly values: Schema;
  /** Owned as a whole in server-side apply. */
  readonly isAtomic?: boolean;
}

/** How a list merges in server-side apply: `map` by keys, `set` by value, `atomic` as a whole (the default upstream too). */
export type ListType = { readonly kind: 'atomic' | 'set' } | { readonly kind: 'map'; readonly keys: readonly string[] };

export interface ObjectSchema {
  readonly type: 'object';
  /** `io.k8s.api.apps.v1.DeploymentSpec`; empty for inline objects of custom resources. */
  readonly name: string;
  /** By JSON name. */
  readonly fields: ReadonlyMap<string, Field>;
  /** Owned as a whole in server-side apply. */
  readonly isAtomic?: boolean;
  /** Unknown fields are kept. */
  readonly preservesUnknown?: boolean;
  /** Of a custom resource: its fields may have any type as far as decoding goes, and `null`; validation says what is wrong. */
  readonly isCustom?: boolean;
}

export interface Field {
  readonly schema: Schema;
  readonly isRequired: boolean;
  /** An empty value (`""`, `0`, `false`, no entries) is the same as none and is not kept: Go's `omitempty` on what is no pointer. */
  readonly isOmittedWhenEmpty?: boolean;
  /** A struct by value in Go: it is there even when nothing says so. */
  readonly isAlwaysPresent?: boolean;
  /** How a strategic merge patch treats it, as published: `merge`, `replace`, `retainKeys`, `merge,retainKeys`. */
  readonly patchStrategy?: string;
  /** The key by which a strategic merge patch finds a list's entries; absent for lists of plain values. */
  readonly patchMergeKey?: string;
  /** The published default (`+default`); others are the API server's business. */
  readonly default?: unknown;
}

/** One thing decoding found wrong: `unknown field "spec.replica"`, `duplicate field "spec.replicas"`. */
export interface FieldProblem {
  readonly kind: 'unknown' | 'duplicate';
  readonly path: string;
}

/** The schemas of the built-in kinds. */
export interface Schemas {
  /** The schema of a built-in kind, lists and options included; undefined for an unknown one. Options are found under every group version. */
  of(kind: GroupVersionKind): ObjectSchema | undefined;
  /** A type by its published name: `io.k8s.api.core.v1.PodSpec`. */
  named(name: string): ObjectSchema | undefined;
  /** Reads a protobuf body with its envelope (`k8s\0`). Throws `StatusError` `BadRequest`. */
  decodeProtobuf(body: Uint8Array): KubernetesObject;
  /** Objects of the kind have a protobuf form. */
  hasProtobuf(kind: GroupVersionKind): boolean;
  /** The message of an object of a kind that has one. */
  protobufMessage(kind: GroupVersionKind, object: object): Buffer;
  /** The same as it stands in envelopes and lists. */
  protobufField(kind: GroupVersionKind, object: object): ObjectField;
  /** The kinds of one group version, lists included. */
  kinds(groupVersion: GroupVersion): readonly GroupVersionKind[];
}

/** What decoding a body gives. */
export interface Decoded {
  readonly object: KubernetesObject;
  readonly problems: readonly FieldProblem[];
}
