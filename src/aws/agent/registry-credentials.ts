import { DabbaError, isDabbaError } from '#base';
import type { SandboxSpec } from '#node';
import type { JsonClient } from './json-client.ts';
import type { RoleCredentials } from './role-credentials.ts';
import type { Credentials } from './signed-request.ts';

const ECR_HOST = /^\d{12}\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com$/;

interface Asking {
  readonly client: JsonClient;
  readonly signal: AbortSignal;
  /** A session of the role that pulls. */
  readonly credentials: () => Promise<Credentials>;
}

/**
 * User and password for pulling an image from a private ECR repository, with the rights of a role. Undefined for every other registry, the public gallery included: those are
 * pulled from anonymously.
 */
export async function registryCredentials(
  image: string,
  { client, signal, credentials }: Asking,
): Promise<{ readonly username: string; readonly password: string } | undefined> {
  const region = ECR_HOST.exec(image.slice(0, image.indexOf('/')))?.[1];
  if (!region) return undefined;
  const answer = await client.call({
    service: 'ecr',
    target: 'AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken',
    region,
    input: {},
    credentials: await credentials(),
    signal,
  });
  return readToken(answer);
}

/** The same with the rights of a task's execution role. Throws `PermissionDenied` when the task has no such role. */
export async function taskRegistryCredentials(
  sandbox: SandboxSpec,
  image: string,
  {
    client,
    roles,
    signal,
  }: { readonly client: JsonClient; readonly roles: RoleCredentials; readonly signal: AbortSignal },
): Promise<{ readonly username: string; readonly password: string } | undefined> {
  const credentials = async () => {
    try {
      return await roles.execution(sandbox.identity, signal);
    } catch (error) {
      if (!isDabbaError(error, 'FailedPrecondition')) throw error;
      throw new DabbaError(
        'PermissionDenied',
        `the task has no execution role, which pulling ${image} from a private ECR repository needs`,
        { cause: error },
      );
    }
  };
  return await registryCredentials(image, { client, signal, credentials });
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
