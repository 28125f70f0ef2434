/** Steps that creating, updating and deleting share: admission, validation, the transaction. */
import { isoSeconds } from '#base';
import type { Compare, Operation } from '#store';
import type { AdmissionRequest } from '../../auth/user.ts';
import { apiVersionOf, type KubernetesObject } from '../../object.ts';
import { decodeParsed } from '../../schema/decode.ts';
import { invalid } from '../../status.ts';
import { type Draft, draftOf } from '../draft.ts';
import type { ApiParts, Call } from '../parts.ts';
import type { Effects, WriteContext } from '../resource.ts';
import { StoredObject } from '../storage/stored-object.ts';
import { cacheOf } from './read.ts';
import { typeOf } from './metadata.ts';

export const noEffects: Effects = { compare: [], success: [] };

export function contextOf(parts: ApiParts, call: Call): WriteContext {
  const keyOf = (path: string) => `${parts.prefix}allocations/${path}`;
  return {
    user: call.user,
    now: isoSeconds(parts.clock.now()),
    warn: call.warn,
    serviceCidr: parts.serviceCidr,
    allocations: {
      keyOf,
      isTaken: async (path) => (await parts.store.get(keyOf(path))) !== undefined,
      pick: (bound) => Math.floor(parts.random.fraction() * bound),
    },
  };
}

/** An object of the client's version as it would be stored; always a copy. */
export async function toStored(
  { version, resource }: Call,
  object: KubernetesObject,
): Promise<Draft<KubernetesObject>> {
  const stored = apiVersionOf(resource.type);
  if (version.conversion && object.apiVersion !== stored) {
    const [converted] = await version.conversion([object], stored);
    return draftOf(converted!);
  }
  return draftOf(version.toStored ? version.toStored(object) : object);
}

export type Admitted = Omit<AdmissionRequest, 'type' | 'user' | 'isDryRun' | 'namespace' | 'subresource'>;

function requestOf(call: Call, admitted: Admitted): AdmissionRequest {
  return {
    ...admitted,
    type: call.resource.type,
    ...(call.subresource !== undefined && { subresource: call.subresource }),
    ...(call.namespace !== undefined && { namespace: call.namespace }),
    user: call.user,
    isDryRun: call.isDryRun,
  };
}

/** Lets each mutating plugin change the object, in order. */
export async function mutate(parts: ApiParts, call: Call, admitted: Admitted): Promise<Draft<KubernetesObject>> {
  let object = admitted.object!;
  for (const plugin of parts.admission) {
    if (!plugin.mutate) continue;
    const next = await plugin.mutate(requestOf(call, { ...admitted, object }));
    object = plugin.isForeign && next !== object ? readAnew(parts, call, next) : next;
  }
  return object === admitted.object ? (object as Draft<KubernetesObject>) : draftOf(object);
}

/** The object by the schema in which it is stored. Throws `BadRequest` when it is not such an object any more. */
function readAnew({ schemas }: ApiParts, { resource }: Call, object: KubernetesObject): KubernetesObject {
  const schema = resource.schema ?? schemas.of(resource.type);
  if (schema?.type !== 'object' || object.kind !== resource.type.kind) return object;
  return decodeParsed(object, { schema, kind: resource.type }).object;
}

/** Asks each validating plugin, in order. */
export async function admit(parts: ApiParts, call: Call, admitted: Admitted): Promise<void> {
  const request = requestOf(call, admitted);
  for (const plugin of parts.admission)
    if (plugin.validate) for (const warning of await plugin.validate(request)) call.warn(warning);
}

/** Refuses what is wrong with the object itself. */
export function validate(
  parts: ApiParts,
  call: Call,
  object: KubernetesObject,
  old: KubernetesObject | undefined,
): void {
  const { strategy, type } = call.resource;
  // A status is its controller's word; what else of the object it comes with is not taken over.
  const validator = call.subresource === 'status' ? undefined : parts.validatorOf(type);
  const errors = [...(validator?.(object, old) ?? []), ...(strategy.validate?.(object, old) ?? [])];
  if (errors.length) throw invalid(typeOf(call), object.metadata?.name ?? '', errors);
  for (const warning of strategy.warnings?.(object, old) ?? []) call.warn(warning);
}

export interface Commit {
  readonly path: string;
  readonly compare: Compare;
  /** What is put; undefined to delete. */
  readonly object: KubernetesObject | undefined;
  readonly effects: Effects;
}

/**
 * Makes one object what it is to be, with its effects, if nobody changed it; undefined when somebody did. Resolves when the change is durable and
 * every list and watch from now on sees it.
 */
export async function commit(
  parts: ApiParts,
  call: Call,
  { path, compare, object, effects }: Commit,
): Promise<StoredObject | undefined> {
  const cache = await cacheOf(parts, call.resource);
  const key = cache.prefix + path;
  const stored = object && cache.codec.encode(object);
  const operation: Operation = stored
    ? { kind: 'put', key, value: stored, ...(await leaseOf(parts, call)) }
    : { kind: 'delete', key };
  const { succeeded, revision } = await parts.store.txn({
    compare: [compare, ...effects.compare],
    success: [operation, ...effects.success],
  });
  await parts.feed.waitFor(revision);
  if (!succeeded) return undefined;
  if (!stored) return cache.get(path) ?? new StoredObject(path, revision, Buffer.alloc(0));
  const now = cache.get(path);
  return now?.revision === revision ? now : cache.codec.read(path, stored, revision);
}

async function leaseOf({ lifetimes }: ApiParts, { resource }: Call): Promise<{ readonly leaseId?: string }> {
  const { lifetimeMs } = resource.strategy;
  return lifetimeMs === undefined ? {} : { leaseId: await lifetimes.leaseFor(lifetimeMs) };
}

/** The object as it would have been stored: the answer of a dry run. */
export async function uncommitted(
  parts: ApiParts,
  call: Call,
  path: string,
  object: KubernetesObject,
  revision: number | undefined,
): Promise<StoredObject> {
  const { codec } = await cacheOf(parts, call.resource);
  const bytes = codec.encode(object);
  return revision === undefined ? new StoredObject(path, 0, bytes) : codec.read(path, bytes, revision);
}
