/** The ways a client changes an object, as pure functions over JSON. Each throws `StatusError` in upstream's words and leaves its arguments alone. */
import type { KubernetesObject } from '../object.ts';
import type { Schema } from '../schema/schema.ts';

/** Implementations: `json-patch.ts` (RFC 6902), `merge-patch.ts` (RFC 7386), `strategic.ts`, `apply.ts`. */
export interface Merge {
  jsonPatch(document: unknown, operations: unknown): unknown;
  mergePatch(document: unknown, patch: unknown): unknown;
  /** With `$patch`, `$retainKeys`, `$deleteFromPrimitiveList`, `$setElementOrder`. */
  strategicPatch(schema: Schema, document: unknown, patch: unknown): unknown;
}

export interface ApplyRequest {
  readonly schema: Schema;
  /** What is stored; undefined when the apply creates it. */
  readonly live: KubernetesObject | undefined;
  /** What the client sent. */
  readonly applied: KubernetesObject;
  readonly manager: string;
  readonly subresource?: string;
  readonly isForced: boolean;
  /** RFC 3339, second precision. */
  readonly now: string;
}

/** Server-side apply: merges, removes what this manager no longer wants, sets `metadata.managedFields`. Throws `Conflict` with upstream's message and causes. */
export type Apply = (request: ApplyRequest) => KubernetesObject;

/** What any other write does to `managedFields`: fields that changed become the writer's, operation `Update`. */
export type TrackManagers = (request: {
  readonly schema: Schema;
  readonly live: KubernetesObject | undefined;
  readonly next: KubernetesObject;
  readonly manager: string;
  readonly subresource?: string;
  readonly now: string;
}) => KubernetesObject;
