/** Deleting: at once, after a grace period, or when the last finalizer lets go. Source: `registry.Store.Delete`, `rest.BeforeDelete`. */
import { isoSeconds } from '#base';
import type { KubernetesObject } from '../../object.ts';
import { conflict, invalid, StatusError } from '../../status.ts';
import type { DeleteOptions, Status } from '../../types.ts';
import { type Draft, draftOf, isSameJson } from '../draft.ts';
import type { ApiParts, Call, NamedCall } from '../parts.ts';
import { objectPath } from '../storage/keys.ts';
import type { StoredObject } from '../storage/stored-object.ts';
import { dropEmpty, metaOf, typeOf } from './metadata.ts';
import { cacheOf, get, list, type ListQuery } from './read.ts';
import { isFinallyDeleted } from './update.ts';
import { admit, commit, contextOf, noEffects, uncommitted } from './write.ts';

const ATTEMPTS = 16;

export interface Deleted {
  /** The object as it is, or as it last was. */
  readonly stored: StoredObject;
  /** False while finalizers or a grace period keep it. */
  readonly isGone: boolean;
}

/** Throws `NotFound`, `Conflict` for preconditions that fail, `Invalid` for options that cannot be. */
export async function remove(parts: ApiParts, call: NamedCall, options: DeleteOptions): Promise<Deleted> {
  checkOptions(options);
  for (let attempt = 1; ; attempt++) {
    const live = await get(parts, call);
    const deleted = await tryRemove(parts, call, live, options);
    if (deleted) return deleted;
    if (attempt === ATTEMPTS)
      throw conflict(typeOf(call), call.name, 'the object changes faster than it can be deleted');
  }
}

async function tryRemove(
  parts: ApiParts,
  call: NamedCall,
  live: StoredObject,
  options: DeleteOptions,
): Promise<Deleted | undefined> {
  checkPreconditions(call, live, options);
  await admit(parts, call, { operation: 'DELETE', name: call.name, object: undefined, oldObject: live.object });
  const marked = draftOf(live.object);
  mark(parts, call, marked, options);
  const isGone = isFinallyDeleted(call, marked);
  const path = objectPath(call);
  if (call.isDryRun) return { stored: await uncommitted(parts, call, path, marked, live.revision), isGone };
  if (!isGone && isSameJson(marked, live.object)) return { stored: live, isGone };
  const { prefix } = await cacheOf(parts, call.resource);
  const stored = await commit(parts, call, {
    path,
    compare: { key: prefix + path, field: 'modRevision', is: '=', value: live.revision },
    object: isGone ? undefined : marked,
    effects: isGone ? (call.resource.strategy.release?.(live.object, contextOf(parts, call)) ?? noEffects) : noEffects,
  });
  return stored && { stored: isGone ? await uncommitted(parts, call, path, marked, live.revision) : stored, isGone };
}

function checkOptions({ propagationPolicy, orphanDependents, gracePeriodSeconds }: DeleteOptions): void {
  const subject = { group: '', kind: 'DeleteOptions' };
  if (propagationPolicy !== undefined && orphanDependents !== undefined)
    throw invalid(subject, '', [
      {
        type: 'Invalid value',
        field: 'propagationPolicy',
        message: `Invalid value: "${propagationPolicy}": orphanDependents and deletionPropagation cannot be both set`,
      },
    ]);
  if (propagationPolicy !== undefined && !['Foreground', 'Background', 'Orphan'].includes(propagationPolicy))
    throw invalid(subject, '', [
      {
        type: 'Unsupported value',
        field: 'propagationPolicy',
        message: `Unsupported value: ${JSON.stringify(propagationPolicy)}: supported values: "Background", "Foreground", "Orphan", "nil"`,
      },
    ]);
  if (gracePeriodSeconds !== undefined && !Number.isInteger(gracePeriodSeconds))
    throw new StatusError('BadRequest', `gracePeriodSeconds is no whole number: ${gracePeriodSeconds}`);
}

function checkPreconditions(
  call: NamedCall,
  { object, revision }: StoredObject,
  { preconditions }: DeleteOptions,
): void {
  const { uid, resourceVersion } = preconditions ?? {};
  if (uid !== undefined && uid !== object.metadata?.uid)
    throw conflict(
      typeOf(call),
      call.name,
      `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${object.metadata?.uid}`,
    );
  if (resourceVersion !== undefined && resourceVersion !== String(revision))
    throw conflict(
      typeOf(call),
      call.name,
      `Precondition failed: ResourceVersion in precondition: ${resourceVersion}, ResourceVersion in object meta: ${revision}`,
    );
}

/** Says in the object that it is being deleted, by when, and what must still let go. */
function mark(parts: ApiParts, call: NamedCall, object: Draft<KubernetesObject>, options: DeleteOptions): void {
  const { strategy } = call.resource;
  const meta = metaOf(object);
  meta.finalizers = propagationFinalizers(meta.finalizers ?? [], options);
  dropEmpty(meta);
  const asked = options.gracePeriodSeconds;
  const grace = strategy.gracePeriodSeconds?.(object, asked === undefined ? undefined : Math.max(asked, 0)) ?? 0;
  const hadGrace = meta.deletionGracePeriodSeconds;
  if (meta.deletionTimestamp === undefined || (hadGrace !== undefined && grace < hadGrace)) {
    const since = meta.deletionTimestamp
      ? Date.parse(meta.deletionTimestamp) - (hadGrace ?? 0) * 1000
      : parts.clock.now();
    meta.deletionTimestamp = isoSeconds(since + grace * 1000);
    meta.deletionGracePeriodSeconds = grace;
    if (hadGrace === undefined && strategy.hasGeneration && meta.generation !== undefined) meta.generation += 1;
  }
  strategy.markDeleted?.(object);
}

const orphan = 'orphan';
const foreground = 'foregroundDeletion';

function propagationFinalizers(
  finalizers: readonly string[],
  { propagationPolicy, orphanDependents }: DeleteOptions,
): string[] {
  const policy =
    propagationPolicy ?? (orphanDependents === undefined ? undefined : orphanDependents ? 'Orphan' : 'Background');
  if (policy === undefined) return [...finalizers];
  const others = finalizers.filter((name) => name !== orphan && name !== foreground);
  if (policy === 'Orphan') return [...others, orphan];
  return policy === 'Foreground' ? [...others, foreground] : others;
}

/** Deletes everything a list finds; what goes away meanwhile is no failure. */
export async function removeCollection(
  parts: ApiParts,
  call: Call,
  query: ListQuery,
  options: DeleteOptions,
): Promise<readonly StoredObject[]> {
  const { objects } = await list(parts, call, query);
  for (const { path, object } of objects) {
    const name = object.metadata?.name ?? path;
    const one = { ...call, name, ...(object.metadata?.namespace && { namespace: object.metadata.namespace }) };
    await remove(parts, one, options).catch((error: unknown) => {
      if (!(error instanceof StatusError && error.reason === 'NotFound')) throw error;
    });
  }
  return objects;
}

/** The answer to a deletion that left nothing. */
export function deletedStatus(call: NamedCall, { object }: StoredObject): Status {
  const { group, resource } = typeOf(call);
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: {
      name: call.name,
      ...(group && { group }),
      kind: resource,
      ...(object.metadata?.uid && { uid: object.metadata.uid }),
    },
  };
}
