import type { Principal } from '../auth/index.ts';
import { defineService, type ServiceDefinition } from '../service.ts';

/** Makes a registry password for a principal; ECR's own tokens serve both. */
export type TokenIssuer = (principal: Principal) => Promise<{ readonly token: string; readonly expiresAt: number }>;

/**
 * ECR Public as far as pulls and `docker login public.ecr.aws` need it. Accounts have no public repositories of their own yet, so every other
 * operation is absent.
 */
export function createEcrPublic({ issueToken }: { readonly issueToken: TokenIssuer }): ServiceDefinition {
  return defineService<typeof import('@aws-sdk/client-ecr-public')>({
    name: 'ecr-public',
    signingNames: ['ecr-public'],
    eventSource: 'ecr-public.amazonaws.com',
    loadSdk: () => import('@aws-sdk/client-ecr-public'),
    permissions: (operation) => [
      { action: `ecr-public:${operation}`, resources: ['*'] },
      // The public registry's tokens are bearer tokens of STS (ECR Public User Guide, "Registry authentication").
      ...(operation === 'GetAuthorizationToken' ? [{ action: 'sts:GetServiceBearerToken', resources: ['*'] }] : []),
    ],
    handlers: {
      async GetAuthorizationToken(_, { principal }) {
        const { token, expiresAt } = await issueToken(principal);
        const authorizationToken = Buffer.from(`AWS:${token}`).toString('base64');
        return { authorizationData: { authorizationToken, expiresAt: new Date(expiresAt) } };
      },
    },
  });
}
