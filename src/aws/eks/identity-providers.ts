import type { Handlers } from '../service.ts';
import { findCluster } from './find-cluster.ts';
import { notFound } from './names.ts';
import type { EksState } from './state.ts';

/** Outside OIDC providers are not built: associating one answers 501, so there never is any. */
export function identityProviderHandlers(state: EksState) {
  return {
    async ListIdentityProviderConfigs(input, context) {
      await findCluster(state, context, input.clusterName);
      return { identityProviderConfigs: [] };
    },
    async DescribeIdentityProviderConfig(input, context) {
      await findCluster(state, context, input.clusterName);
      throw notFound(`No Identity Provider Config found for name: ${input.identityProviderConfig?.name}`);
    },
    async DisassociateIdentityProviderConfig(input, context) {
      await findCluster(state, context, input.clusterName);
      throw notFound(`No Identity Provider Config found for name: ${input.identityProviderConfig?.name}`);
    },
  } satisfies Handlers<typeof import('@aws-sdk/client-eks')>;
}
