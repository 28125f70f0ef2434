import { isDabbaError, type Logger } from '#base';
import { RegistryError, type RepositoryName } from '#registry';
import type { Reconciler } from '#reconcile';
import type { EcrState } from '../repository.ts';
import { expiring } from './evaluate.ts';
import { parseLifecyclePolicy } from './policy.ts';

/** Images become old without an event. ECR itself takes up to a day. */
const EVERY_MS = 3_600_000;

/** Deletes the images that the policies of repositories say. Keys are those of repositories (`repositoryKey`). */
export function lifecycleReconciler(state: EcrState, logger: Logger): Reconciler {
  const { records, runs, content, clock, store } = state;
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
      const found = expiring(parseLifecyclePolicy(policyText), await content.listManifests(repository), now);
      for (const { image, priority } of found) {
        const { digest, tags } = image;
        // What got or lost a tag meanwhile is another rule's, perhaps.
        const seen = await content.findManifest(repository, digest);
        if (seen?.tags.join(' ') !== tags.join(' ')) continue;
        if (!(await isDeleted(content.deleteManifest(repository, digest)))) continue;
        logger.info('an image expired', { repository: key, digest, rulePriority: priority });
      }
      await store.txn({ success: [runs.put(key, { evaluatedAt: now })] });
    },
  };
}

/** Whether a deletion was done: not of what somebody else deleted or an index came to name meanwhile. */
async function isDeleted(deletion: Promise<void>): Promise<boolean> {
  try {
    await deletion;
    return true;
  } catch (error) {
    if (isDabbaError(error, 'NotFound') || (error instanceof RegistryError && error.parents)) return false;
    throw error;
  }
}
