/**
 * What is known of a kind's fields: read from the published models and descriptors for the built-in kinds (`generate.ts`), from the definition for custom ones. Strict
 * decoding, protobuf, patches, server-side apply, OpenAPI and `kubectl explain` all read this one form.
 */
import type { GroupVersion, GroupVersionKind, KubernetesObject } from '../object.ts';

export type Schema =
  | {
      readonly type: 'string';
      readonly format?: 'date-time' | 'micro-time' | 'byte' | 'quantity' | 'int-or-string';
      readonly enum?: readonly string[];
    }
  | { readonly type: 'integer'; readonly format: 'int32' | 'int64' }
  | { readonly type: 'number' }
  | { readonly type: 'boolean' }
  /** Any JSON value, unchecked (raw extensions, preserve-unknown-fields). */
  | { readonly type: 'any' }
  | { readonly type: 'array'; readonly items: Schema; readonly list: ListType }
  | { readonly type: 'map'; readonly values: Schema; readonly isAtomic?: boolean }
  | ObjectSchema;

/** How a list merges: `map` by keys, `set` by value, `atomic` as a whole (the default upstream too). `patchMergeKey` is the strategic one. */
export type ListType =
  | { readonly kind: 'atomic' }
  | { readonly kind: 'set'; readonly isPatchMerge?: boolean }
  | {
      readonly kind: 'map';
      readonly keys: readonly string[];
      readonly isPatchMerge?: boolean;
      readonly patchMergeKey?: string;
    };

export interface ObjectSchema {
  readonly type: 'object';
  /** `io.k8s.api.apps.v1.DeploymentSpec`; empty for inline objects of custom resources. */
  readonly name: string;
  readonly description?: string;
  readonly fields: ReadonlyMap<string, Field>;
  readonly isAtomic?: boolean;
  /** Strategic patches with `$retainKeys`: unions such as a deployment's strategy or a volume. */
  readonly hasRetainKeys?: boolean;
  /** Unknown fields are kept. */
  readonly preservesUnknown?: boolean;
}

export interface Field {
  readonly schema: Schema;
  readonly isRequired: boolean;
  readonly description?: string;
  readonly default?: unknown;
}

/** One thing decoding found wrong: `unknown field "spec.replica"`, `duplicate field "spec.replicas"`. */
export interface FieldProblem {
  readonly kind: 'unknown' | 'duplicate';
  readonly path: string;
}

export interface Schemas {
  /** The schema of a built-in kind, lists and options included; undefined for an unknown one. */
  of(kind: GroupVersionKind): ObjectSchema | undefined;
  /** Reads a protobuf body with its envelope (`k8s\0`). Throws `StatusError` `BadRequest`. */
  decodeProtobuf(body: Uint8Array): KubernetesObject;
  /** The OpenAPI v3 document of one group version of the built-in kinds that `paths` names resources for. */
  kinds(groupVersion: GroupVersion): readonly GroupVersionKind[];
}

/**
 * The function that decodes JSON or YAML text against a schema: `decode(text, schema)`. Wrong types throw `StatusError` `BadRequest` in upstream's words (`json: cannot
 * unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32`); unknown fields are dropped and told; duplicate keys are told.
 */
export interface Decoded {
  readonly object: KubernetesObject;
  readonly problems: readonly FieldProblem[];
}
