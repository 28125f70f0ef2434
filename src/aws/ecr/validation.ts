import { isAccountId, type AccountId } from '#base';
import { AwsError } from '../errors.ts';
import type { RegistryScope } from './hosts.ts';

/** ECR's words for input that its model's constraints refuse. */
export function invalidParameter(member: string, constraint: string): AwsError {
  return new AwsError(
    'InvalidParameterException',
    `Invalid parameter at '${member}' failed to satisfy constraint: '${constraint}'`,
  );
}

const namePattern = '(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*';
const name = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;

/** A repository's name (API reference, CreateRepository). */
export function repositoryName(text: string | undefined, member = 'repositoryName'): string {
  if (text === undefined || text.length < 2)
    throw invalidParameter(member, 'Member must have length greater than or equal to 2');
  if (text.length > 256) throw invalidParameter(member, 'Member must have length less than or equal to 256');
  if (!name.test(text)) throw invalidParameter(member, `must satisfy regular expression '${namePattern}'`);
  return text;
}

/** The registry that a call is about: the caller's own unless `registryId` says otherwise. */
export function registryScope(registryId: string | undefined, caller: RegistryScope): RegistryScope {
  if (registryId === undefined) return { account: caller.account, region: caller.region };
  return { account: accountId(registryId), region: caller.region };
}

export function accountId(text: string): AccountId {
  if (!isAccountId(text)) throw invalidParameter('registryId', "must satisfy regular expression '[0-9]{12}'");
  return text;
}

/** How many rows one page may have; ECR's default is 100, its most 1000. */
export function pageLimit(maxResults: number | undefined): number {
  const limit = maxResults ?? 100;
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000)
    throw invalidParameter('maxResults', 'Member must be between 1 and 1000');
  return limit;
}

/** Throws for more entries than a batch may have. */
export function batch<T>(member: string, entries: readonly T[] | undefined, most = 100): readonly T[] {
  if (!entries?.length || entries.length > most)
    throw invalidParameter(member, `Member must have length between 1 and ${most}`);
  return entries;
}
