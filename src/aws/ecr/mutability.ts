import type { ImageTagMutabilityExclusionFilter } from '@aws-sdk/client-ecr';
import type { RepositoryRecord, TagMutability } from './repository.ts';
import { invalidParameter } from './validation.ts';

const settings: ReadonlySet<string> = new Set<TagMutability>([
  'MUTABLE',
  'IMMUTABLE',
  'IMMUTABLE_WITH_EXCLUSION',
  'MUTABLE_WITH_EXCLUSION',
]);

/** The mutability of a repository's tags as input says it: filters with a `…_WITH_EXCLUSION` setting, and only with one. */
export function mutabilityOf(
  setting: string | undefined,
  filters: readonly ImageTagMutabilityExclusionFilter[] | undefined,
): Pick<RepositoryRecord, 'tagMutability' | 'exclusions'> {
  const tagMutability = setting ?? 'MUTABLE';
  if (!isSetting(tagMutability))
    throw invalidParameter('imageTagMutability', `Member must satisfy enum value set: [${[...settings].join(', ')}]`);
  const exclusions = (filters ?? []).map(patternOf);
  if (exclusions.length > 5)
    throw invalidParameter('imageTagMutabilityExclusionFilters', 'Member must have length less than or equal to 5');
  if (tagMutability.endsWith('_WITH_EXCLUSION') !== exclusions.length > 0)
    throw invalidParameter(
      'imageTagMutabilityExclusionFilters',
      'Filters must be given with IMMUTABLE_WITH_EXCLUSION or MUTABLE_WITH_EXCLUSION, and only with those',
    );
  return { tagMutability, exclusions };
}

function isSetting(text: string): text is TagMutability {
  return settings.has(text);
}

function patternOf({ filterType, filter }: ImageTagMutabilityExclusionFilter): string {
  if (filterType !== 'WILDCARD')
    throw invalidParameter('imageTagMutabilityExclusionFilters', 'filterType must satisfy enum value set: [WILDCARD]');
  if (!filter || !/^[0-9a-zA-Z._*-]{1,128}$/.test(filter))
    throw invalidParameter(
      'imageTagMutabilityExclusionFilters',
      "filter must satisfy regular expression '[0-9a-zA-Z._*-]{1,128}'",
    );
  return filter;
}
