import type { ResourceType } from '../object.ts';

/** What a cluster serves now, custom resources included: for those who must look at everything (garbage collection, namespaces, quotas). */
export interface ServedResources {
  /** Every resource that can be listed, watched and deleted, once, in the version that is stored. */
  all(): readonly ResourceType[];
  /** The resource of an owner reference's kind; undefined when it is not served. */
  ofKind(apiVersion: string, kind: string): ResourceType | undefined;
  /** Calls `listener` after every change until the returned function is called. */
  onChange(listener: () => void): () => void;
}
