import type { ApiParts, Call } from '../parts.ts';
import type { Change, ChangeType } from '../storage/change.ts';
import type { StoredObject } from '../storage/stored-object.ts';
import { cacheOf, readVersion } from './read.ts';
import { selectionOf } from './selection.ts';

export interface WatchQuery {
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  readonly resourceVersion?: string | undefined;
  readonly sendInitialEvents?: boolean | undefined;
}

/** A change as this watcher sees it. */
export interface Seen {
  readonly type: ChangeType;
  readonly change: Change;
}

export interface OpenWatch {
  /** What there is already, to be told as ADDED first; undefined when the watch begins at a version. */
  readonly initial: readonly StoredObject[] | undefined;
  /** What changed since the version asked for. */
  readonly backlog: readonly Seen[];
  /** The revision up to which `initial` and `backlog` tell everything. */
  readonly revision: number;
  readonly stop: () => void;
}

/**
 * Opens a watch: `onChange` is called, in order, with everything behind what the answer holds, until `stop`. It must not throw or wait.
 * Throws `Expired` when the version asked for is too old, `Timeout` when it lies in the future.
 */
export async function openWatch(
  parts: ApiParts,
  { resource }: Call,
  query: WatchQuery,
  onChange: (seen: Seen) => void,
): Promise<OpenWatch> {
  const { begin, test } = selectionOf(resource, query);
  const from = readVersion(query.resourceVersion);
  const cache = await cacheOf(parts, resource);
  if (from) {
    await parts.feed.waitFor(from);
    await parts.feed.recall(cache, from);
  }
  const see = (change: Change): Seen | undefined => {
    if (begin && !change.shown.path.startsWith(begin)) return undefined;
    const type = change.typeFor(test);
    return type && { type, change };
  };
  const isFromNow = !from || query.sendInitialEvents === true;
  // Nothing may happen between what is read here and the first call of the listener: no await from here on.
  const initial = isFromNow ? [...cache.range(begin)].filter((object) => !test || test(object)) : undefined;
  const backlog = isFromNow ? [] : cache.changesAfter(from).flatMap((change) => see(change) ?? []);
  const stop = cache.onChange((change) => {
    const seen = see(change);
    if (seen) onChange(seen);
  });
  return {
    initial: query.sendInitialEvents === false ? undefined : initial,
    backlog,
    revision: parts.feed.revision,
    stop,
  };
}
