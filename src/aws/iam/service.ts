import { defineService, type ServiceDefinition } from '../service.ts';
import { accessKeyHandlers } from './access-keys.ts';
import { groupHandlers } from './groups.ts';
import { holderHandlers } from './holders.ts';
import { instanceProfileHandlers } from './instance-profiles.ts';
import { oidcProviderHandlers } from './oidc-providers.ts';
import type { IamParts } from './parts.ts';
import { iamPermissions } from './permissions.ts';
import { policyHandlers } from './policies.ts';
import { roleHandlers } from './roles.ts';
import { serviceLinkedRoleHandlers } from './service-linked-roles.ts';
import { simulateHandlers } from './simulate.ts';
import { userHandlers } from './users.ts';

export function createIamService(parts: IamParts): ServiceDefinition {
  return defineService<typeof import('@aws-sdk/client-iam')>({
    name: 'iam',
    signingNames: ['iam'],
    eventSource: 'iam.amazonaws.com',
    loadSdk: () => import('@aws-sdk/client-iam'),
    handlers: {
      ...userHandlers(parts),
      ...accessKeyHandlers(parts),
      ...groupHandlers(parts),
      ...roleHandlers(parts),
      ...serviceLinkedRoleHandlers(parts),
      ...instanceProfileHandlers(parts),
      ...oidcProviderHandlers(parts),
      ...holderHandlers(parts),
      ...policyHandlers(parts),
      ...simulateHandlers(parts),
    },
    permissions: iamPermissions(parts.directory),
  });
}
