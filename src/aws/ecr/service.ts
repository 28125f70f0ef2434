import { formatArn, type AccountId, type Clock, type Logger } from '#base';
import type { Reconciler } from '#reconcile';
import type { RegistryContent, RegistryPolicy } from '#registry';
import type { Store } from '#store';
import type { Authorizer, Identities } from '../auth/index.ts';
import { createEcrPublic, type TokenIssuer } from '../ecr-public/index.ts';
import { defineService, type CallContext, type RequiredPermission, type ServiceDefinition } from '../service.ts';
import { requestTagContext, type Tags } from '../tags.ts';
import { registryHost } from './hosts.ts';
import { imageHandlers } from './images.ts';
import { layerHandlers } from './layers.ts';
import { lifecycleHandlers } from './lifecycle/handlers.ts';
import { lifecycleReconciler } from './lifecycle/reconciler.ts';
import { registryPolicy, type EcrAuditEvent } from './registry-policy.ts';
import { repositoryHandlers } from './repositories.ts';
import { ecrCollections, type EcrState } from './repository.ts';
import { createTokens } from './tokens.ts';
import { accountId, batch } from './validation.ts';

export interface EcrOptions {
  readonly store: Store;
  /** From `createRegistryContent` over the same store and blobs as the registry's. */
  readonly content: RegistryContent;
  readonly authorizer: Authorizer;
  readonly identities: Pick<Identities, 'find'>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Account and region of `localhost:<port>/<repository>`; `us-east-1` unless told. */
  readonly defaultAccount: AccountId;
  readonly defaultRegion?: string;
  /** Told of each operation over the distribution protocol, for the trail; the API's own are told by the edge. */
  readonly audit?: (event: EcrAuditEvent) => void;
}

export interface Ecr {
  readonly definition: ServiceDefinition;
  /** ECR Public, whose passwords are the same. */
  readonly publicDefinition: ServiceDefinition;
  /** For `createRegistry`. */
  readonly policy: RegistryPolicy;
  /** A registry password for a principal without a call of `GetAuthorizationToken`: what nodes pull with, and what the daemon publishes with. */
  readonly issueToken: TokenIssuer;
  /** To be run by the one loop; each may run again at any time. */
  readonly reconcilers: readonly Reconciler[];
}

/** Elastic Container Registry: private repositories over the registry's content. */
export function createEcr(options: EcrOptions): Ecr {
  const { store, content, authorizer, identities, clock, audit } = options;
  const tokens = createTokens({ store, identities, clock });
  const state: EcrState = { store, ...ecrCollections(store), content, authorizer, tokens, clock };
  const home = { account: options.defaultAccount, region: options.defaultRegion ?? 'us-east-1' };
  const definition = defineService<typeof import('@aws-sdk/client-ecr')>({
    name: 'ecr',
    signingNames: ['ecr'],
    eventSource: 'ecr.amazonaws.com',
    loadSdk: () => import('@aws-sdk/client-ecr'),
    // A layer part of 20 MiB as base64, and a manifest of 4 MiB as a JSON string.
    maxBodyBytes: 32 << 20,
    permissions,
    handlers: {
      ...repositoryHandlers(state),
      ...imageHandlers(state),
      ...lifecycleHandlers(state),
      ...layerHandlers(state),

      async GetAuthorizationToken(input, { principal, account, region }) {
        const { token, expiresAt } = await tokens.issue({ principal });
        const registries = input.registryIds ? batch('registryIds', input.registryIds, 10).map(accountId) : [account];
        return {
          authorizationData: registries.map((registry) => ({
            authorizationToken: Buffer.from(`AWS:${token}`).toString('base64'),
            expiresAt: new Date(expiresAt),
            proxyEndpoint: `https://${registryHost({ account: registry, region })}`,
          })),
        };
      },
    },
  });
  const issueToken: TokenIssuer = async (principal) => await tokens.issue({ principal });
  return {
    definition,
    publicDefinition: createEcrPublic({ issueToken }),
    policy: registryPolicy(state, { home, audit }),
    issueToken,
    reconcilers: [lifecycleReconciler(state, options.logger)],
  };
}

/**
 * What the edge asks for. Operations on one repository ask by themselves, because the repository's own policy has a say that the edge does
 * not know of (`openRepository`); these here have none.
 */
function permissions(operation: string, input: unknown, context: CallContext): readonly RequiredPermission[] {
  const repositoryArn = (name: string) =>
    formatArn({ service: 'ecr', region: context.region, account: context.account, resource: `repository/${name}` });
  // The edge calls this before it has checked the input.
  const { repositoryName, repositoryNames, tags } = (input ?? {}) as { readonly [member: string]: unknown };
  switch (operation) {
    case 'GetAuthorizationToken':
      return [{ action: 'ecr:GetAuthorizationToken', resources: ['*'] }];
    case 'CreateRepository': {
      const resources = [repositoryArn(String(repositoryName))];
      const conditions = { context: requestTagContext(tagsIn(tags)) };
      return [
        { action: 'ecr:CreateRepository', resources, ...conditions },
        ...(Array.isArray(tags) && tags.length ? [{ action: 'ecr:TagResource', resources, ...conditions }] : []),
      ];
    }
    case 'DescribeRepositories':
      return Array.isArray(repositoryNames)
        ? []
        : [{ action: 'ecr:DescribeRepositories', resources: [repositoryArn('*')] }];
    default:
      return [];
  }
}

/** Whatever of the input looks like tags; the handler refuses the rest. */
function tagsIn(input: unknown): Tags {
  if (!Array.isArray(input)) return {};
  const tags = input as readonly ({ readonly Key?: unknown; readonly Value?: unknown } | null)[];
  return Object.fromEntries(tags.map((tag) => [String(tag?.Key), String(tag?.Value)]));
}
