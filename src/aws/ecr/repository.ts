import { formatArn, type Arn, type Clock } from '#base';
import { repositoryKey, type RegistryContent, type RepositoryName } from '#registry';
import { Collection, type Store, type Versioned } from '#store';
import type { Repository } from '@aws-sdk/client-ecr';
import type { Authorizer } from '../auth/index.ts';
import { AwsError } from '../errors.ts';
import type { Tags } from '../tags.ts';
import { ANY, hasForm } from '../wildcard.ts';
import { registryHost, repositoryIn, scopeOf, type RegistryScope } from './hosts.ts';
import type { Tokens } from './tokens.ts';

export type TagMutability = 'MUTABLE' | 'IMMUTABLE' | 'IMMUTABLE_WITH_EXCLUSION' | 'MUTABLE_WITH_EXCLUSION';

/** What ECR keeps of a repository; its images are the registry's. */
export interface RepositoryRecord {
  readonly name: string;
  readonly createdAt: number;
  readonly tagMutability: TagMutability;
  /** Patterns of the tags that `tagMutability` does not hold for; `*` stands for any characters. */
  readonly exclusions: readonly string[];
  readonly scanOnPush: boolean;
  readonly tags: Tags;
  /** The repository's own policy, a JSON document. */
  readonly policy?: string;
  /** Which images go by themselves, a JSON document. */
  readonly lifecyclePolicy?: string;
}

/** `ecr/lifecycle-previews/<repository>`: what a preview was asked for. */
export interface PreviewRecord {
  readonly policyText: string;
  readonly startedAt: number;
}

/** `ecr/lifecycle-runs/<repository>`: when a repository's policy was run last. */
export interface LifecycleRun {
  readonly evaluatedAt: number;
}

/** What every operation works on. */
export interface EcrState {
  readonly store: Store;
  readonly records: Collection<RepositoryRecord>;
  readonly previews: Collection<PreviewRecord>;
  readonly runs: Collection<LifecycleRun>;
  readonly content: RegistryContent;
  readonly authorizer: Authorizer;
  readonly tokens: Tokens;
  readonly clock: Clock;
}

export function ecrCollections(store: Store): Pick<EcrState, 'records' | 'previews' | 'runs'> {
  return {
    records: new Collection(store, 'ecr/repositories/'),
    previews: new Collection(store, 'ecr/lifecycle-previews/'),
    runs: new Collection(store, 'ecr/lifecycle-runs/'),
  };
}

/** The record, or undefined. */
export async function findRepository(
  { records }: Pick<EcrState, 'records'>,
  repository: RepositoryName,
): Promise<Versioned<RepositoryRecord> | undefined> {
  return await records.get(repositoryKey(repository));
}

export function repositoryArn(repository: RepositoryName): Arn {
  return formatArn({ service: 'ecr', ...scopeOf(repository), resource: `repository/${repository.name}` });
}

/** True if a tag that exists may be made to point elsewhere (ECR User Guide, "Preventing image tags from being overwritten"). */
export function isTagMutable({ tagMutability, exclusions }: RepositoryRecord, tag: string): boolean {
  const isExcluded = exclusions.some((pattern) => tagMatches(pattern, tag));
  switch (tagMutability) {
    case 'MUTABLE':
      return true;
    case 'IMMUTABLE':
      return false;
    case 'IMMUTABLE_WITH_EXCLUSION':
      return isExcluded;
    default:
      return !isExcluded;
  }
}

/** Whether a tag is of a pattern, in which `*` stands for any characters. */
export function tagMatches(pattern: string, tag: string): boolean {
  return hasForm(pattern.replaceAll('*', ANY), tag);
}

export function describeRepository(scope: RegistryScope, record: RepositoryRecord): Repository {
  return {
    repositoryArn: repositoryArn(repositoryIn(scope, record.name)),
    registryId: scope.account,
    repositoryName: record.name,
    repositoryUri: `${registryHost(scope)}/${record.name}`,
    createdAt: new Date(record.createdAt),
    imageTagMutability: record.tagMutability,
    ...(record.exclusions.length > 0 && { imageTagMutabilityExclusionFilters: exclusionFilters(record) }),
    imageScanningConfiguration: { scanOnPush: record.scanOnPush },
    encryptionConfiguration: { encryptionType: 'AES256' },
  };
}

export function exclusionFilters({ exclusions }: RepositoryRecord) {
  return exclusions.map((filter) => ({ filterType: 'WILDCARD' as const, filter }));
}

/** ECR's words for an absent repository, also said over the distribution protocol. */
export function repositoryMissing(repository: RepositoryName): string {
  const { account } = scopeOf(repository);
  return `The repository with name '${repository.name}' does not exist in the registry with id '${account}'`;
}

export function repositoryNotFound(repository: RepositoryName): AwsError {
  return new AwsError('RepositoryNotFoundException', repositoryMissing(repository));
}
