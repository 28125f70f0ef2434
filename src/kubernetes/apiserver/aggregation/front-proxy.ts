/**
 * How the API server proves itself to servers that it passes requests on to, and how they know whom to believe. Its certificate is of an authority of its own, made at every
 * start: whoever that authority names may speak for any user. Source: Kubernetes documentation, "Configure the Aggregation Layer".
 */
import {
  type CertificateParts,
  createAuthority,
  createClientCertificate,
  type Credentials,
} from '../../auth/certificates.ts';
import type { ApiClient } from '../../client/client.ts';
import { configMaps } from '../../resources.ts';
import { isStatusError } from '../../status.ts';

const USERNAME = 'front-proxy-client';

export interface FrontProxy extends Credentials {
  readonly authorityPem: string;
}

export async function createFrontProxy(parts: CertificateParts): Promise<FrontProxy> {
  const authority = await createAuthority('front-proxy-ca', parts);
  const client = await createClientCertificate(authority, { username: USERNAME, groups: [] }, parts);
  return { ...client, authorityPem: authority.certificatePem };
}

/** Tells it to servers that extend the cluster, where they look for it. May be repeated. */
export async function publishFrontProxy(
  client: ApiClient,
  { authorityPem }: FrontProxy,
  clientAuthorityPem: string,
): Promise<void> {
  const wanted = {
    metadata: { namespace: 'kube-system', name: 'extension-apiserver-authentication' },
    data: {
      'client-ca-file': clientAuthorityPem,
      'requestheader-allowed-names': JSON.stringify([USERNAME]),
      'requestheader-client-ca-file': authorityPem,
      'requestheader-extra-headers-prefix': '["X-Remote-Extra-"]',
      'requestheader-group-headers': '["X-Remote-Group"]',
      'requestheader-username-headers': '["X-Remote-User"]',
    },
  };
  try {
    await client.create(configMaps, wanted);
  } catch (error) {
    if (!isStatusError(error, 'AlreadyExists')) throw error;
    await client.patch(configMaps, wanted.metadata, { kind: 'merge', body: { data: wanted.data } });
  }
}
