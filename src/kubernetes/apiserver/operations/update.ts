import type { KubernetesObject } from '../../object.ts';
import { conflict, invalid, notFound } from '../../status.ts';
import { type Draft, draftOf, isSameJson } from '../draft.ts';
import { type ApiParts, type NamedCall } from '../parts.ts';
import type { Subresource, WriteContext } from '../resource.ts';
import { objectPath } from '../storage/keys.ts';
import type { StoredObject } from '../storage/stored-object.ts';
import { create } from './create.ts';
import { tracksManagers } from './managers.ts';
import { keepMetadata, metaOf, typeOf } from './metadata.ts';
import { cacheOf, convert, objectIn } from './read.ts';
import { scaleOf, withScale } from './scale.ts';
import { admit, commit, contextOf, mutate, noEffects, toStored, uncommitted, validate } from './write.ts';

/** How often a change that names no version is made again after somebody else was faster. */
const ATTEMPTS = 16;

export interface Change {
  /**
   * What the object becomes, in the version of the call; `live` is what it is (of the subresource, if there is one), undefined when there is none yet. Called again
   * after a lost race.
   */
  readonly next: (live: KubernetesObject | undefined) => KubernetesObject | Promise<KubernetesObject>;
  /** An object that does not exist is made. */
  readonly mayCreate: boolean;
  /** The client named the version it wants to change; another one is a conflict, and losing a race is too. */
  readonly isPinned: boolean;
  /** `next` has set `managedFields` itself: server-side apply. */
  readonly isApply?: boolean;
  readonly precondition?: { readonly uid?: string | undefined; readonly resourceVersion?: string | undefined };
}

export interface Updated {
  readonly stored: StoredObject;
  readonly isCreated: boolean;
}

/** Changes one object, by PUT, PATCH or apply. Throws `NotFound`, `Conflict`, `Invalid`, `BadRequest`. Upstream: `registry.Store.Update`. */
export async function update(parts: ApiParts, call: NamedCall, change: Change): Promise<Updated> {
  const cache = await cacheOf(parts, call.resource);
  const path = objectPath(call);
  for (let attempt = 1; ; attempt++) {
    const live = cache.get(path);
    if (!live) return createInstead(parts, call, change);
    const stored = await tryUpdate(parts, call, change, live);
    if (stored) return { stored, isCreated: false };
    if (change.isPinned || attempt === ATTEMPTS) throw changedMeanwhile(call);
  }
}

function changedMeanwhile(call: NamedCall) {
  return conflict(
    typeOf(call),
    call.name,
    'the object has been modified; please apply your changes to the latest version and try again',
  );
}

async function createInstead(parts: ApiParts, call: NamedCall, change: Change): Promise<Updated> {
  if (!change.mayCreate || call.subresource) throw notFound(typeOf(call), call.name);
  const body = draftOf(await change.next(undefined));
  metaOf(body).name ??= call.name;
  const options = { isApply: change.isApply ?? false };
  return { stored: await create(parts, call, body, options), isCreated: true };
}

async function tryUpdate(
  parts: ApiParts,
  call: NamedCall,
  change: Change,
  live: StoredObject,
): Promise<StoredObject | undefined> {
  const old = live.object;
  const context = contextOf(parts, call);
  const part = call.subresource === undefined ? undefined : call.resource.subresources.get(call.subresource);
  await convert(call.version, [live]);
  const shown = part?.kind === 'scale' ? scaleOf(call, part, old) : objectIn(call.version, live);
  const body = await change.next(shown);
  const version = body.metadata?.resourceVersion;
  checkVersion(call, version, live, change);
  const asked = part?.kind === 'scale' ? withScale(call, part, old, body) : await toStored(call, body);
  keepMetadata(asked, old, call);
  const next = await prepare(parts, call, { asked, old, part, context });
  if (isSameJson(next, old)) return live;
  const { strategy } = call.resource;
  const effects = call.isDryRun || part ? noEffects : ((await strategy.allocate?.(next, old, context)) ?? noEffects);
  const tracked = change.isApply ? next : tracksManagers(parts, call, next, old);
  const path = objectPath(call);
  if (call.isDryRun) return uncommitted(parts, call, path, tracked, live.revision);
  const { prefix } = await cacheOf(parts, call.resource);
  const isGone = isFinallyDeleted(call, tracked);
  const stored = await commit(parts, call, {
    path,
    compare: { key: prefix + path, field: 'modRevision', is: '=', value: live.revision },
    object: isGone ? undefined : tracked,
    effects: isGone ? (strategy.release?.(old, context) ?? noEffects) : effects,
  });
  // A write that let go of the last finalizer answers the object as it last was.
  return stored && isGone ? uncommitted(parts, call, path, tracked, live.revision) : stored;
}

function checkVersion(
  call: NamedCall,
  version: string | undefined,
  live: StoredObject,
  { precondition }: Change,
): void {
  const wanted = version && version !== '0' ? version : precondition?.resourceVersion;
  if (!wanted && !call.resource.strategy.isUnconditionalUpdateAllowed && version !== undefined)
    throw invalid(typeOf(call), call.name, [
      {
        type: 'Invalid value',
        field: 'metadata.resourceVersion',
        message: 'Invalid value: 0x0: must be specified for an update',
      },
    ]);
  if (wanted && wanted !== String(live.revision)) throw changedMeanwhile(call);
}

interface Preparation {
  readonly asked: Draft<KubernetesObject>;
  readonly old: KubernetesObject;
  readonly part: Subresource | undefined;
  readonly context: WriteContext;
}

/** From what was asked to what would be stored: defaults, admission, what may change at all, validation. */
async function prepare(parts: ApiParts, call: NamedCall, { asked, old, part, context }: Preparation) {
  const { strategy } = call.resource;
  const operation = { operation: 'UPDATE', name: call.name, oldObject: old } as const;
  strategy.default?.(asked);
  const object = await mutate(parts, call, { ...operation, object: asked });
  let next = object;
  if (part?.kind === 'part') next = draftOf(part.take(object, old, context));
  else {
    if (strategy.hasStatus) keepStatus(next, old);
    strategy.default?.(next);
    strategy.prepareForUpdate?.(next, old, context);
  }
  if (strategy.hasGeneration && isNewGeneration(next, old))
    metaOf(next).generation = (old.metadata?.generation ?? 0) + 1;
  metaOf(next).resourceVersion = old.metadata?.resourceVersion ?? '';
  if (part?.kind === 'part' && part.validate) {
    const errors = part.validate(next, old);
    if (errors.length) throw invalid(typeOf(call), call.name, errors);
  }
  validate(parts, call, next, part?.kind === 'part' ? (part.comparedWith?.(next, old) ?? old) : old);
  await admit(parts, call, { ...operation, object: next });
  return next;
}

function keepStatus(next: Draft<KubernetesObject>, old: KubernetesObject): void {
  // Status is a member of the kinds whose strategy says so.
  const to = next as { status?: unknown };
  const { status } = old as { status?: unknown };
  if (status === undefined) delete to.status;
  else to.status = status;
}

function isNewGeneration(next: KubernetesObject, old: KubernetesObject): boolean {
  const content = ({
    metadata: _metadata,
    status: _status,
    ...rest
  }: KubernetesObject & { readonly status?: unknown }) => rest;
  return !isSameJson(content(next), content(old));
}

/** True if what a client sent names a version. */
export function namesVersion(body: unknown): boolean {
  if (typeof body !== 'object' || body === null) return false;
  const { metadata } = body as { readonly metadata?: unknown };
  if (typeof metadata !== 'object' || metadata === null) return false;
  return Boolean((metadata as { readonly resourceVersion?: unknown }).resourceVersion);
}

/** True if the object waits for nothing any more. */
export function isFinallyDeleted({ resource }: NamedCall, object: KubernetesObject): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds = 0, finalizers = [] } = object.metadata ?? {};
  return (
    deletionTimestamp !== undefined &&
    deletionGracePeriodSeconds === 0 &&
    finalizers.length === 0 &&
    !resource.strategy.isHeld?.(object)
  );
}
