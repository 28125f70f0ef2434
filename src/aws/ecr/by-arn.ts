import { isDabbaError, parseArn } from '#base';
import type { CallContext } from '../service.ts';
import { openRepository, type Target } from './operation.ts';
import type { EcrState } from './repository.ts';
import { invalidParameter } from './validation.ts';

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
