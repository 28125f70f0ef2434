/**
 * Follows the definitions of a cluster: serves what they define, says so in their status, and empties what is no longer wanted.
 * Source: `apiextensions-apiserver/pkg/controller/{status,establish,finalizer}`.
 */
import { type Clock, isoSeconds, type Logger, messageOf, type Random } from '#base';
import { KeyedQueue } from '#reconcile';
import type { Informer } from '../../client/informer.ts';
import { keyOf } from '../../object.ts';
import { customResourceDefinitions } from '../../resources.ts';
import { isStatusError } from '../../status.ts';
import type { CustomResourceDefinition } from '../../types.ts';
import { type Draft, draftOf, isSameJson } from '../draft.ts';
import type { ApiParts } from '../parts.ts';
import { cleanupFinalizer } from '../registry/extensions.ts';
import type { ConversionParts } from './conversion.ts';
import { customRow } from './row.ts';

type Definition = CustomResourceDefinition;
type Condition = Draft<NonNullable<NonNullable<Definition['status']>['conditions']>[number]>;

export interface EstablisherParts extends ConversionParts {
  readonly api: ApiParts;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** Resolves when the definitions that exist are served. */
export async function followDefinitions(parts: EstablisherParts): Promise<void> {
  const { api, clock, random, logger, signal } = parts;
  const definitions = api.informers.of(customResourceDefinitions);
  await definitions.synced();
  const queue = new KeyedQueue({
    clock,
    random,
    signal,
    concurrency: 1,
    work: (key) => reconcile(api, definitions, key),
    onFailure: (key, error) => {
      if (!isStatusError(error, 'Conflict'))
        logger.warn('a definition was not established', { key, error: messageOf(error) });
    },
  });
  const stop = definitions.onChange(({ now, before }) => {
    if (now) serve(parts, now);
    else if (before) unserve(api, before);
    queue.add(keyOf((now ?? before)!));
  });
  signal.addEventListener('abort', stop, { once: true });
}

function isEstablished({ status }: Definition): boolean {
  return status?.conditions?.some(({ type, status }) => type === 'Established' && status === 'True') ?? false;
}

function serve({ api, ...parts }: EstablisherParts, definition: Definition): void {
  if (!isEstablished(definition)) return;
  const row = customRow(definition, api.schemas, parts);
  api.catalog.put(row);
  api.feed.storeAs(row.type);
}

function unserve({ catalog, feed }: ApiParts, { spec }: Definition): void {
  const type = { group: spec.group, resource: spec.names.plural };
  catalog.remove(type);
  feed.drop(type);
}

async function reconcile(api: ApiParts, definitions: Informer<Definition>, name: string): Promise<void> {
  const definition = definitions.get(name);
  if (!definition) return;
  if (definition.metadata?.deletionTimestamp) return empty(api, definition);
  const status = statusOf(definition, definitions, isoSeconds(api.clock.now()));
  if (isSameJson(status, definition.status)) return;
  await api.admin.update(customResourceDefinitions, { ...definition, status }, { subresource: 'status' });
}

function statusOf(
  definition: Definition,
  definitions: Informer<Definition>,
  now: string,
): NonNullable<Definition['status']> {
  const { spec, status } = definition;
  const conflict = conflictOf(definition, definitions);
  const storage = spec.versions.find(({ storage }) => storage)?.name;
  const accepted: Condition = conflict
    ? { type: 'NamesAccepted', status: 'False', reason: conflict.reason, message: conflict.message }
    : { type: 'NamesAccepted', status: 'True', reason: 'NoConflicts', message: 'no conflicts found' };
  const established: Condition =
    conflict && !isEstablished(definition)
      ? { type: 'Established', status: 'False', reason: 'NotAccepted', message: 'not all names are accepted' }
      : {
          type: 'Established',
          status: 'True',
          reason: 'InitialNamesAccepted',
          message: 'the initial names have been accepted',
        };
  const others = (status?.conditions ?? []).filter(({ type }) => type !== 'NamesAccepted' && type !== 'Established');
  const conditions = [accepted, established].map((condition) => withTransition(condition, status, now));
  return {
    ...status,
    acceptedNames: conflict ? (status?.acceptedNames ?? { kind: '', plural: '' }) : spec.names,
    conditions: [...others, ...conditions],
    storedVersions: [...new Set([...(status?.storedVersions ?? []), ...(storage === undefined ? [] : [storage])])],
  };
}

function withTransition(condition: Condition, status: Definition['status'], now: string): Condition {
  const before = status?.conditions?.find(({ type }) => type === condition.type);
  const lastTransitionTime = before?.status === condition.status ? before.lastTransitionTime : now;
  return { ...condition, lastTransitionTime: lastTransitionTime ?? now };
}

/** Somebody else of the group who has a name of this one already. */
function conflictOf({ metadata, spec }: Definition, definitions: Informer<Definition>) {
  const others = definitions
    .list()
    .filter(
      (other) => other.spec.group === spec.group && other.metadata?.name !== metadata?.name && isEstablished(other),
    );
  const { plural, singular, kind, listKind, shortNames = [] } = spec.names;
  const wanted = new Set([plural, singular, ...shortNames]);
  for (const { status } of others) {
    const names = status?.acceptedNames;
    if (!names) continue;
    const taken = [names.plural, names.singular, ...(names.shortNames ?? [])].find((name) => name && wanted.has(name));
    if (taken)
      return {
        reason: taken === plural ? 'PluralConflict' : 'ShortNamesConflict',
        message: `"${taken}" is already in use`,
      };
    if (names.kind === kind) return { reason: 'KindConflict', message: `"${kind}" is already in use` };
    if (names.listKind === listKind) return { reason: 'ListKindConflict', message: `"${listKind}" is already in use` };
  }
  return undefined;
}

/** Deletes every object of a definition that is being deleted, and lets the definition go when none is left. */
async function empty({ admin, catalog }: ApiParts, definition: Definition): Promise<void> {
  const finalizers = definition.metadata?.finalizers ?? [];
  if (!finalizers.includes(cleanupFinalizer)) return;
  const { spec } = definition;
  const storage = spec.versions.find(({ served }) => served)?.name ?? '';
  const served = catalog.find({ group: spec.group, version: storage }, spec.names.plural);
  if (served) {
    const { type } = served.resource;
    const { items } = await admin.list(type);
    for (const { metadata } of items) {
      const name = { name: metadata?.name ?? '', ...(metadata?.namespace && { namespace: metadata.namespace }) };
      await admin.delete(type, name).catch((error: unknown) => {
        if (!isStatusError(error, 'NotFound')) throw error;
      });
    }
    const left = await admin.list(type, { limit: 1 });
    // Their own finalizers keep them: the queue comes back.
    if (left.items.length) throw new Error(`objects of ${definition.metadata?.name} wait for their finalizers`);
  }
  const kept = draftOf(definition);
  kept.metadata!.finalizers = finalizers.filter((name) => name !== cleanupFinalizer);
  await admin.update(customResourceDefinitions, kept);
}
