/** How rows of the registry are written: what is not said is the ordinary case. */
import type { KubernetesObject, ResourceType } from '../../object.ts';
import { type Draft, draftOf } from '../draft.ts';
import { allVerbs, type Column, type Resource, type Strategy, type Subresource } from '../resource.ts';
import { age, nameColumn } from './columns.ts';

const plainStrategy: Strategy = {
  hasGeneration: false,
  hasStatus: false,
  isCreatedOnUpdate: false,
  isUnconditionalUpdateAllowed: true,
  returnsDeleted: false,
};

export interface Row<T extends KubernetesObject> extends Partial<
  Omit<Resource<T>, 'type' | 'strategy' | 'subresources'>
> {
  readonly strategy?: Partial<Strategy<T>>;
  readonly subresources?: { readonly [name: string]: Subresource };
  /** Another version than v1. */
  readonly version?: string;
  readonly isClusterWide?: boolean;
}

/** A row: `group/Kind` and its plural, then what is particular. */
export function row<T extends KubernetesObject>(
  group: string,
  kind: string,
  resource: string,
  of: Row<T> = {},
): Resource {
  const { version = 'v1', isClusterWide = false, strategy, subresources = {}, ...rest } = of;
  const type: ResourceType<T> = { group, version, kind, resource, isNamespaced: !isClusterWide };
  const whole: Strategy<T> = { ...plainStrategy, ...strategy };
  const made: Resource<T> = {
    type,
    singular: kind.toLowerCase(),
    shortNames: [],
    categories: [],
    verbs: allVerbs,
    versions: [{ group, version, kind }],
    columns: [nameColumn, age],
    selectableFields: {},
    ...rest,
    strategy: whole,
    subresources: new Map(Object.entries({ ...(whole.hasStatus && { status: statusPart }), ...subresources })),
  };
  // A row's functions are only ever given objects of its own resource, so that what they are typed with may be forgotten here.
  return made as unknown as Resource;
}

/** A column, typed for the kind of its row. */
export function column<T extends KubernetesObject>(
  name: string,
  value: Column<T>['value'],
  options: Partial<Omit<Column<T>, 'name' | 'value'>> = {},
): Column<T> {
  return { type: 'string', description: '', priority: 0, name, value, ...options };
}

/** `status` and nothing else; of metadata what upstream lets through (all but what spec's writers own). */
export const statusPart: Subresource = {
  kind: 'part',
  verbs: ['get', 'patch', 'update'],
  take: (next, old) => {
    const taken = draftOf(old) as Draft<KubernetesObject> & { status?: unknown };
    // Status is a member of the kinds that have this subresource.
    const { status } = next as { status?: unknown };
    if (status === undefined) delete taken.status;
    else taken.status = status;
    const meta = next.metadata ?? {};
    const kept = (taken.metadata ??= {});
    for (const field of ['labels', 'annotations', 'finalizers', 'managedFields', 'ownerReferences'] as const) {
      if (meta[field] === undefined) delete kept[field];
      else Object.assign(kept, { [field]: meta[field] });
    }
    return taken;
  },
};

/** A subresource that writes one member of `spec` or the like, chosen by `take`. */
export function part<T extends KubernetesObject>(
  take: (next: Draft<T>, old: Draft<T>) => void,
  verbs: readonly ('get' | 'update' | 'patch')[] = ['get', 'patch', 'update'],
): Extract<Subresource, { kind: 'part' }> {
  return {
    kind: 'part',
    verbs,
    take: (next, old) => {
      const taken = draftOf(old);
      // Rows give this to their own kind only.
      take(next as Draft<T>, taken as Draft<T>);
      return taken;
    },
  };
}
