import type { Clock, Logger, Random } from '#base';
import type { Store } from '#store';
import type { Identities } from '../auth/index.ts';
import type { VpcNetwork } from '../ec2/index.ts';
import { defineService, type ServiceDefinition } from '../service.ts';
import { accessEntryHandlers } from './access-entries.ts';
import { addonHandlers } from './addons.ts';
import { clusterHandlers } from './clusters.ts';
import { fargateProfileHandlers } from './fargate-profiles.ts';
import { identityProviderHandlers } from './identity-providers.ts';
import { nodegroupHandlers } from './nodegroups.ts';
import { permissions } from './permissions.ts';
import { podIdentityHandlers } from './pod-identities.ts';
import { eksCollections, type EksState } from './state.ts';
import { taggingHandlers } from './tagging.ts';
import { updateHandlers } from './updates.ts';
import { versionHandlers } from './versions.ts';

export interface EksOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly network: VpcNetwork;
  readonly identities: Identities;
}

export interface Eks {
  readonly definition: ServiceDefinition;
}

/** Amazon EKS: clusters of `#kubernetes`, and nodes for them. */
export function createEks(options: EksOptions): Eks {
  const state: EksState = { ...options, ...eksCollections(options.store) };
  const definition = defineService<typeof import('@aws-sdk/client-eks')>({
    name: 'eks',
    signingNames: ['eks'],
    eventSource: 'eks.amazonaws.com',
    loadSdk: () => import('@aws-sdk/client-eks'),
    validationCode: 'InvalidParameterException',
    idempotency: {
      operations: ['CreateCluster', 'CreateNodegroup', 'CreateFargateProfile', 'CreatePodIdentityAssociation'],
      mismatchCode: 'InvalidParameterException',
    },
    handlers: {
      ...clusterHandlers(state),
      ...updateHandlers(state),
      ...nodegroupHandlers(state),
      ...fargateProfileHandlers(state),
      ...accessEntryHandlers(state),
      ...podIdentityHandlers(state),
      ...addonHandlers(state),
      ...identityProviderHandlers(state),
      ...taggingHandlers(state),
      ...versionHandlers,
    },
    permissions: permissions(state),
  });
  return { definition };
}
