import { isDabbaError, type Logger } from '#base';
import { RegistryError, type ManifestRecord, type RepositoryName } from '#registry';
import type { Reconciler } from '#reconcile';
import type { EcrState } from '../repository.ts';
import { expiring, orphaned } from './evaluate.ts';
import { parseLifecyclePolicy } from './policy.ts';

/** Images become old without an event. ECR itself takes up to a day. */
const EVERY_MS = 3_600_000;

/** Deletes the images that the policies of repositories say. Keys are those of repositories (`repositoryKey`). */
export function lifecycleReconciler(state: EcrState, logger: Logger): Reconciler {
  const { records, runs, content, clock, store } = state;

  /** Deletes the image, and answers false if it changed, went or came to be named by an index meanwhile. */
  async function expire(repository: RepositoryName, { digest, tags }: ManifestRecord): Promise<boolean> {
    const seen = await content.findManifest(repository, digest);
    // What got or lost a tag meanwhile is another rule's, perhaps.
    if (seen?.tags.join(' ') !== tags.join(' ')) return false;
    try {
      await content.deleteManifest(repository, digest);
      return true;
    } catch (error) {
      if (isDabbaError(error, 'NotFound') || (error instanceof RegistryError && error.parents)) return false;
      throw error;
    }
  }

  return {
    name: 'ecr-lifecycle',
    sources: [{ prefix: records.prefix, keysOf: ({ key }) => [key.slice(records.prefix.length)] }],
    concurrency: 1,
    resyncMs: EVERY_MS,
    async reconcile(key) {
      const record = (await records.get(key))?.value;
      const policyText = record?.lifecyclePolicy;
      if (policyText === undefined) return;
      const repository: RepositoryName = { registry: key.slice(0, key.indexOf('/:')), name: record!.name };
      const now = clock.now();
      const images = await content.listManifests(repository);
      for (const { image, priority } of expiring(parseLifecyclePolicy(policyText), images, now))
        if (await expire(repository, image))
          logger.info('an image expired', { repository: key, digest: image.digest, rulePriority: priority });
      for (const image of orphaned(images, now))
        if (await expire(repository, image))
          logger.info('a reference artifact followed its subject', { repository: key, digest: image.digest });
      await store.txn({ success: [runs.put(key, { evaluatedAt: now })] });
    },
  };
}
