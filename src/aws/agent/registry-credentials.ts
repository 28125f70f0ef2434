import { DabbaError, isDabbaError } from '#base';
import type { SandboxSpec } from '#node';
import type { JsonClient } from './json-client.ts';
import type { RoleCredentials } from './role-credentials.ts';

const ECR_HOST = /^\d{12}\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com$/;

/**
 * User and password for pulling an image from a private ECR repository, with the rights of the task's execution role. Undefined for every
 * other registry, the public gallery included: those are pulled from anonymously. Throws `PermissionDenied` when the task has no such role.
 */
export async function registryCredentials(
  sandbox: SandboxSpec,
  image: string,
  parts: { readonly client: JsonClient; readonly roles: RoleCredentials; readonly signal: AbortSignal },
): Promise<{ readonly username: string; readonly password: string } | undefined> {
  const region = ECR_HOST.exec(image.slice(0, image.indexOf('/')))?.[1];
  if (!region) return undefined;
  const { client, roles, signal } = parts;
  const credentials = await roles.execution(sandbox.identity, signal).catch((error: unknown) => {
    if (!isDabbaError(error, 'FailedPrecondition')) throw error;
    throw new DabbaError(
      'PermissionDenied',
      `the task has no execution role, which pulling ${image} from a private ECR repository needs`,
      { cause: error },
    );
  });
  const answer = await client.call({
    service: 'ecr',
    target: 'AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken',
    region,
    input: {},
    credentials,
    signal,
  });
  return readToken(answer);
}

function readToken(answer: unknown): { readonly username: string; readonly password: string } {
  const { authorizationData } = answer as {
    readonly authorizationData?: readonly { readonly authorizationToken?: string }[];
  };
  const token = Buffer.from(authorizationData?.[0]?.authorizationToken ?? '', 'base64').toString('utf8');
  const colon = token.indexOf(':');
  if (colon < 1) throw new DabbaError('Unavailable', 'GetAuthorizationToken answered without a token');
  return { username: token.slice(0, colon), password: token.slice(colon + 1) };
}
