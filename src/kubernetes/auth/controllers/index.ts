/** The controllers that access to a cluster rests on. */
import type { Controller, ControllerParts } from '../../controllers/controller.ts';
import type { Credentials } from '../certificates.ts';
import type { ServiceAccountTokens } from '../service-account-tokens.ts';
import type { Authorizer } from '../user.ts';
import { certificateRequestController } from './certificate-requests.ts';
import { clusterRoleAggregationController } from './cluster-role-aggregation.ts';
import { rootCertificateController } from './root-certificate.ts';
import { serviceAccountController } from './service-accounts.ts';
import { tokenSecretController } from './token-secrets.ts';

export interface AccessControllerParts extends ControllerParts {
  /** The cluster's own: what it signs with, and what pods are told to trust. */
  readonly authority: Credentials;
  readonly authorizer: Authorizer;
  readonly tokens: ServiceAccountTokens;
}

export function accessControllers(parts: AccessControllerParts): readonly Controller[] {
  return [
    serviceAccountController(parts),
    rootCertificateController(parts, parts.authority.certificatePem),
    clusterRoleAggregationController(parts),
    certificateRequestController(parts),
    tokenSecretController({ ...parts, certificatePem: parts.authority.certificatePem }),
  ];
}
