import type { Clock } from '#base';
import type { BlobStore } from '#blob';
import type { Store } from '#store';
import { blobMethods } from './blobs.ts';
import { manifestMethods } from './manifests.ts';
import { Records } from './records.ts';
import type { RegistryContent } from './registry.ts';
import { repositoryMethods } from './repositories.ts';

/**
 * The content of all registries over a store and blobs. It holds no state of its own beside a cache of manifest bytes, so any number may be
 * made over the same store: one for the server, one for ECR's API.
 */
export function createRegistryContent(options: {
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly clock: Clock;
}): RegistryContent {
  const state = { store: options.store, records: new Records(options.store), clock: options.clock };
  return {
    ...repositoryMethods(state),
    ...manifestMethods(state, options.blobs),
    ...blobMethods(state, options.blobs),
  };
}
