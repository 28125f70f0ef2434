/** Get, list and watch: everything that is answered from the cache. */
import { isDabbaError } from '#base';
import { apiVersionOf, keyOf, type KubernetesObject, type ObjectName } from '../../object.ts';
import { notFound, StatusError } from '../../status.ts';
import type { ObjectField } from '../../schema/protobuf-encode.ts';
import type { ApiParts, Call } from '../parts.ts';
import type { Resource, ServedVersion } from '../resource.ts';
import { objectPath } from '../storage/keys.ts';
import type { ResourceCache } from '../storage/resource-cache.ts';
import { StoredCodec, StoredObject } from '../storage/stored-object.ts';
import { readContinue, writeContinue } from './continue.ts';
import { type Selection, selectionOf } from './selection.ts';

export async function cacheOf(parts: Pick<ApiParts, 'feed'>, { type }: Resource): Promise<ResourceCache> {
  return parts.feed.cache(type);
}

/** The object as stored. Throws `NotFound`. */
export async function get(parts: ApiParts, call: Call & ObjectName): Promise<StoredObject> {
  const path = objectPath(call);
  const found = call.resource.virtual
    ? (await virtualObjects(call.resource)).find((stored) => stored.path === path)
    : (await cacheOf(parts, call.resource)).get(path);
  if (!found) throw notFound({ group: call.version.group, resource: call.resource.type.resource }, call.name);
  return found;
}

/** What a virtual resource has now, in order. */
async function virtualObjects({ type, virtual }: Resource): Promise<StoredObject[]> {
  const codec = new StoredCodec(type);
  const objects = await virtual!();
  return objects
    .map((object) => new StoredObject(keyOf(object), 0, codec.encode(object)))
    .toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

/**
 * Makes objects ready to be read in a version: where somebody is to be asked for that (`conversion`), he is, once for each object and for many of them together. `objectIn` and
 * `bytesIn` need it; of other versions it does nothing.
 */
export async function convert(version: ServedVersion, objects: readonly StoredObject[]): Promise<void> {
  const { conversion } = version;
  if (!conversion) return;
  const apiVersion = apiVersionOf(version);
  const others = objects.filter(
    (stored) => stored.object.apiVersion !== apiVersion && !stored.converted(version) && stored.bytes.length > 0,
  );
  for (const batch of batchesOf(others)) {
    const converted = await conversion(
      batch.map(({ object }) => object),
      apiVersion,
    );
    for (const [index, stored] of batch.entries()) stored.noteConverted(version, converted[index]!);
  }
}

/** What a webhook is asked for at once: its answer is bounded, and is about as long. */
const BATCH_BYTES = 1024 * 1024;

function* batchesOf(objects: readonly StoredObject[]): Generator<readonly StoredObject[]> {
  let batch: StoredObject[] = [];
  let size = 0;
  for (const stored of objects) {
    if (batch.length && size + stored.bytes.length > BATCH_BYTES) {
      yield batch;
      [batch, size] = [[], 0];
    }
    batch.push(stored);
    size += stored.bytes.length;
  }
  if (batch.length) yield batch;
}

/** The object in the version that was asked for. */
export function objectIn(version: ServedVersion, stored: StoredObject): KubernetesObject {
  const object = stored.converted(version) ?? stored.object;
  return version.fromStored ? version.fromStored(object) : object;
}

/** Its bytes. */
export function bytesIn(version: ServedVersion, stored: StoredObject): Buffer {
  const { fromStored } = version;
  if (!fromStored) return stored.bytes;
  return stored.form(version, () => Buffer.from(JSON.stringify(objectIn(version, stored))));
}

/** Its protobuf message. */
export function fieldIn(
  { schemas }: Pick<ApiParts, 'schemas'>,
  version: ServedVersion,
  stored: StoredObject,
): ObjectField {
  return stored.message(version.version, () => schemas.protobufField(version, objectIn(version, stored)));
}

/** Which list is asked for; `''`, `'0'` and absence of a version have upstream's meanings. */
export interface ListQuery {
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  readonly limit?: number | undefined;
  readonly continue?: string | undefined;
  readonly resourceVersion?: string | undefined;
  readonly resourceVersionMatch?: string | undefined;
}

export interface ListAnswer {
  readonly objects: readonly StoredObject[];
  readonly resourceVersion: string;
  readonly continue?: string;
  readonly remainingItemCount?: number;
}

/** Throws `BadRequest` for what makes no sense, `Expired` for a past that is gone, `Timeout` for a future that does not come. */
export async function list(parts: ApiParts, { resource }: Call, query: ListQuery): Promise<ListAnswer> {
  const selection = selectionOf(resource, query);
  if (resource.virtual) {
    const all = (await virtualObjects(resource)).filter(({ path }) => path.startsWith(selection.begin));
    return page(all, { selection, limit: 0, revision: parts.feed.revision });
  }
  const at = listPosition(query);
  const cache = await cacheOf(parts, resource);
  if (at.notBefore) await parts.feed.waitFor(at.notBefore);
  const isNow = at.exactly === undefined || at.exactly >= cache.lastChange;
  const revision = at.exactly ?? parts.feed.revision;
  const all = isNow
    ? cache.range(selection.begin, at.after)
    : await past(parts, cache, { ...at, begin: selection.begin });
  return page(all, { selection, limit: query.limit ?? 0, revision });
}

interface Position {
  /** The state as it was at this revision. */
  readonly exactly?: number;
  readonly notBefore?: number;
  /** Begin behind this path. */
  readonly after: string;
}

function listPosition(query: ListQuery): Position {
  const { resourceVersion: version = '', resourceVersionMatch: match = '' } = query;
  if (query.continue) {
    if (version && version !== '0')
      throw new StatusError('BadRequest', 'specifying resource version is not allowed when using continue');
    const token = readContinue(query.continue);
    return token.revision < 0
      ? { after: token.after }
      : { exactly: token.revision, notBefore: token.revision, after: token.after };
  }
  if (match && !version)
    throw new StatusError('BadRequest', 'resourceVersionMatch is forbidden unless resourceVersion is provided');
  if (match && match !== 'Exact' && match !== 'NotOlderThan')
    throw new StatusError('BadRequest', `resourceVersionMatch: Unsupported value: ${JSON.stringify(match)}`);
  const revision = readVersion(version);
  if (!revision) {
    if (match === 'Exact')
      throw new StatusError(
        'BadRequest',
        'resourceVersionMatch: Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"',
      );
    return { after: '' };
  }
  return match === 'Exact' ? { exactly: revision, notBefore: revision, after: '' } : { notBefore: revision, after: '' };
}

/** A resource version as a number, 0 for none. Throws `BadRequest`. */
export function readVersion(version: string | undefined): number {
  if (!version) return 0;
  if (!/^\d{1,16}$/.test(version))
    throw new StatusError(
      'BadRequest',
      `Invalid value: ${JSON.stringify(version)}: strconv.ParseUint: parsing ${JSON.stringify(version)}: invalid syntax`,
    );
  return Number(version);
}

async function past(
  { store }: ApiParts,
  cache: ResourceCache,
  { exactly, after, begin }: Position & { readonly begin: string },
): Promise<StoredObject[]> {
  try {
    const { entries } = await store.list(cache.prefix + begin, { revision: exactly! });
    return entries
      .map((entry) => cache.codec.read(entry.key.slice(cache.prefix.length), entry.value, entry.modRevision))
      .filter(({ path }) => path > after);
  } catch (error) {
    if (!isDabbaError(error, 'FailedPrecondition')) throw error;
    throw new StatusError(
      'Expired',
      'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.',
      { continueToken: writeContinue({ revision: -1, after }) },
    );
  }
}

function page(
  all: Iterable<StoredObject>,
  { selection, limit, revision }: { readonly selection: Selection; readonly limit: number; readonly revision: number },
): ListAnswer {
  const objects: StoredObject[] = [];
  let remaining = 0;
  for (const stored of all) {
    if (selection.test && !selection.test(stored)) continue;
    if (limit && objects.length === limit) {
      remaining += 1;
      // With selectors upstream does not count what is left.
      if (selection.test) break;
      continue;
    }
    objects.push(stored);
  }
  const resourceVersion = String(revision);
  if (!remaining) return { objects, resourceVersion };
  return {
    objects,
    resourceVersion,
    continue: writeContinue({ revision, after: objects.at(-1)!.path }),
    ...(!selection.test && { remainingItemCount: remaining }),
  };
}
