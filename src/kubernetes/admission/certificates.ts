/** Who may approve and sign certificate signing requests, and which subjects nobody may ask for. Upstream: `plugin/pkg/admission/certificates`. */
import { parseSigningRequest } from '../auth/certificates.ts';
import type { AdmissionPlugin, AdmissionRequest, Authorizer } from '../auth/user.ts';
import { certificateSigningRequests } from '../resources.ts';
import type { CertificateSigningRequest } from '../types.ts';
import { creates, isOf, refusal, type AdmissionParts } from './plugin.ts';

export function certificateApproval({ authorizer }: Pick<AdmissionParts, 'authorizer'>): AdmissionPlugin {
  return {
    name: 'CertificateApproval',
    async validate(request) {
      if (!isOf(request.type, certificateSigningRequests) || request.subresource !== 'approval') return [];
      const { signerName } = (request.oldObject as CertificateSigningRequest).spec;
      if (!(await maySigner(authorizer, request, 'approve', signerName)))
        throw refusal(request, `user not permitted to approve requests with signerName "${signerName}"`);
      return [];
    },
  };
}

export function certificateSigning({ authorizer }: Pick<AdmissionParts, 'authorizer'>): AdmissionPlugin {
  return {
    name: 'CertificateSigning',
    async validate(request) {
      if (!isOf(request.type, certificateSigningRequests) || request.subresource !== 'status') return [];
      const old = request.oldObject as CertificateSigningRequest;
      const { status } = request.object as CertificateSigningRequest;
      const isSigning = status?.certificate !== old.status?.certificate || failures(status) !== failures(old.status);
      if (isSigning && !(await maySigner(authorizer, request, 'sign', old.spec.signerName)))
        throw refusal(request, `user not permitted to sign requests with signerName "${old.spec.signerName}"`);
      return [];
    },
  };
}

export function certificateSubjectRestriction(): AdmissionPlugin {
  return {
    name: 'CertificateSubjectRestriction',
    async validate(request) {
      if (!creates(request, certificateSigningRequests)) return [];
      const { signerName, request: encoded } = (request.object as CertificateSigningRequest).spec;
      if (signerName !== 'kubernetes.io/kube-apiserver-client') return [];
      const { organizations } = await parseSigningRequest(Buffer.from(encoded, 'base64').toString()).catch(
        (error: unknown) => {
          throw refusal(request, `failed to parse CSR: ${error instanceof Error ? error.message : String(error)}`);
        },
      );
      if (organizations.includes('system:masters'))
        throw refusal(
          request,
          'use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed',
        );
      return [];
    },
  };
}

function failures(status: CertificateSigningRequest['status']): string {
  return JSON.stringify((status?.conditions ?? []).filter(({ type }) => type === 'Failed'));
}

/** The right to a signer by its name, or to all signers of its domain: `example.com/*`. */
async function maySigner(authorizer: Authorizer, { user }: AdmissionRequest, verb: string, signer: string) {
  const domain = `${signer.split('/')[0]}/*`;
  for (const name of [signer, domain]) {
    const { isAllowed } = await authorizer.authorize({
      kind: 'resource',
      user,
      verb,
      group: 'certificates.k8s.io',
      version: '*',
      resource: 'signers',
      name,
    });
    if (isAllowed) return true;
  }
  return false;
}
