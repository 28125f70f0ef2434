import type { Clock } from '#base';
import type { BlobStore } from '#blob';
import type { Store } from '#store';
import { blobMethods } from './blobs.ts';
import { collectGarbage } from './collect.ts';
import { manifestMethods } from './manifests.ts';
import { BlobPins } from './pins.ts';
import { Records } from './records.ts';
import type { Collected, RegistryContent } from './registry.ts';
import { repositoryMethods } from './repositories.ts';

/**
 * The content of all registries over a store and blobs. One is made for a blob store: it knows of the pushes under way, which a collection
 * of garbage must leave alone.
 */
export function createRegistryContent(options: {
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly clock: Clock;
}): RegistryContent {
  const { blobs } = options;
  const state = {
    store: options.store,
    records: new Records(options.store),
    clock: options.clock,
    pins: new BlobPins(),
  };
  let collecting: Promise<unknown> = Promise.resolve();
  return {
    ...repositoryMethods(state),
    ...manifestMethods(state, blobs),
    ...blobMethods(state, blobs),
    collectGarbage() {
      const collected: Promise<Collected> = collecting.then(() => collectGarbage(state, blobs, state.pins));
      collecting = collected.catch(() => undefined);
      return collected;
    },
  };
}
