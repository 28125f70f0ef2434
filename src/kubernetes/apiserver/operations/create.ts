import type { KubernetesObject } from '../../object.ts';
import { alreadyExists, invalid, StatusError } from '../../status.ts';
import { type Draft, draftOf } from '../draft.ts';
import type { ApiParts, Call } from '../parts.ts';
import { objectPath } from '../storage/keys.ts';
import type { StoredObject } from '../storage/stored-object.ts';
import { dropEmpty, fillNewMetadata, generateName, metaOf, placeInNamespace, typeOf } from './metadata.ts';
import { tracksManagers } from './managers.ts';
import { cacheOf } from './read.ts';
import { admit, commit, contextOf, mutate, noEffects, toStored, uncommitted, validate } from './write.ts';

/** Attempts at a generated name or a reservation that somebody else was faster to take. */
const ATTEMPTS = 8;

export interface CreateOptions {
  /** The body says its owners itself: server-side apply. */
  readonly isApply?: boolean;
}

/**
 * Makes a new object of `body`, which is in the version of the call. Throws `AlreadyExists`, `Invalid`, `BadRequest`, and what admission throws.
 * Upstream: `registry.Store.Create`.
 */
export async function create(
  parts: ApiParts,
  call: Call,
  body: KubernetesObject,
  options: CreateOptions = {},
): Promise<StoredObject> {
  const asked = await toStored(call, body);
  const meta = metaOf(asked);
  if (meta.resourceVersion && meta.resourceVersion !== '0')
    throw new StatusError('BadRequest', 'resourceVersion should not be set on objects to be created');
  placeInNamespace(asked, call);
  for (let attempt = 1; ; attempt++) {
    const made = await tryCreate(parts, call, draftOf(asked), options);
    if (made) return made;
    if (!meta.generateName && !call.resource.strategy.allocate) throw alreadyExists(typeOf(call), meta.name ?? '');
    if (attempt === ATTEMPTS)
      throw new StatusError(
        'ServerTimeout',
        `the name or address that "${meta.name ?? meta.generateName}" asks for is taken again and again; try again later`,
      );
  }
}

async function tryCreate(
  parts: ApiParts,
  call: Call,
  asked: Draft<KubernetesObject>,
  { isApply = false }: CreateOptions,
): Promise<StoredObject | undefined> {
  const { strategy } = call.resource;
  const context = contextOf(parts, call);
  generateName(parts, metaOf(asked));
  strategy.default?.(asked);
  const name = metaOf(asked).name ?? '';
  const object = await mutate(parts, call, { operation: 'CREATE', name, object: asked, oldObject: undefined });
  const meta = metaOf(object);
  if (!meta.name)
    throw invalid(typeOf(call), '', [
      { type: 'Required value', field: 'metadata.name', message: 'Required value: name or generateName is required' },
    ]);
  fillNewMetadata(parts, meta);
  dropEmpty(meta);
  if (strategy.hasGeneration) meta.generation = 1;
  if (strategy.hasStatus) delete (object as { status?: unknown }).status;
  strategy.default?.(object);
  strategy.prepareForCreate?.(object, context);
  await refuseTaken(parts, call, object);
  validate(parts, call, object, undefined);
  await admit(parts, call, { operation: 'CREATE', name: meta.name, object, oldObject: undefined });
  const path = objectPath({ namespace: meta.namespace, name: meta.name });
  const effects = call.isDryRun ? noEffects : ((await strategy.allocate?.(object, undefined, context)) ?? noEffects);
  const tracked = isApply ? object : tracksManagers(parts, call, object);
  if (call.isDryRun) return uncommitted(parts, call, path, tracked, undefined);
  const { prefix } = await cacheOf(parts, call.resource);
  const compare = { key: prefix + path, field: 'modRevision', is: '=', value: 0 } as const;
  return commit(parts, call, { path, compare, object: tracked, effects });
}

/** A name that was asked for and exists is refused before anything else is looked at; a generated one is drawn again. */
async function refuseTaken(parts: ApiParts, call: Call, { metadata }: KubernetesObject): Promise<void> {
  const cache = await cacheOf(parts, call.resource);
  const name = metadata?.name ?? '';
  if (!metadata?.generateName && cache.get(objectPath({ namespace: metadata?.namespace, name })))
    throw alreadyExists(typeOf(call), name);
}
