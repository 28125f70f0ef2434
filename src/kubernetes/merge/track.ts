/** Who owns a field after an ordinary write: whoever changed it, by `Update`. Behaviour: structured-merge-diff `merge/update.go`, "Update". */
import type { KubernetesObject } from '../object.ts';
import type { Schema } from '../schema/schema.ts';
import type { FieldSet } from './field-set.ts';
import { difference, emptySet, isEmptySet, pathSet, union } from './field-set.ts';
import type { Manager, ManagerIdentity, Managers } from './managed-fields.ts';
import {
  decodeManagers,
  isReset,
  managerKey,
  ownable,
  withManagers,
  withoutIdle,
  withoutManagers,
} from './managed-fields.ts';
import type { ManagedWrite, TrackRequest } from './merge.ts';
import { Changes } from './versions.ts';

/**
 * `next` with `metadata.managedFields` brought up to date: what it changes belongs to the writer and to nobody else any more. An object that is stored without owners stays so.
 */
export function trackManagers(request: TrackRequest): KubernetesObject {
  const { live, next, schema, now, versions } = request;
  const managers = managersOf(request);
  const bare = withoutManagers(next);
  if (!managers || (live && managers.size === 0)) return bare;
  const changes = new Changes({ before: live ? withoutManagers(live) : {}, after: bare, schema }, versions);
  const identity = writerOf(request, next.apiVersion ?? '');
  return withManagers(bare, withoutIdle(withWriter(managers, { identity, changes, now, request })));
}

/** The owners before this write: those that the client sent with it, if they make sense, else the stored ones. Undefined: the client wants none. */
function managersOf({ live, next, subresource }: TrackRequest): Managers | undefined {
  const stored = decodeManagers(live?.metadata?.managedFields) ?? new Map<string, Manager>();
  if (subresource) return stored;
  const sent = next.metadata?.managedFields;
  if (isReset(sent)) return undefined;
  if (sent === live?.metadata?.managedFields) return stored;
  const managers = decodeManagers(sent);
  return managers && managers.size > 0 ? managers : stored;
}

export function writerOf(
  { manager, subresource = '' }: Pick<ManagedWrite, 'manager' | 'subresource'>,
  apiVersion: string,
): ManagerIdentity {
  return { manager, operation: 'Update', apiVersion, subresource };
}

/** Every manager without what changed or went. */
export function disown(managers: Managers, changes: Changes): Managers {
  return new Map(
    [...managers].map(([key, manager]) => {
      const { added, modified, removed } = changes.in(manager.apiVersion);
      const lost = union(union(added, modified), removed);
      const set = difference(manager.set, lost);
      return [key, set === manager.set ? manager : { ...manager, set }];
    }),
  );
}

function withWriter(
  managers: Managers,
  { identity, changes, now, request }: Writer & { readonly request: ManagedWrite },
): Managers {
  const key = managerKey(identity);
  const before = managers.get(key);
  const others = disown(managers, changes);
  const { added, modified, removed } = changes.own;
  const taken = ownable(union(modified, added), resetsOf(request));
  if (isEmptySet(taken)) return others;
  const set = union(difference(before?.set ?? emptySet, removed), taken);
  return new Map(others).set(key, { ...before, ...identity, time: now, set });
}

interface Writer {
  readonly identity: ManagerIdentity;
  readonly changes: Changes;
  readonly now: string;
}

/** What a request may not write, and so cannot own. */
export function resetsOf({
  resets,
  schema,
  subresource,
}: Pick<ManagedWrite, 'resets' | 'schema' | 'subresource'>): FieldSet {
  const paths = resets ?? defaultResets(schema, subresource);
  return paths.map((path) => pathSet(path.map((name) => `f:${name}`))).reduce(union, emptySet);
}

function defaultResets(schema: Schema, subresource: string | undefined): readonly (readonly string[])[] {
  const has = (name: string) => schema.type === 'object' && schema.fields.has(name);
  if (!has('spec') || !has('status')) return [];
  if (!subresource) return [['status']];
  return subresource === 'status' ? [['spec']] : [];
}
