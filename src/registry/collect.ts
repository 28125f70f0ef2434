import type { Digest } from '#base';
import type { BlobStore } from '#blob';
import type { BlobPins } from './pins.ts';
import { digestOfId, type LinkEntry } from './records.ts';
import type { Collected } from './registry.ts';
import type { ContentState } from './repositories.ts';
import type { Versioned } from '#store';

/** A push that has found or brought its blobs has a day to put the manifest that names them. */
const UNNAMED_KEPT_MS = 24 * 60 * 60 * 1000;
/** Of blobs whose manifest was deleted: what another push found shortly before is still to be named. */
const RELEASED_KEPT_MS = 60 * 60 * 1000;

/**
 * Takes back links that no manifest needs, then the bytes that nothing reaches: no link and no manifest of any repository. A crash at any
 * instruction leaves garbage for the next time and nothing else. Blobs that are pinned meanwhile stay (`BlobPins`).
 */
export async function collectGarbage(state: ContentState, blobs: BlobStore, pins: BlobPins): Promise<Collected> {
  using collection = pins.beginCollection();
  const unlinked = await unlinkUnneeded(state);
  const reached = await reachable(state);
  let [removedBlobs, freedBytes] = [0, 0];
  for await (const { digest, sizeBytes } of blobs.list()) {
    if (reached.has(digest)) continue;
    if (!(await collection.remove(digest, () => blobs.remove(digest)))) continue;
    removedBlobs++;
    freedBytes += sizeBytes;
  }
  return { unlinked, removedBlobs, freedBytes };
}

/** Removes links to blobs that no manifest of their repository names and no push is to be waited for. Answers how many. */
async function unlinkUnneeded(state: ContentState): Promise<number> {
  const { records } = state;
  let count = 0;
  for (const repository of await records.repositories.list()) {
    const links = await records.links.list(`${repository.id}/`);
    if (links.length === 0) continue;
    const manifests = await records.manifests.list(`${repository.id}/`);
    const named = new Set(manifests.flatMap(({ value }) => value.blobs));
    for (const link of links) {
      if (named.has(digestOfId(link.id)) || !isUnneeded(link, state.clock.now())) continue;
      const { succeeded } = await state.store.txn({
        // A manifest put meanwhile has changed the repository's own record; a push that asked for the blob has changed the link.
        compare: [records.repositories.ifUnchanged(repository), records.links.ifUnchanged(link)],
        success: [records.links.remove(link.id)],
      });
      if (succeeded) count++;
    }
  }
  return count;
}

function isUnneeded({ value: { linkedAt, releasedAt } }: Versioned<LinkEntry>, now: number): boolean {
  return linkedAt < now - (releasedAt === undefined ? UNNAMED_KEPT_MS : RELEASED_KEPT_MS);
}

/** Digests that some repository links to, and those of manifests, whose bytes are blobs too. */
async function reachable({ records }: ContentState): Promise<ReadonlySet<Digest>> {
  const links = await records.links.list();
  const manifests = await records.manifests.list();
  return new Set([...links, ...manifests].map(({ id }) => digestOfId(id)));
}
