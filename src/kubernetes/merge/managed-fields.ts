/** `metadata.managedFields`: who owns which fields of an object. Behaviour: apimachinery `util/managedfields`. */
import type { KubernetesObject } from '../object.ts';
import { isObject } from '../schema/json.ts';
import type { ObjectMeta } from '../types.ts';
import type { FieldSet } from './field-set.ts';
import { differenceBelow, emptySet, isEmptySet, isEqualSet, union } from './field-set.ts';
import { decodeFields, encodeFields } from './fields-v1.ts';

export type ManagedFieldsEntry = NonNullable<ObjectMeta['managedFields']>[number];

/** What tells owners apart. One name may own by `Apply` and by `Update`. */
export interface ManagerIdentity {
  readonly manager: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  /** Empty for the object itself. */
  readonly subresource: string;
}

export interface Manager extends ManagerIdentity {
  readonly time: string | undefined;
  readonly set: FieldSet;
  /** As it was read, to be written again if nothing changed. */
  readonly entry?: ManagedFieldsEntry;
}

/** Managers by `managerKey`. */
export type Managers = ReadonlyMap<string, Manager>;

/** Who applies is the same in whatever version: apimachinery `managedfields/internal/managedfields.go`, "BuildManagerIdentifier". */
export function managerKey({ manager, operation, apiVersion, subresource }: ManagerIdentity): string {
  return JSON.stringify([manager, operation, operation === 'Apply' ? '' : apiVersion, subresource]);
}

/** Reads the entries of an object. Undefined if one of them makes no sense: a client broke them. */
export function decodeManagers(entries: ObjectMeta['managedFields']): Managers | undefined {
  const managers = new Map<string, Manager>();
  for (const entry of entries ?? []) {
    const manager = decodeEntry(entry);
    if (!manager) return undefined;
    managers.set(managerKey(manager), manager);
  }
  return managers;
}

function decodeEntry(entry: ManagedFieldsEntry): Manager | undefined {
  const { manager = '', operation, apiVersion = '', subresource = '', time, fieldsType, fieldsV1 } = entry;
  if (fieldsType !== 'FieldsV1' || (operation !== 'Apply' && operation !== 'Update')) return undefined;
  const set = decodeFields(fieldsV1 ?? {});
  return set && { manager, operation, apiVersion, subresource, time, set, entry };
}

/** The managers without those that own nothing. */
export function withoutIdle(managers: Managers): Managers {
  return new Map([...managers].filter(([, { set }]) => !isEmptySet(set)));
}

export function isSameManagers(a: Managers, b: Managers): boolean {
  return (
    a.size === b.size &&
    [...a].every(([key, manager]) => {
      const other = b.get(key);
      return other !== undefined && manager.apiVersion === other.apiVersion && isEqualSet(manager.set, other.set);
    })
  );
}

/** More owners by update than these are of no use; the oldest become one. */
const mostUpdaters = 10;
const ancient = 'ancient-changes';

function capped(managers: readonly Manager[]): readonly Manager[] {
  const updaters = managers.filter(({ operation, subresource }) => operation === 'Update' && subresource === '');
  const surplus = updaters.length - mostUpdaters;
  if (surplus <= 0) return managers;
  const oldest = updaters.toSorted((a, b) => compareTexts(a.time ?? '', b.time ?? '')).slice(0, surplus + 1);
  const buckets = Map.groupBy(oldest, ({ apiVersion }) => apiVersion);
  const merged = [...buckets].map(([apiVersion, members]): Manager => ({
    manager: ancient,
    operation: 'Update',
    apiVersion,
    subresource: '',
    time: members.at(-1)?.time,
    set: members.map(({ set }) => set).reduce(union, emptySet),
  }));
  return [...managers.filter((manager) => !oldest.includes(manager)), ...merged];
}

/** `object` with the managers' entries, in upstream's order; without the field if there are none. */
export function withManagers<T extends KubernetesObject>(object: T, managers: Managers): T {
  const entries = capped([...managers.values()])
    .toSorted(byOperationTimeName)
    .map(encodeEntry);
  const { managedFields: _, ...metadata } = object.metadata ?? {};
  return { ...object, metadata: { ...metadata, ...(entries.length > 0 && { managedFields: entries }) } };
}

function byOperationTimeName(a: Manager, b: Manager): number {
  const parts = (one: Manager) => [one.operation, one.time ?? '', one.manager, one.apiVersion, one.subresource];
  const [left, right] = [parts(a), parts(b)];
  const at = left.findIndex((part, index) => part !== right[index]);
  return at < 0 ? 0 : compareTexts(left[at]!, right[at]!);
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

function encodeEntry({ manager, operation, apiVersion, subresource, time, set, entry }: Manager): ManagedFieldsEntry {
  if (entry && entry.time === time && entry.fieldsV1 && decodeFields(entry.fieldsV1) === set) return entry;
  const isSameSet = entry?.fieldsV1 && decodeFields(entry.fieldsV1) === set;
  return {
    manager,
    operation,
    apiVersion,
    ...(time && { time }),
    fieldsType: 'FieldsV1',
    fieldsV1: isSameSet ? entry.fieldsV1 : encodeFields(set),
    ...(subresource && { subresource }),
  };
}

/** `object` without its entries. */
export function withoutManagers<T extends KubernetesObject>(object: T): T {
  if (!object.metadata || !('managedFields' in object.metadata)) return object;
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, metadata };
}

/** Nobody owns what identifies an object or what the server alone sets. */
const unowned: FieldSet = {
  members: new Set(['f:apiVersion', 'f:kind', 'f:metadata']),
  children: new Map([
    [
      'f:metadata',
      {
        members: new Set(
          [
            'name',
            'namespace',
            'creationTimestamp',
            'selfLink',
            'uid',
            'clusterName',
            'generation',
            'managedFields',
            'resourceVersion',
          ].map((name) => `f:${name}`),
        ),
        children: new Map<string, FieldSet>(),
      },
    ],
  ]),
};

/** What of a set can be owned: not what identifies an object, and nothing at or below what this request may not write. */
export function ownable(set: FieldSet, resets: FieldSet): FieldSet {
  const { members, children } = set;
  const stripped = new Set([...members].filter((element) => !unowned.members.has(element)));
  const metadata = children.get('f:metadata');
  const below = metadata && withoutMembers(metadata, unowned.children.get('f:metadata')!.members);
  const levels = new Map(children);
  if (below && isEmptySet(below)) levels.delete('f:metadata');
  else if (below) levels.set('f:metadata', below);
  const result = { members: stripped, children: levels };
  return isEmptySet(resets) ? result : differenceBelow(result, resets);
}

function withoutMembers({ members, children }: FieldSet, elements: ReadonlySet<string>): FieldSet {
  return {
    members: new Set([...members].filter((element) => !elements.has(element))),
    children: new Map([...children].filter(([element]) => !elements.has(element))),
  };
}

/** True for the one way to say "forget all owners": a list of one empty entry. */
export function isReset(entries: ObjectMeta['managedFields']): boolean {
  return entries?.length === 1 && isObject(entries[0]) && Object.keys(entries[0]).length === 0;
}
