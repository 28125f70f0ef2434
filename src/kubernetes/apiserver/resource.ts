/**
 * A resource as the API server serves it: one declarative row (`registry/`), of which storage, discovery, tables and the request path read what they need. Custom resources
 * are rows that come and go.
 */
import type { Compare, Operation } from '#store';
import type { UserInfo } from '../auth/user.ts';
import type { GroupVersionKind, KubernetesObject, ObjectName, ResourceType } from '../object.ts';
import type { JsonObject } from '../schema/json.ts';
import type { Schema } from '../schema/schema.ts';
import type { FieldError } from '../status.ts';
import type { Draft } from './draft.ts';

export type Verb = 'create' | 'delete' | 'deletecollection' | 'get' | 'list' | 'patch' | 'update' | 'watch';

export const allVerbs: readonly Verb[] = [
  'create',
  'delete',
  'deletecollection',
  'get',
  'list',
  'patch',
  'update',
  'watch',
];

export interface Resource<T extends KubernetesObject = KubernetesObject> {
  /** In the version that is stored. */
  readonly type: ResourceType<T>;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly verbs: readonly Verb[];
  /** The storage version among them, preferred first. */
  readonly versions: readonly ServedVersion[];
  readonly subresources: ReadonlyMap<string, Subresource>;
  readonly strategy: Strategy<T>;
  readonly columns: readonly Column<T>[];
  /** What field selectors may name beside `metadata.name` and `metadata.namespace`. */
  readonly selectableFields: { readonly [field: string]: (object: T) => string };
  /** Makes the objects whenever they are asked for; such a resource is not stored. */
  readonly virtual?: () => Promise<readonly KubernetesObject[]>;
  /** Fields of objects; the built-in kinds' when undefined. */
  readonly schema?: Schema;
}

/** Objects in the version `apiVersion`, in the same order. Throws `InternalError` when that cannot be had. */
export type Conversion = (
  objects: readonly KubernetesObject[],
  apiVersion: string,
) => Promise<readonly KubernetesObject[]>;

/** A version of a resource that clients may speak. Both functions get and give objects whose `apiVersion` and `kind` are already right. */
export interface ServedVersion extends GroupVersionKind {
  readonly fromStored?: (object: KubernetesObject) => KubernetesObject;
  readonly toStored?: (object: KubernetesObject) => KubernetesObject;
  /** Set where objects of other versions become ones of this by asking somebody: `convert` before they are read or stored. */
  readonly conversion?: Conversion;
  readonly schema?: Schema;
  /** The `openAPIV3Schema` of a custom resource's version, as it is published. */
  readonly openApiSchema?: JsonObject;
  readonly isDeprecated?: boolean;
  readonly deprecationWarning?: string;
  /** Where the versions print differently. */
  readonly columns?: readonly Column[];
}

/** A column of `kubectl get`. `priority` above 0 is shown with `-o wide`. */
export interface Column<T extends KubernetesObject = KubernetesObject> {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'date' | 'number' | 'boolean';
  readonly format?: string;
  readonly description: string;
  readonly priority: number;
  readonly value: (object: T, now: number) => string | number | boolean | null;
}

/** What a write is made with. */
export interface WriteContext {
  readonly user: UserInfo;
  /** RFC 3339, seconds. */
  readonly now: string;
  readonly warn: (warning: string) => void;
  /** Of the cluster: `10.100.0.0/16`. */
  readonly serviceCidr: string;
  readonly allocations: Allocations;
}

/** What is reserved together with an object, in the same transaction: service addresses, node ports. */
export interface Allocations {
  /** The full store key of a reservation, e.g. of `node-ports/30080`. */
  keyOf(path: string): string;
  isTaken(path: string): Promise<boolean>;
  /** A whole number from 0 up to, not including, `bound`. */
  pick(bound: number): number;
}

/** What a strategy adds to the transaction of a write. */
export interface Effects {
  readonly compare: readonly Compare[];
  readonly success: readonly Operation[];
}

/**
 * What is particular to a resource. All run on drafts in the stored version. Upstream: `rest.RESTCreateStrategy`, `RESTUpdateStrategy`, `RESTDeleteStrategy`.
 */
export interface Strategy<T extends KubernetesObject = KubernetesObject> {
  /** `metadata.generation` counts changes of everything but metadata and status. */
  readonly hasGeneration: boolean;
  /** `status` is written by its subresource only. */
  readonly hasStatus: boolean;
  /** Objects vanish this long after they were last written: events. */
  readonly lifetimeMs?: number;
  /** A PUT to a name that does not exist makes it. */
  readonly isCreatedOnUpdate: boolean;
  /** A PUT without resource version overwrites. */
  readonly isUnconditionalUpdateAllowed: boolean;
  /** A deletion answers the object rather than a `Status`. */
  readonly returnsDeleted: boolean;
  /** Fills in what was left out, on every write; upstream's `SetDefaults_…`. */
  readonly default?: (object: Draft<T>) => void;
  readonly prepareForCreate?: (object: Draft<T>, context: WriteContext) => void;
  readonly prepareForUpdate?: (object: Draft<T>, old: T, context: WriteContext) => void;
  /** Refusals of the resource itself, beside the validation of its kind. */
  readonly validate?: (object: T, old: T | undefined) => readonly FieldError[];
  /** Warnings for the client. */
  readonly warnings?: (object: T, old: T | undefined) => readonly string[];
  /** Reserves what the object needs; may change the draft. Called last before the transaction, again when that loses a race. */
  readonly allocate?: (object: Draft<T>, old: T | undefined, context: WriteContext) => Promise<Effects>;
  /** Gives back what the object held. */
  readonly release?: (object: T, context: WriteContext) => Effects;
  /** Seconds between the wish to delete and the deletion; undefined to delete at once. */
  readonly gracePeriodSeconds?: (object: T, asked: number | undefined) => number | undefined;
  /** Makes the object one that is being deleted, e.g. a namespace's phase. */
  readonly markDeleted?: (object: Draft<T>) => void;
  /** Beside metadata's: what keeps a deleted object, e.g. `spec.finalizers` of namespaces. */
  readonly isHeld?: (object: T) => boolean;
}

export type Subresource =
  /** The same object, of which a PUT or PATCH changes one part: `status`, `ephemeralcontainers`, `approval`, `finalize`. */
  | {
      readonly kind: 'part';
      readonly verbs: readonly ('get' | 'update' | 'patch')[];
      /** Takes from `next` what this subresource may change, and everything else from `old`. */
      readonly take: (next: Draft<KubernetesObject>, old: KubernetesObject, context: WriteContext) => KubernetesObject;
      readonly validate?: (object: KubernetesObject, old: KubernetesObject) => readonly FieldError[];
      /** What the resource's own validation compares the object with, where this may change more than an update may: the old one with the change in it. */
      readonly comparedWith?: (object: KubernetesObject, old: KubernetesObject) => KubernetesObject;
    }
  | {
      readonly kind: 'scale';
      readonly read: (object: KubernetesObject) => {
        readonly specReplicas: number;
        readonly statusReplicas: number;
        readonly selector: string;
      };
      readonly write: (object: Draft<KubernetesObject>, replicas: number) => void;
    }
  /** POST of a body of its own kind. */
  | {
      readonly kind: 'post';
      readonly bodyType: GroupVersionKind;
      readonly name: string;
    }
  /** A connection to elsewhere: `log`, `exec`, `attach`, `portforward`, `proxy`. */
  | { readonly kind: 'connect'; readonly verbs: readonly ('get' | 'create' | 'update' | 'patch' | 'delete')[] };

/** Which object of which resource, in which version. */
export interface Target extends Partial<ObjectName> {
  readonly resource: Resource;
  readonly version: ServedVersion;
  readonly subresource?: string;
}
