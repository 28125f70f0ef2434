import { repositoryKey } from '#registry';
import { AwsError } from '../../errors.ts';
import { page } from '../../page.ts';
import type { Handlers } from '../../service.ts';
import { openRepository, type Target } from '../operation.ts';
import type { EcrState } from '../repository.ts';
import { pageLimit } from '../validation.ts';
import { expiring } from './evaluate.ts';
import { parseLifecyclePolicy } from './policy.ts';

/** Operations on what says which images of a repository go by themselves. */
export function lifecycleHandlers(state: EcrState) {
  const { records, previews, runs, content, clock } = state;

  return {
    async PutLifecyclePolicy(input, context) {
      const { seen, names } = await openRepository(state, 'PutLifecyclePolicy', input, context);
      parseLifecyclePolicy(input.lifecyclePolicyText);
      const lifecyclePolicy = input.lifecyclePolicyText!;
      await records.update(seen.id, (record) => ({ ...record, lifecyclePolicy }));
      return { ...names, lifecyclePolicyText: lifecyclePolicy };
    },

    async GetLifecyclePolicy(input, context) {
      const target = await openRepository(state, 'GetLifecyclePolicy', input, context);
      const run = await runs.get(target.seen.id);
      return {
        ...target.names,
        lifecyclePolicyText: policyOf(target),
        lastEvaluatedAt: new Date(run?.value.evaluatedAt ?? 0),
      };
    },

    async DeleteLifecyclePolicy(input, context) {
      const target = await openRepository(state, 'DeleteLifecyclePolicy', input, context);
      const lifecyclePolicyText = policyOf(target);
      const run = await runs.get(target.seen.id);
      await records.update(target.seen.id, ({ lifecyclePolicy: _gone, ...rest }) => rest);
      return { ...target.names, lifecyclePolicyText, lastEvaluatedAt: new Date(run?.value.evaluatedAt ?? 0) };
    },

    async StartLifecyclePolicyPreview(input, context) {
      const target = await openRepository(state, 'StartLifecyclePolicyPreview', input, context);
      const policyText = input.lifecyclePolicyText ?? policyOf(target);
      parseLifecyclePolicy(policyText);
      await state.store.txn({ success: [previews.put(target.seen.id, { policyText, startedAt: clock.now() })] });
      return { ...target.names, lifecyclePolicyText: policyText, status: 'IN_PROGRESS' };
    },

    /** What the policy of the preview would expire of what is there now, had it been run when the preview was started. */
    async GetLifecyclePolicyPreview(input, context) {
      const { names, repository } = await openRepository(state, 'GetLifecyclePolicyPreview', input, context);
      const preview = (await previews.get(repositoryKey(repository)))?.value;
      if (!preview)
        throw new AwsError(
          'LifecyclePolicyPreviewNotFoundException',
          `Lifecycle policy preview does not exist for the repository with name '${names.repositoryName}' in the registry with id '${names.registryId}'`,
        );
      const images = await content.listManifests(repository);
      const all = expiring(parseLifecyclePolicy(preview.policyText), images, preview.startedAt);
      const wanted = input.imageIds?.map(({ imageDigest, imageTag }) => imageDigest ?? imageTag);
      const { tagStatus = 'ANY' } = input.filter ?? {};
      const shown = all
        .filter(({ image }) => tagStatus === 'ANY' || tagStatus === (image.tags.length ? 'TAGGED' : 'UNTAGGED'))
        .filter(({ image }) => !wanted || [image.digest, ...image.tags].some((name) => wanted.includes(name)));
      const options = { token: input.nextToken, limit: pageLimit(input.maxResults) };
      const { items, nextToken } = page(
        shown.toSorted((a, b) => (a.image.digest < b.image.digest ? -1 : 1)),
        { ...options, key: ({ image }) => image.digest },
      );
      return {
        ...names,
        lifecyclePolicyText: preview.policyText,
        status: 'COMPLETE',
        nextToken,
        previewResults: items.map(({ image, priority }) => ({
          imageTags: [...image.tags],
          imageDigest: image.digest,
          imagePushedAt: new Date(image.pushedAt),
          action: { type: 'EXPIRE' as const },
          appliedRulePriority: priority,
        })),
        summary: { expiringImageTotalCount: all.length },
      };
    },
  } satisfies Handlers<typeof import('@aws-sdk/client-ecr')>;
}

function policyOf({ record, names }: Target): string {
  if (record.lifecyclePolicy !== undefined) return record.lifecyclePolicy;
  throw new AwsError(
    'LifecyclePolicyNotFoundException',
    `Lifecycle policy does not exist for the repository with name '${names.repositoryName}' in the registry with id '${names.registryId}'`,
  );
}
