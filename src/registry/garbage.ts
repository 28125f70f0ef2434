import type { Logger } from '#base';
import type { Reconciler } from '#reconcile';
import type { RegistryContent } from './registry.ts';

const EVERYTHING = 'blobs';
/** What was too young to be taken grows old without an event. */
const AGAIN_MS = 60 * 60 * 1000;

/** Frees what repositories no longer use: at the start, when links or manifests go, and every hour. */
export function garbageReconciler(content: RegistryContent, logger: Logger): Reconciler {
  const onRemoval = { keysOf: ({ value }: { readonly value: Uint8Array | undefined }) => (value ? [] : [EVERYTHING]) };
  return {
    name: 'registry-garbage',
    sources: ['registry/links/', 'registry/manifests/'].map((prefix) => ({ prefix, ...onRemoval })),
    concurrency: 1,
    async *events(signal) {
      yield EVERYTHING;
      if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    },
    async reconcile() {
      const { unlinked, removedBlobs, freedBytes } = await content.collectGarbage();
      if (removedBlobs > 0) logger.info('collected registry garbage', { unlinked, removedBlobs, freedBytes });
      return { afterMs: AGAIN_MS };
    },
  };
}
