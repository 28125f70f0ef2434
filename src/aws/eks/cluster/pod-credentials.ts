/**
 * What EKS puts into pods as they are admitted, so that the AWS SDKs inside find credentials: for a service account with a role of its own (IAM roles for service
 * accounts: Amazon EKS User Guide, "pod identity webhook"), or for one with a pod identity association.
 */
import type { AdmissionPlugin, ObjectName, types } from '#kubernetes';
import { ENDPOINT_URL, POD_IDENTITY_ADDRESS } from '../../vpc-addresses.ts';
import { idIn } from '../names.ts';
import type { ClusterRecord } from '../records.ts';
import type { EksState } from '../state.ts';

const ROLE_ANNOTATION = 'eks.amazonaws.com/role-arn';
const AUDIENCE_ANNOTATION = 'eks.amazonaws.com/audience';
const EXPIRATION_ANNOTATION = 'eks.amazonaws.com/token-expiration';

/** Whom the tokens are for by which pods with an association ask for credentials. */
export const AGENT_AUDIENCE = 'pods.eks.amazonaws.com';

interface Injection {
  readonly volume: string;
  readonly directory: string;
  readonly file: string;
  readonly audience: string;
  readonly expirationSeconds: number;
  readonly environment: { readonly [name: string]: string };
}

export interface PodCredentialsParts {
  readonly state: Pick<EksState, 'podIdentities'>;
  readonly cluster: ClusterRecord;
  serviceAccount(name: ObjectName): Promise<types.ServiceAccount>;
}

export function podCredentials(parts: PodCredentialsParts): AdmissionPlugin {
  return {
    name: 'EKSPodCredentials',
    async mutate({ operation, type, subresource, object, namespace = '' }) {
      const isNewPod = operation === 'CREATE' && type.group === '' && type.resource === 'pods' && !subresource;
      if (!isNewPod) return object!;
      const pod: types.Pod = object!;
      const injection = await injectionFor(parts, namespace, pod.spec?.serviceAccountName ?? 'default');
      return injection ? injected(pod, injection) : pod;
    },
  };
}

async function injectionFor(
  parts: PodCredentialsParts,
  namespace: string,
  serviceAccount: string,
): Promise<Injection | undefined> {
  const { cluster, state } = parts;
  const regional = {
    AWS_REGION: cluster.region,
    AWS_DEFAULT_REGION: cluster.region,
    AWS_STS_REGIONAL_ENDPOINTS: 'regional',
    AWS_ENDPOINT_URL: ENDPOINT_URL,
  };
  const associations = await state.podIdentities.list(idIn({ ...cluster, cluster: cluster.name }, ''));
  const isAssociated = associations.some(
    ({ value }) => value.namespace === namespace && value.serviceAccount === serviceAccount,
  );
  if (isAssociated) {
    const directory = '/var/run/secrets/pods.eks.amazonaws.com/serviceaccount';
    const file = 'eks-pod-identity-token';
    return {
      volume: 'eks-pod-identity-token',
      directory,
      file,
      audience: AGENT_AUDIENCE,
      expirationSeconds: 86_400,
      environment: {
        ...regional,
        AWS_CONTAINER_CREDENTIALS_FULL_URI: `http://${POD_IDENTITY_ADDRESS}/v1/credentials`,
        AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: `${directory}/${file}`,
      },
    };
  }
  const { metadata } = await parts.serviceAccount({ namespace, name: serviceAccount });
  const roleArn = metadata?.annotations?.[ROLE_ANNOTATION];
  if (!roleArn) return undefined;
  const directory = '/var/run/secrets/eks.amazonaws.com/serviceaccount';
  return {
    volume: 'aws-iam-token',
    directory,
    file: 'token',
    audience: metadata.annotations?.[AUDIENCE_ANNOTATION] ?? 'sts.amazonaws.com',
    expirationSeconds: Number(metadata.annotations?.[EXPIRATION_ANNOTATION]) || 86_400,
    environment: { ...regional, AWS_ROLE_ARN: roleArn, AWS_WEB_IDENTITY_TOKEN_FILE: `${directory}/token` },
  };
}

function injected(pod: types.Pod, injection: Injection): types.Pod {
  const { spec } = pod;
  if (!spec || spec.volumes?.some(({ name }) => name === injection.volume)) return pod;
  const into = (container: types.Container): types.Container => intoContainer(container, injection);
  const token = { audience: injection.audience, expirationSeconds: injection.expirationSeconds, path: injection.file };
  return {
    ...pod,
    spec: {
      ...spec,
      containers: spec.containers.map(into),
      ...(spec.initContainers && { initContainers: spec.initContainers.map(into) }),
      volumes: [
        ...(spec.volumes ?? []),
        { name: injection.volume, projected: { defaultMode: 0o644, sources: [{ serviceAccountToken: token }] } },
      ],
    },
  };
}

/** What the pod says itself stands. */
function intoContainer(container: types.Container, { volume, directory, environment }: Injection): types.Container {
  const own = new Set(container.env?.map(({ name }) => name));
  const added = Object.entries(environment).filter(([name]) => !own.has(name));
  return {
    ...container,
    env: [...(container.env ?? []), ...added.map(([name, value]) => ({ name, value }))],
    volumeMounts: [...(container.volumeMounts ?? []), { name: volume, mountPath: directory, readOnly: true }],
  };
}
