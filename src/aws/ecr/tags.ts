import type { Tag } from '@aws-sdk/client-ecr';
import { isDabbaError, parseArn } from '#base';
import type { CallContext } from '../service.ts';
import { AwsError } from '../errors.ts';
import { openRepository, type Target } from './operation.ts';
import type { EcrState } from './repository.ts';
import { invalidParameter } from './validation.ts';

const MOST_TAGS = 50;

/** Tags as input says them, over those there are. Throws `InvalidTagParameterException` or `TooManyTagsException`. */
export function mergeTags(
  existing: { readonly [key: string]: string },
  added: readonly Tag[] | undefined,
): { readonly [key: string]: string } {
  const merged = new Map(Object.entries(existing));
  for (const { Key: key, Value: value } of added ?? []) {
    if (!key || key.length > 128 || value === undefined || value.length > 256 || /^aws:/i.test(key))
      throw new AwsError('InvalidTagParameterException', `The tag with key '${key}' is not valid`);
    merged.set(key, value);
  }
  if (merged.size > MOST_TAGS)
    throw new AwsError('TooManyTagsException', `A repository can have at most ${MOST_TAGS} tags`);
  return Object.fromEntries(merged);
}

/** The repository that a tag operation's ARN names. */
export async function openByArn(
  state: EcrState,
  action: string,
  resourceArn: string | undefined,
  context: CallContext,
): Promise<Target> {
  const { registryId, name, region } = partsOf(resourceArn ?? '');
  if (region !== context.region)
    throw invalidParameter('resourceArn', `the repository is in another region, ${region}`);
  return await openRepository(state, action, { registryId, repositoryName: name }, context);
}

function partsOf(text: string): { readonly registryId: string; readonly name: string; readonly region: string } {
  const malformed = invalidParameter('resourceArn', 'Invalid resource ARN');
  try {
    const { service, region, account, resource } = parseArn(text);
    const [kind, ...name] = resource.split('/');
    if (service !== 'ecr' || kind !== 'repository') throw malformed;
    return { registryId: account, name: name.join('/'), region };
  } catch (error) {
    throw isDabbaError(error, 'InvalidArgument') ? malformed : error;
  }
}

/** Tags as output says them. */
export function tagList(tags: { readonly [key: string]: string }): Tag[] {
  return Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
}
