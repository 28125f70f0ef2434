import { isDabbaError } from '#base';
import { repositoryKey } from '#registry';
import { AwsError } from '../errors.ts';
import { page } from '../page.ts';
import type { CallContext, Handlers } from '../service.ts';
import { mergeTags, readTags, upperCaseTags, withoutTags, type Tags } from '../tags.ts';
import { repositoryIn, type RegistryScope } from './hosts.ts';
import { openByArn } from './by-arn.ts';
import { mutabilityOf } from './mutability.ts';
import { openRepository } from './operation.ts';
import { checkPolicyText } from './policy-text.ts';
import { describeRepository, exclusionFilters, type EcrState, type RepositoryRecord } from './repository.ts';
import { batch, pageLimit, registryScope, repositoryName } from './validation.ts';

type EcrHandlers = Handlers<typeof import('@aws-sdk/client-ecr')>;

/** Operations on repositories themselves. */
export function repositoryHandlers(state: EcrState) {
  const { records, content } = state;

  async function listRepositories(scope: RegistryScope): Promise<RepositoryRecord[]> {
    const found = await records.list(`${scope.account}/${scope.region}/`);
    return found.map(({ value }) => value).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  return {
    async CreateRepository(input, context) {
      const scope = ownRegistry(input.registryId, context);
      const name = repositoryName(input.repositoryName);
      if (input.encryptionConfiguration?.encryptionType?.startsWith('KMS'))
        throw new AwsError(
          'KmsException',
          'Encryption with KMS keys is not available: dabba has no key management service',
        );
      const record: RepositoryRecord = {
        name,
        createdAt: context.now,
        ...mutabilityOf(input.imageTagMutability, input.imageTagMutabilityExclusionFilters),
        scanOnPush: input.imageScanningConfiguration?.scanOnPush ?? false,
        tags: tagsOver({}, input.tags),
      };
      const repository = repositoryIn(scope, name);
      // The place for images first: a repository that can be described can be pushed to.
      await content.createRepository(repository);
      try {
        await records.create(repositoryKey(repository), record);
      } catch (error) {
        if (!isDabbaError(error, 'AlreadyExists')) throw error;
        throw new AwsError(
          'RepositoryAlreadyExistsException',
          `The repository with name '${name}' already exists in the registry with id '${scope.account}'`,
        );
      }
      return { repository: describeRepository(scope, record) };
    },

    async DescribeRepositories(input, context) {
      if (input.repositoryNames) {
        if (input.nextToken !== undefined || input.maxResults !== undefined)
          throw new AwsError(
            'InvalidParameterException',
            'repositoryNames cannot be used with nextToken or maxResults',
          );
        const targets = batch('repositoryNames', input.repositoryNames).map(
          async (name) =>
            await openRepository(
              state,
              'DescribeRepositories',
              { registryId: input.registryId, repositoryName: name },
              context,
            ),
        );
        return {
          repositories: (await Promise.all(targets)).map(({ scope, record }) => describeRepository(scope, record)),
        };
      }
      const scope = ownRegistry(input.registryId, context);
      const { items, nextToken } = page(await listRepositories(scope), {
        token: input.nextToken,
        limit: pageLimit(input.maxResults),
        key: ({ name }) => name,
      });
      return { repositories: items.map((record) => describeRepository(scope, record)), nextToken };
    },

    async DeleteRepository(input, context) {
      const { scope, repository, record, names } = await openRepository(state, 'DeleteRepository', input, context);
      try {
        await content.deleteRepository(repository, { force: input.force ?? false });
      } catch (error) {
        if (!isDabbaError(error, 'FailedPrecondition')) throw error;
        throw new AwsError(
          'RepositoryNotEmptyException',
          `The repository with name '${names.repositoryName}' in registry with id '${names.registryId}' cannot be deleted because it still contains images`,
        );
      }
      // Last: after a crash in between, the repository is still there to be deleted again.
      const id = repositoryKey(repository);
      await state.store.txn({ success: [records.remove(id), state.previews.remove(id), state.runs.remove(id)] });
      return { repository: describeRepository(scope, record) };
    },

    async PutImageTagMutability(input, context) {
      const target = await openRepository(state, 'PutImageTagMutability', input, context);
      const mutability = mutabilityOf(input.imageTagMutability, input.imageTagMutabilityExclusionFilters);
      const { value } = await records.update(target.seen.id, (record) => ({ ...record, ...mutability }));
      return {
        ...target.names,
        imageTagMutability: value.tagMutability,
        ...(value.exclusions.length > 0 && { imageTagMutabilityExclusionFilters: exclusionFilters(value) }),
      };
    },

    async PutImageScanningConfiguration(input, context) {
      const target = await openRepository(state, 'PutImageScanningConfiguration', input, context);
      const scanOnPush = input.imageScanningConfiguration?.scanOnPush ?? false;
      await records.update(target.seen.id, (record) => ({ ...record, scanOnPush }));
      return { ...target.names, imageScanningConfiguration: { scanOnPush } };
    },

    async TagResource(input, context) {
      const { seen } = await openByArn(state, 'TagResource', input.resourceArn, context);
      await records.update(seen.id, (record) => ({ ...record, tags: tagsOver(record.tags, input.tags) }));
      return {};
    },

    async UntagResource(input, context) {
      const { seen } = await openByArn(state, 'UntagResource', input.resourceArn, context);
      await records.update(seen.id, (record) => ({ ...record, tags: withoutTags(record.tags, input.tagKeys ?? []) }));
      return {};
    },

    async ListTagsForResource(input, context) {
      const { record } = await openByArn(state, 'ListTagsForResource', input.resourceArn, context);
      return { tags: upperCaseTags(record.tags) };
    },

    async SetRepositoryPolicy(input, context) {
      const { seen, names } = await openRepository(state, 'SetRepositoryPolicy', input, context);
      const policy = checkPolicyText(input.policyText);
      await records.update(seen.id, (record) => ({ ...record, policy }));
      return { ...names, policyText: policy };
    },

    async GetRepositoryPolicy(input, context) {
      const { record, names } = await openRepository(state, 'GetRepositoryPolicy', input, context);
      if (record.policy === undefined) throw policyNotFound(names);
      return { ...names, policyText: record.policy };
    },

    async DeleteRepositoryPolicy(input, context) {
      const { seen, record, names } = await openRepository(state, 'DeleteRepositoryPolicy', input, context);
      if (record.policy === undefined) throw policyNotFound(names);
      await records.update(seen.id, ({ policy: _gone, ...rest }) => rest);
      return { ...names, policyText: record.policy };
    },
  } satisfies EcrHandlers;
}

function tagsOver(current: Tags, added: Parameters<typeof readTags>[0]): Tags {
  return mergeTags(current, readTags(added, 'InvalidTagParameterException'), 'TooManyTagsException');
}

/** Operations on a whole registry are for its own account alone: registries have no policy yet. */
function ownRegistry(registryId: string | undefined, context: CallContext): RegistryScope {
  const scope = registryScope(registryId, context);
  if (scope.account === context.account) return scope;
  throw new AwsError('AccessDeniedException', `The registry with id '${scope.account}' is not that of the caller`);
}

function policyNotFound(names: { readonly registryId: string; readonly repositoryName: string }): AwsError {
  return new AwsError(
    'RepositoryPolicyNotFoundException',
    `Repository policy does not exist for the repository with name '${names.repositoryName}' in the registry with id '${names.registryId}'`,
  );
}
