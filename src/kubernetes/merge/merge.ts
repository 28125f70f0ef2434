/** The ways a client changes an object, as pure functions over JSON: `json-patch.ts`, `merge-patch.ts`, `strategic.ts`, `apply.ts`. What they share stands here. */
import type { KubernetesObject } from '../object.ts';
import type { Schema } from '../schema/schema.ts';
import type { Versions } from './versions.ts';

/** A write whose owner is to be noted in `metadata.managedFields`. */
export interface ManagedWrite {
  readonly schema: Schema;
  /** What is stored, in the version of the request; undefined when the write creates the object. */
  readonly live: KubernetesObject | undefined;
  /** The `fieldManager` of the request. */
  readonly manager: string;
  readonly subresource?: string | undefined;
  /** RFC 3339, second precision. */
  readonly now: string;
  /** How the versions that other managers spoke see the object. */
  readonly versions?: Versions | undefined;
  /** Fields that this request may not write, as paths of names. Default: `status` for the object itself, `spec` for `status`. */
  readonly resets?: readonly (readonly string[])[];
}

export interface ApplyRequest extends ManagedWrite {
  /** What the client sent. */
  readonly applied: KubernetesObject;
  /** Takes fields over from other managers. */
  readonly isForced: boolean;
}

export interface TrackRequest extends ManagedWrite {
  /** What is to be stored, after defaults and admission. */
  readonly next: KubernetesObject;
}

/** All of them, as the API server works with them. */
export interface Merge {
  jsonPatch(document: unknown, operations: unknown): unknown;
  mergePatch(document: unknown, patch: unknown): unknown;
  strategicPatch(schema: Schema, document: unknown, patch: unknown): unknown;
}

export type Apply = (request: ApplyRequest) => KubernetesObject;
export type TrackManagers = (request: TrackRequest) => KubernetesObject;
