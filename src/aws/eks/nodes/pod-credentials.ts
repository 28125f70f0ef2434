/** What the EKS Pod Identity agent answers: credentials of the role that is associated with a pod's service account. */
import { DabbaError } from '#base';
import type { Versioned } from '#store';
import { verifyIdentityToken, type SessionCredentials } from '../../auth/index.ts';
import { SessionCache } from '../../session-cache.ts';
import { AGENT_AUDIENCE } from '../cluster/pod-credentials.ts';
import { issuerOf } from '../cluster-view.ts';
import { issuerKey } from '../issuer-key.ts';
import { clusterArn, scopeOfId, idIn, podIdentityArn, type ClusterScope } from '../names.ts';
import type { PodAddressRecord, PodIdentityRecord } from '../records.ts';
import type { EksState } from '../state.ts';

/** Who asks: by the address the question comes from, which nobody else in the VPC can have, and by the token that was put into the pod. */
export interface PodCredentialsRequest {
  readonly vpcId: string;
  readonly address: string;
  readonly token: string;
}

const SESSION_MS = 6 * 3_600_000;

/** Throws `NotFound` for who is no pod or has no association, STS's errors for a token that is not good, `PermissionDenied` for another's, and IAM's refusal. */
export type PodCredentials = (request: PodCredentialsRequest) => Promise<SessionCredentials>;

/** A pod that asks often has one session until that is about to end; who asks is checked each time. */
export function podIdentityCredentials(state: EksState): PodCredentials {
  const kept = new SessionCache<SessionCredentials>(() => state.clock.now());
  return async (request) => {
    const { pod, association } = await associatedPod(state, request);
    const { id, roleArn, isUntagged = false } = association;
    // A role that is made anew under its name is another, for which sessions of the old one are no good.
    const role = await state.identities.describeRole(roleArn);
    return await kept.of(
      `${pod.id} ${id} ${roleArn} ${role?.roleId} ${isUntagged}`,
      async () => await issue(state, pod, association),
    );
  };
}

interface AssociatedPod {
  readonly pod: Versioned<PodAddressRecord>;
  readonly association: PodIdentityRecord;
}

async function associatedPod(
  state: EksState,
  { vpcId, address, token }: PodCredentialsRequest,
): Promise<AssociatedPod> {
  const seen = await podAt(state, vpcId, address);
  const pod = seen?.value;
  const scope = pod && scopeOfId(pod.clusterKey);
  const cluster = pod && (await state.clusters.get(pod.clusterKey));
  if (!seen || !pod || !scope || cluster?.value.id !== pod.clusterId)
    throw new DabbaError('NotFound', `no pod has the address ${address}`);
  const claims = await verifyIdentityToken(token, {
    issuerKeys: (issuer) => issuerKey(state, issuer),
    now: state.clock.now(),
  });
  const isOwn =
    claims.iss === issuerOf(cluster.value) &&
    claims.aud.includes(AGENT_AUDIENCE) &&
    claims.sub === `system:serviceaccount:${pod.namespace}:${pod.serviceAccount}`;
  if (!isOwn) throw new DabbaError('PermissionDenied', 'the token is not the one of this pod');
  const associations = await state.podIdentities.list(idIn(scope, ''));
  const found = associations.find(
    ({ value }) => value.namespace === pod.namespace && value.serviceAccount === pod.serviceAccount,
  )?.value;
  if (!found)
    throw new DabbaError('NotFound', `${pod.namespace}/${pod.serviceAccount} has no pod identity association`);
  return { pod: seen, association: found };
}

async function issue(
  state: EksState,
  pod: Versioned<PodAddressRecord>,
  association: PodIdentityRecord,
): Promise<SessionCredentials> {
  const scope = scopeOfId(pod.value.clusterKey);
  return await state.identities.issueRoleSession({
    roleArn: association.roleArn,
    sessionName: `eks-${scope.cluster}-${pod.value.name}`.replaceAll(/[^\w+=,.@-]/g, '-').slice(0, 64),
    service: AGENT_AUDIENCE,
    durationMs: SESSION_MS,
    ...(!association.isUntagged && { sessionTags: tagsOf(scope, pod) }),
    context: { 'aws:SourceAccount': scope.account, 'aws:SourceArn': podIdentityArn(scope, association.id) },
  });
}

/** What policies may ask of a session: Amazon EKS User Guide, "Grant Pods access to AWS resources based on tags". */
function tagsOf(scope: ClusterScope, { id, value }: Versioned<PodAddressRecord>): { readonly [key: string]: string } {
  return {
    'eks-cluster-arn': clusterArn(scope, scope.cluster),
    'eks-cluster-name': scope.cluster,
    'kubernetes-namespace': value.namespace,
    'kubernetes-service-account': value.serviceAccount,
    'kubernetes-pod-name': value.name,
    'kubernetes-pod-uid': id.split('/').at(-1) ?? '',
  };
}

async function podAt(
  state: EksState,
  vpcId: string,
  address: string,
): Promise<Versioned<PodAddressRecord> | undefined> {
  const eni = await state.network.interfaceAt(vpcId, address);
  if (!eni?.cluster) return undefined;
  const all = await state.podAddresses.list(`${eni.tenant}/${eni.region}/`);
  return all.find(({ value }) => value.networkInterfaceId === eni.id);
}
