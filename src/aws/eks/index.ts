import type { Clock, Logger, Random } from '#base';
import type { Store } from '#store';
import type { Identities, SessionCredentials } from '../auth/index.ts';
import type { Reconciler } from '#reconcile';
import type { NetworkInterface } from '#network';
import type { Instances, LaunchTemplates, VpcNetwork } from '../ec2/index.ts';
import type { ServiceBalancers } from '../elbv2/index.ts';
import type { ServiceLogs } from '../logs/index.ts';
import { defineService, type ServiceDefinition } from '../service.ts';
import { accessEntryHandlers } from './access-entries.ts';
import { addonHandlers } from './addons.ts';
import { clusterAccess, type ClusterAccess } from './cluster-access.ts';
import { createCallerTokens } from './cluster/caller-token.ts';
import { LogDeliveries } from './cluster/log-delivery.ts';
import type { KubeletDialer } from './cluster/ports.ts';
import { issuerKey } from './issuer-key.ts';
import { clusterReconciler } from './cluster-reconciler.ts';
import { clusterHandlers } from './clusters.ts';
import { fargateReconciler } from './fargate-reconciler.ts';
import { fargateProfileHandlers } from './fargate-profiles.ts';
import { identityProviderHandlers } from './identity-providers.ts';
import { nodegroupReconciler } from './nodegroup-reconciler.ts';
import { nodegroupHandlers } from './nodegroups.ts';
import { nodeCredentials } from './nodes/credentials.ts';
import { assignPodAddress, releasePodAddress, type PodAddressRequest } from './nodes/pod-addresses.ts';
import { permissions } from './permissions.ts';
import { podIdentityHandlers } from './pod-identities.ts';
import { podIdentityCredentials, type PodCredentials } from './nodes/pod-credentials.ts';
import { RunningClusters, type ClusterStarter } from './running-clusters.ts';
import { eksCollections, type EksState } from './state.ts';
import { summarize, type ClusterSummary } from './summary.ts';
import { taggingHandlers } from './tagging.ts';
import { updateHandlers } from './updates.ts';
import { versionHandlers } from './versions.ts';

export type { KubeletDialer } from './cluster/ports.ts';
export type { PodAddressRequest } from './nodes/pod-addresses.ts';
export type { ClusterStarter, RunningCluster } from './running-clusters.ts';
export type { ClusterAccess } from './cluster-access.ts';
export type { ClusterSummary } from './summary.ts';

export interface EksOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly network: VpcNetwork;
  readonly instances: Instances;
  readonly launchTemplates: LaunchTemplates;
  readonly identities: Identities;
  /** Who may sign cluster tokens that pods show. */
  readonly guestIdentities: Pick<Identities, 'find'>;
  /** Brings a control plane up: `#kubernetes`, put together by the composition root. */
  readonly startCluster: ClusterStarter;
  readonly dialKubelet: KubeletDialer;
  /** Where control planes' logs go; without it, nowhere. */
  readonly logs?: ServiceLogs;
  /** Load balancers in front of services; without them, services that ask for one wait. */
  readonly balancers?: ServiceBalancers;
}

export interface Eks {
  readonly definition: ServiceDefinition;
  /** To be run by the one loop; each may run again at any time. */
  readonly reconcilers: readonly Reconciler[];
  /** What kubelets of this machine ask for their pods: see `nodes/pod-addresses.ts`. */
  assignPodAddress(request: PodAddressRequest): Promise<NetworkInterface>;
  releasePodAddress(request: Parameters<typeof releasePodAddress>[1]): Promise<void>;
  /** A session of a node's own role, for what its machine does in its name. */
  nodeCredentials(node: { readonly machineId: string; readonly nodeId: string }): Promise<SessionCredentials>;
  /** The public key, in PEM, of the cluster whose tokens have this issuer; undefined for any other. */
  issuerKey(issuer: string): Promise<string | undefined>;
  /** A session of the role that is associated with a pod's service account: see `nodes/pod-credentials.ts` for what it throws. */
  readonly podCredentials: PodCredentials;
  /** Every cluster in a line. */
  summary(): Promise<readonly ClusterSummary[]>;
  /** How to reach every cluster that has been up. */
  access(): Promise<readonly ClusterAccess[]>;
  /** Stops every control plane. What they keep stays, and so do nodes and pods. */
  stop(): Promise<void>;
}

/** Those whose input has a `clientRequestToken`. */
const tokenOperations = [
  'CreateCluster',
  'UpdateClusterConfig',
  'UpdateClusterVersion',
  'CreateNodegroup',
  'UpdateNodegroupConfig',
  'UpdateNodegroupVersion',
  'CreateFargateProfile',
  'CreateAddon',
  'UpdateAddon',
  'CreateAccessEntry',
  'UpdateAccessEntry',
  'CreatePodIdentityAssociation',
  'UpdatePodIdentityAssociation',
];

/** Amazon EKS: clusters of `#kubernetes`, and nodes for them. */
export function createEks(options: EksOptions): Eks {
  const { startCluster, dialKubelet, balancers, guestIdentities, logs: keeper, ...rest } = options;
  const state: EksState = { ...rest, ...eksCollections(options.store) };
  const clusters = new RunningClusters();
  const logs = keeper && new LogDeliveries({ logs: keeper, clock: state.clock, logger: state.logger });
  const callers = createCallerTokens({ ...state, guestIdentities });
  const definition = defineService<typeof import('@aws-sdk/client-eks')>({
    name: 'eks',
    signingNames: ['eks'],
    eventSource: 'eks.amazonaws.com',
    loadSdk: () => import('@aws-sdk/client-eks'),
    validationCode: 'InvalidParameterException',
    idempotency: Object.fromEntries(tokenOperations.map((name) => [name, 'InvalidParameterException'])),
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
  return {
    definition,
    reconcilers: [
      clusterReconciler({ state, clusters, callers, startCluster, dialKubelet, balancers, logs }),
      nodegroupReconciler({ state, clusters }),
      fargateReconciler({ state, clusters }),
    ],
    assignPodAddress: (request) => assignPodAddress(state, request),
    releasePodAddress: (request) => releasePodAddress(state, request),
    nodeCredentials: (node) => nodeCredentials(state, node),
    issuerKey: (issuer) => issuerKey(state, issuer),
    podCredentials: podIdentityCredentials(state, clusters),
    summary: () => summarize(state, clusters),
    access: () => clusterAccess(state),
    async stop() {
      await clusters.stopAll();
      await logs?.idle();
    },
  };
}
