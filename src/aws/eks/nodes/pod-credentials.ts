/** What the EKS Pod Identity agent answers: credentials of the role that is associated with a pod's service account. */
import { DabbaError } from '#base';
import { verifyIdentityToken, type SessionCredentials } from '../../auth/index.ts';
import { SessionCache } from '../../session-cache.ts';
import { AGENT_AUDIENCE } from '../cluster/pod-credentials.ts';
import { issuerOf } from '../cluster-view.ts';
import { issuerKey } from '../issuer-key.ts';
import { clusterArn, scopeOfId, idIn, podIdentityArn, type ClusterScope } from '../names.ts';
import type { PodIdentityRecord } from '../records.ts';
import type { RunningClusters } from '../running-clusters.ts';
import type { EksState } from '../state.ts';

/**
 * Who asks: by the address the question comes from, which nobody else in the VPC can have, and by the token that was put into the pod. Pods on a node's network have the
 * node's address, and are told apart by their tokens: the agent of EKS serves them too, as it listens on that network.
 */
export interface PodCredentialsRequest {
  readonly vpcId: string;
  readonly address: string;
  readonly token: string;
}

const SESSION_MS = 6 * 3_600_000;

/** Throws `NotFound` for who is no pod or has no association, STS's errors for a token that is not good, `PermissionDenied` for another's, and IAM's refusal. */
export type PodCredentials = (request: PodCredentialsRequest) => Promise<SessionCredentials>;

/** A pod that asks often has one session until that is about to end; who asks is checked each time. */
export function podIdentityCredentials(state: EksState, clusters: RunningClusters): PodCredentials {
  const kept = new SessionCache<SessionCredentials>(() => state.clock.now());
  return async (request) => {
    const { pod, association } = await associatedPod(state, clusters, request);
    const { id, roleArn, isUntagged = false } = association;
    // A role that is made anew under its name is another, for which sessions of the old one are no good.
    const role = await state.identities.describeRole(roleArn);
    return await kept.of(
      `${pod.clusterKey} ${pod.uid} ${id} ${roleArn} ${role?.roleId} ${isUntagged}`,
      async () => await issue(state, pod, association),
    );
  };
}

/** The pod that asks. */
interface AskingPod {
  readonly clusterKey: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly serviceAccount: string;
}

interface AssociatedPod {
  readonly pod: AskingPod;
  readonly association: PodIdentityRecord;
}

async function associatedPod(
  state: EksState,
  clusters: RunningClusters,
  { vpcId, address, token }: PodCredentialsRequest,
): Promise<AssociatedPod> {
  const place = await placeAt(state, vpcId, address);
  const cluster = place && (await state.clusters.get(place.clusterKey));
  if (!place || cluster?.value.id !== place.clusterId)
    throw new DabbaError('NotFound', `no pod has the address ${address}`);
  const claims = await verifyIdentityToken(token, {
    issuerKeys: (issuer) => issuerKey(state, issuer),
    now: state.clock.now(),
  });
  const pod = place.pod ?? (await hostNetworkPod(place, clusters, claims.payload));
  const isOwn =
    claims.iss === issuerOf(cluster.value) &&
    claims.aud.includes(AGENT_AUDIENCE) &&
    claims.sub === `system:serviceaccount:${pod?.namespace}:${pod?.serviceAccount}`;
  if (!pod || !isOwn) throw new DabbaError('PermissionDenied', 'the token is not the one of this pod');
  const associations = await state.podIdentities.list(idIn(scopeOfId(pod.clusterKey), ''));
  const found = associations.find(
    ({ value }) => value.namespace === pod.namespace && value.serviceAccount === pod.serviceAccount,
  )?.value;
  if (!found)
    throw new DabbaError('NotFound', `${pod.namespace}/${pod.serviceAccount} has no pod identity association`);
  return { pod, association: found };
}

async function issue(state: EksState, pod: AskingPod, association: PodIdentityRecord): Promise<SessionCredentials> {
  const scope = scopeOfId(pod.clusterKey);
  return await state.identities.issueRoleSession({
    roleArn: association.roleArn,
    sessionName: `eks-${scope.cluster}-${pod.name}`.replaceAll(/[^\w+=,.@-]/g, '-').slice(0, 64),
    service: AGENT_AUDIENCE,
    durationMs: SESSION_MS,
    ...(!association.isUntagged && { sessionTags: tagsOf(scope, pod) }),
    context: { 'aws:SourceAccount': scope.account, 'aws:SourceArn': podIdentityArn(scope, association.id) },
  });
}

/** What policies may ask of a session: Amazon EKS User Guide, "Grant Pods access to AWS resources based on tags". */
function tagsOf(scope: ClusterScope, pod: AskingPod): { readonly [key: string]: string } {
  return {
    'eks-cluster-arn': clusterArn(scope, scope.cluster),
    'eks-cluster-name': scope.cluster,
    'kubernetes-namespace': pod.namespace,
    'kubernetes-service-account': pod.serviceAccount,
    'kubernetes-pod-name': pod.name,
    'kubernetes-pod-uid': pod.uid,
  };
}

/** What is at an address of a VPC: a pod, or a node, where every pod on the node's own network asks from. */
interface Place {
  readonly clusterKey: string;
  readonly clusterId: string;
  readonly pod?: AskingPod;
  readonly nodeName?: string;
}

async function placeAt(state: EksState, vpcId: string, address: string): Promise<Place | undefined> {
  const eni = await state.network.interfaceAt(vpcId, address);
  if (!eni?.cluster) return undefined;
  const pods = await state.podAddresses.list(`${eni.tenant}/${eni.region}/`);
  const pod = pods.find(({ value }) => value.networkInterfaceId === eni.id);
  if (pod) return { ...pod.value, pod: { ...pod.value, uid: pod.id.split('/').at(-1)! } };
  const kubelets = (await state.kubelets.list()).map(({ value }) => value);
  const node = kubelets.find(
    ({ tenant, networkInterfaceId }) => tenant === eni.tenant && networkInterfaceId === eni.id,
  );
  if (!node) return undefined;
  const { tenant, region, cluster, nodeName } = node;
  return { clusterKey: `${tenant}/${region}/${cluster.name}`, clusterId: cluster.id, nodeName };
}

/** The pod on the node's own network that the token was made for; undefined if it is not there (any more). */
async function hostNetworkPod(
  { clusterKey, clusterId, nodeName }: Place,
  clusters: RunningClusters,
  { 'kubernetes.io': bound }: { readonly [claim: string]: unknown },
): Promise<AskingPod | undefined> {
  // The token's signature was checked: these are the claims of an API server.
  const { namespace = '', pod: claimed } = (bound ?? {}) as BoundClaims;
  const running = clusters.get(clusterKey, clusterId);
  if (!running || !claimed) return undefined;
  const { resources } = await import('#kubernetes');
  const copy = running.informers.of(resources.pods);
  await copy.synced();
  const pod = copy.get(`${namespace}/${claimed.name}`);
  const isThere =
    pod?.metadata?.uid === claimed.uid && pod.spec?.nodeName === nodeName && pod.spec?.hostNetwork === true;
  if (!isThere) return undefined;
  const serviceAccount = pod.spec?.serviceAccountName ?? 'default';
  return { clusterKey, namespace, name: claimed.name, uid: claimed.uid, serviceAccount };
}

interface BoundClaims {
  readonly namespace?: string;
  readonly pod?: { readonly name: string; readonly uid: string };
}
