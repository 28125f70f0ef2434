import { DabbaError, type AccountId, type Digest } from '#base';
import type { RegistryCaller, RegistryEvent, RegistryOperation, RegistryPolicy } from '#registry';
import type { Principal } from '../auth/index.ts';
import { authorizeGallery, GALLERY, isGalleryHost, requireGalleryRepository } from '../ecr-public/index.ts';
import { refusalOf } from './access.ts';
import { hostnameOf, resolveRepository, scopeOf, type RegistryScope } from './hosts.ts';
import { immutableTagMessage } from './images.ts';
import { findRepository, isTagMutable, repositoryArn, repositoryMissing, type EcrState } from './repository.ts';
import type { Grant } from './tokens.ts';

/** One operation over the distribution protocol, under the name that ECR's API has for it. */
export interface EcrAuditEvent {
  readonly eventName: string;
  readonly readOnly: boolean;
  readonly principal: Principal;
  readonly account: AccountId;
  readonly region: string;
  readonly repositoryName: string;
  readonly repositoryArn: string;
  readonly sourceIp: string;
  readonly userAgent: string;
  readonly digest?: Digest;
  readonly tag?: string;
  /** `AccessDenied`, `RepositoryNotFoundException` or the distribution protocol's code. */
  readonly errorCode?: string;
}

/** The API operation, and so the IAM action, that each of the protocol's stands for (ECR User Guide, "Required IAM permissions for pushing"). */
const operationNames: { readonly [Operation in RegistryOperation]: string } = {
  'blob-head': 'BatchCheckLayerAvailability',
  'blob-get': 'GetDownloadUrlForLayer',
  'blob-upload-start': 'InitiateLayerUpload',
  'blob-upload-part': 'UploadLayerPart',
  'blob-upload-complete': 'CompleteLayerUpload',
  'blob-delete': 'BatchDeleteImage',
  'manifest-head': 'BatchGetImage',
  'manifest-get': 'BatchGetImage',
  'manifest-put': 'PutImage',
  'manifest-delete': 'BatchDeleteImage',
  'tags-list': 'ListImages',
  'referrers-list': 'ListImageReferrers',
};

const readOnly = /^(Batch(Check|Get)|Get|List)/;

export interface PolicyOptions {
  /** The registry that a loopback host without account and region means. */
  readonly home: RegistryScope;
  readonly audit?: ((event: EcrAuditEvent) => void) | undefined;
}

/** ECR's answers to what the registry asks: private registries by IAM, the public gallery by its own rules. */
export function registryPolicy(state: EcrState, { home, audit }: PolicyOptions): RegistryPolicy {
  return {
    resolve: (host, name) => resolveRepository(host, name, home),

    async authenticate(authorization) {
      const grant = await state.tokens.verify(authorization);
      return grant && { principal: grant };
    },

    challenge(host) {
      if (isGalleryHost(hostnameOf(host))) return undefined;
      return `Basic realm="https://${host}/",service="ecr.amazonaws.com"`;
    },

    async authorize(caller, repository, operation) {
      const grant = grantOf(caller);
      if (repository.registry === GALLERY) return authorizeGallery(grant?.principal, repository, operation);
      if (!grant) throw new DabbaError('Unauthenticated', 'Not Authorized');
      const { principal, only } = grant;
      if (only && (only.operation !== operation || only.repositoryArn !== repositoryArn(repository)))
        throw new DabbaError('PermissionDenied', 'The download URL is for another layer.');
      const record = (await findRepository(state, repository))?.value;
      const action = `ecr:${operationNames[operation]}`;
      const refusal = await refusalOf(state, { principal, action, repository, record });
      if (refusal !== undefined) throw new DabbaError('PermissionDenied', refusal);
    },

    async requireRepository(repository, action) {
      if (repository.registry === GALLERY) return await requireGalleryRepository(state.content, repository, action);
      if (!(await findRepository(state, repository))) throw new DabbaError('NotFound', repositoryMissing(repository));
    },

    async checkTagChange(repository, tag) {
      if (repository.registry === GALLERY) return;
      const found = await findRepository(state, repository);
      if (found && !isTagMutable(found.value, tag))
        throw new DabbaError('Conflict', immutableTagMessage(repository.name, tag));
    },

    observed(event) {
      const told = auditEventOf(event);
      if (told) audit?.(told);
    },
  };
}

function grantOf(caller: RegistryCaller | undefined): Grant | undefined {
  return caller?.principal as Grant | undefined; // `authenticate` put it there
}

/** Undefined for the gallery, which belongs to no account and so has no trail. */
function auditEventOf({
  repository,
  operation,
  caller,
  errorCode,
  ...facts
}: RegistryEvent): EcrAuditEvent | undefined {
  const grant = grantOf(caller);
  if (repository.registry === GALLERY || !grant) return undefined;
  const { account, region } = scopeOf(repository);
  const eventName = operationNames[operation];
  return {
    ...facts,
    eventName,
    readOnly: readOnly.test(eventName),
    principal: grant.principal,
    account,
    region,
    repositoryName: repository.name,
    repositoryArn: repositoryArn(repository),
    ...(errorCode !== undefined && { errorCode: auditCodes[errorCode] ?? errorCode }),
  };
}

const auditCodes: { readonly [code: string]: string } = {
  DENIED: 'AccessDenied',
  NAME_UNKNOWN: 'RepositoryNotFoundException',
  MANIFEST_UNKNOWN: 'ImageNotFoundException',
  BLOB_UNKNOWN: 'LayersNotFoundException',
  MANIFEST_BLOB_UNKNOWN: 'LayersNotFoundException',
};
