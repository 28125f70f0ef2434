import type { Digest } from '#base';
import type { BlobStore } from '#blob';
import { chainIdsOf } from '../snapshot/chain.ts';
import type { LayerStore } from '../snapshot/layers.ts';
import type { ImageUsers } from './internals.ts';
import type { ImageStore } from './store.ts';

export interface GarbageParts {
  readonly blobs: BlobStore;
  readonly layers: LayerStore;
  readonly store: ImageStore;
  readonly users: ImageUsers;
  /** Diff IDs of a recorded image. */
  readonly diffIdsOf: (id: Digest) => readonly Digest[];
  /** True once somebody relies on what is here; the collection then stops at once, its work half done. */
  readonly isHeld: () => boolean;
}

/**
 * Removes every layer and blob that no image, container or cached build step reaches: first the layers, then the memory of their blobs,
 * then the blobs, so that stopping anywhere leaves only more garbage. Returns the chain IDs removed.
 */
export async function collectGarbage(parts: GarbageParts): Promise<readonly Digest[]> {
  const { blobs, layers, store, users, diffIdsOf, isHeld } = parts;
  const ids = Object.keys(store.index.images) as Digest[]; // keys of `images` are digests
  const chains = new Set<Digest>(ids.flatMap((id) => chainIdsOf(diffIdsOf(id))));
  for (const chainId of await users.chainsInUse())
    for (const layer of layers.chain(chainId) ?? []) chains.add(layer.chainId);

  const unreached = layers.list().filter(({ chainId }) => !chains.has(chainId));
  const removed: Digest[] = [];
  for (const { chainId } of unreached) {
    if (isHeld()) return removed;
    await layers.remove(chainId);
    removed.push(chainId);
  }

  if (isHeld()) return removed;
  const diffIds = new Set<string>(layers.list().map(({ diffId }) => diffId));
  await store.update((index) => {
    const kept = Object.entries(index.layers).filter(([diffId]) => diffIds.has(diffId));
    return kept.length === Object.keys(index.layers).length ? index : { ...index, layers: Object.fromEntries(kept) };
  });

  const { index } = store;
  const reached = new Set<string>([
    ...Object.keys(index.images),
    ...Object.values(index.images).flatMap(({ manifest }) => manifest?.digest ?? []),
    ...Object.values(index.layers).map(({ digest }) => digest),
  ]);
  for await (const { digest } of blobs.list()) {
    if (isHeld()) break;
    if (!reached.has(digest)) await blobs.remove(digest);
  }
  return removed;
}
