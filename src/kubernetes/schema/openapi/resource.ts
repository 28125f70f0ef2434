import type { GroupVersionKind } from '../../object.ts';
import type { JsonObject } from '../json.ts';

/** A served resource as its OpenAPI document needs it. */
export interface OpenApiResource extends GroupVersionKind {
  /** Plural. */
  readonly resource: string;
  readonly isNamespaced: boolean;
  /** As in discovery: `get`, `list`, `create`, `update`, `patch`, `delete`, `deletecollection`, `watch`. */
  readonly verbs: readonly string[];
  readonly subresources: readonly OpenApiSubresource[];
  /** The `openAPIV3Schema` of a custom resource's version; undefined for a built-in kind. */
  readonly customSchema?: JsonObject | undefined;
}

export interface OpenApiSubresource {
  readonly name: string;
  readonly verbs: readonly string[];
  /** Of its body; undefined for connections (`exec`, `log`, `proxy`), which have none. */
  readonly kind: GroupVersionKind | undefined;
}
