/** What each of the cluster's signers will sign. Kubernetes documentation, "Certificate Signing Requests", "Kubernetes signers". */
import type { CertificateSigningRequest } from '../../types.ts';
import type { Purpose, SigningRequest } from '../certificates.ts';

export interface Signer {
  readonly purposes: readonly Purpose[];
  /** What is wrong with a request; undefined for a good one. */
  problemOf(request: SigningRequest, usages: readonly string[]): string | undefined;
}

type Spec = CertificateSigningRequest['spec'];

export const signers: ReadonlyMap<string, Signer> = new Map<string, Signer>([
  [
    'kubernetes.io/kube-apiserver-client',
    {
      purposes: ['client auth'],
      problemOf: (_request, usages) =>
        usages.includes('client auth') && !usages.includes('server auth')
          ? undefined
          : 'usages did not match [client auth]',
    },
  ],
  [
    'kubernetes.io/kube-apiserver-client-kubelet',
    {
      purposes: ['client auth'],
      problemOf: (request, usages) =>
        nodeProblem(request) ?? namesProblem(request) ?? usageProblem(usages, 'client auth'),
    },
  ],
  [
    'kubernetes.io/kubelet-serving',
    {
      purposes: ['server auth'],
      problemOf: (request, usages) =>
        nodeProblem(request) ?? servingProblem(request) ?? usageProblem(usages, 'server auth'),
    },
  ],
]);

/** True for a node that asks a serving certificate in its own name. */
export function asksForItself({ username, groups }: Spec, request: SigningRequest): boolean {
  return username === request.commonName && !!groups?.includes('system:nodes');
}

function nodeProblem({ commonName, organizations }: SigningRequest): string | undefined {
  if (organizations.length !== 1 || organizations[0] !== 'system:nodes')
    return 'subject organization is not system:nodes';
  return commonName.startsWith('system:node:') ? undefined : 'subject common name does not begin with system:node:';
}

function namesProblem({ dnsNames, emailAddresses, ipAddresses, uris }: SigningRequest): string | undefined {
  if (dnsNames.length > 0) return 'DNS subjectAltNames are not allowed';
  if (emailAddresses.length > 0) return 'Email subjectAltNames are not allowed';
  if (ipAddresses.length > 0) return 'IP subjectAltNames are not allowed';
  return uris.length > 0 ? 'URI subjectAltNames are not allowed' : undefined;
}

function servingProblem({ dnsNames, emailAddresses, ipAddresses, uris }: SigningRequest): string | undefined {
  if (dnsNames.length === 0 && ipAddresses.length === 0) return 'DNS or IP subjectAltName is required';
  if (emailAddresses.length > 0) return 'Email subjectAltNames are not allowed';
  return uris.length > 0 ? 'URI subjectAltNames are not allowed' : undefined;
}

/** The purpose, a signature, perhaps the encipherment that RSA keys need, and nothing else. */
function usageProblem(usages: readonly string[], purpose: Purpose): string | undefined {
  const allowed = new Set<string>([purpose, 'digital signature', 'key encipherment']);
  const isRight =
    usages.includes(purpose) && usages.includes('digital signature') && usages.every((usage) => allowed.has(usage));
  return isRight ? undefined : `usages did not match [${purpose} digital signature key encipherment]`;
}
