/**
 * Server-side apply: the client says what it wants, the server merges, keeps apart who wants what, and takes away what nobody wants any more. Behaviour: structured-merge-diff
 * `merge/update.go`, "Apply", and apimachinery `util/managedfields`.
 */
import type { KubernetesObject } from '../object.ts';
import { isEqual, isObject } from '../schema/json.ts';
import { StatusError } from '../status.ts';
import { compare } from './compare.ts';
import { checkItems } from './check-items.ts';
import type { Conflict } from './conflict.ts';
import { applyConflict } from './conflict.ts';
import { fieldSetOf } from './field-set-of.ts';
import { difference, emptySet, intersection, isEmptySet, isEqualSet, pathsOf, union } from './field-set.ts';
import { allowedByLastApplied, withLastApplied } from './last-applied.ts';
import type { Manager, ManagerIdentity, Managers } from './managed-fields.ts';
import {
  decodeManagers,
  isSameManagers,
  managerKey,
  ownable,
  withManagers,
  withoutIdle,
  withoutManagers,
} from './managed-fields.ts';
import { mergeTyped } from './merge-typed.ts';
import type { ApplyRequest } from './merge.ts';
import { prune } from './prune.ts';
import { disown, resetsOf } from './track.ts';
import { Changes } from './versions.ts';

/** Who owns what an object had before anybody applied to it. */
const beforeFirst = 'before-first-apply';
/** The manager of `kubectl apply --server-side`, which takes over from client-side apply. */
const kubectl = 'kubectl';

/**
 * Applies. Answers `live` itself when nothing changes. Throws `Conflict` with one cause a field (`FieldManagerConflict`) when another manager owns a field that would change and
 * the request is not forced; `BadRequest` for a configuration that cannot be merged.
 */
export function apply(request: ApplyRequest): KubernetesObject {
  const { applied, live, schema } = request;
  if (applied.metadata?.managedFields) throw new StatusError('BadRequest', 'metadata.managedFields must be nil');
  checkItems(applied, schema);
  const state: State = {
    request,
    live: live ? withoutManagers(live) : {},
    managers: managersOf(request),
    identity: identityOf(request),
  };
  const result = applyOver(state);
  // Fields alone would miss that a list has another order now.
  const isUnchanged = live && isEqual(state.live, result.object) && isSameManagers(state.managers, result.managers);
  if (isUnchanged) return live;
  return withManagers(withLastAppliedFor(request, result.object), result.managers);
}

interface State {
  readonly request: ApplyRequest;
  /** Without entries. */
  readonly live: KubernetesObject;
  readonly managers: Managers;
  readonly identity: ManagerIdentity;
}

interface Result {
  readonly object: KubernetesObject;
  readonly managers: Managers;
}

function identityOf({ manager, applied, subresource = '' }: ApplyRequest): ManagerIdentity {
  return { manager, operation: 'Apply', apiVersion: applied.apiVersion ?? '', subresource };
}

function managersOf({ live, schema, now }: ApplyRequest): Managers {
  const managers = decodeManagers(live?.metadata?.managedFields) ?? new Map<string, Manager>();
  if (managers.size > 0 || !live) return managers;
  const { added, modified } = compare({}, withoutManagers(live), schema);
  const first: Manager = {
    manager: beforeFirst,
    operation: 'Update',
    apiVersion: live.apiVersion ?? '',
    subresource: '',
    time: now,
    set: ownable(union(added, modified), emptySet),
  };
  return withoutIdle(new Map([[managerKey(first), first]]));
}

function applyOver({ request, live, managers, identity }: State): Result {
  const { applied, schema, now, versions } = request;
  const key = managerKey(identity);
  const before = managers.get(key);
  const set = ownable(fieldSetOf(applied, schema), resetsOf(request));
  const merged = mergeTyped(live, applied, schema);
  const applying: Manager = { ...before, ...identity, time: before?.time, set };
  const claimed = new Map(managers).set(key, applying);
  const isOfOther = before && versions?.(before.apiVersion) !== undefined;
  const isWholeAgain = !before || (!isOfOther && isEmptySet(difference(before.set, set)));
  const pruned = isWholeAgain ? merged : prune(merged, { last: before, managers: claimed, schema, versions });
  const object = pruned as KubernetesObject;
  const changes = new Changes({ before: live, after: object, schema }, versions);
  const others = new Map([...claimed].filter(([other]) => other !== key));
  checkConflicts(others, changes, { request, live });
  const isChanged = !before || !isEqual(live, object) || !isEqualSet(set, before.set);
  const mine: Manager = { ...applying, time: isChanged ? now : before.time };
  return { object, managers: withoutIdle(new Map(disown(others, changes)).set(key, mine)) };
}

/** Managers that own a field which this apply would change. */
function checkConflicts(others: Managers, changes: Changes, { request, live }: Pick<State, 'request' | 'live'>): void {
  if (request.isForced) return;
  const allowed = request.manager === kubectl ? allowedByLastApplied(live, request.schema) : emptySet;
  const conflicts = [...others.values()].flatMap((manager): readonly Conflict[] => {
    const { added, modified } = changes.in(manager.apiVersion);
    const contested = difference(intersection(manager.set, union(modified, added)), allowed);
    return pathsOf(contested).map((path) => ({ manager, path }));
  });
  if (conflicts.length > 0) throw applyConflict(conflicts);
}

/** `kubectl apply` without `--server-side` must go on from here: the annotation that it compares with is brought up to date where there is one. */
function withLastAppliedFor({ manager, applied }: ApplyRequest, object: KubernetesObject): KubernetesObject {
  return manager === kubectl && isObject(object.metadata) ? withLastApplied(object, applied) : object;
}
