import type { Clock, Logger, Random } from '#base';
import { Collection, type Store } from '#store';
import type { Identities } from '../auth/index.ts';
import type { EndedCluster, KubeletRecord } from '#kubernetes/kubelet';
import type { Instances, LaunchTemplates, VpcNetwork } from '../ec2/index.ts';
import type {
  AccessEntryRecord,
  AddonRecord,
  ClusterKeys,
  ClusterRecord,
  FargateProfileRecord,
  NodegroupRecord,
  NodeRecord,
  PodAddressRecord,
  PodIdentityRecord,
  UpdateRecord,
} from './records.ts';

/** What every operation and reconciler of the service needs. Every id has the account as a whole segment. */
export interface EksState {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly network: VpcNetwork;
  readonly instances: Instances;
  readonly launchTemplates: LaunchTemplates;
  readonly identities: Identities;
  readonly clusters: Collection<ClusterRecord>;
  readonly clusterKeys: Collection<ClusterKeys>;
  readonly nodegroups: Collection<NodegroupRecord>;
  readonly fargateProfiles: Collection<FargateProfileRecord>;
  readonly accessEntries: Collection<AccessEntryRecord>;
  readonly podIdentities: Collection<PodIdentityRecord>;
  readonly addons: Collection<AddonRecord>;
  readonly updates: Collection<UpdateRecord>;
  readonly nodes: Collection<NodeRecord>;
  readonly podAddresses: Collection<PodAddressRecord>;
  /** What the host is told to be: `kubernetes/kubelet/ports.ts`. Ids are `<machineId>/<node id>`. */
  readonly kubelets: Collection<KubeletRecord>;
  /** Likewise, by cluster id: what of hosts has to be removed. */
  readonly endedClusters: Collection<EndedCluster>;
}

export function eksCollections(store: Store) {
  return {
    clusters: new Collection<ClusterRecord>(store, 'eks/clusters/'),
    clusterKeys: new Collection<ClusterKeys>(store, 'eks/cluster-keys/'),
    nodegroups: new Collection<NodegroupRecord>(store, 'eks/nodegroups/'),
    fargateProfiles: new Collection<FargateProfileRecord>(store, 'eks/fargate-profiles/'),
    accessEntries: new Collection<AccessEntryRecord>(store, 'eks/access-entries/'),
    podIdentities: new Collection<PodIdentityRecord>(store, 'eks/pod-identities/'),
    addons: new Collection<AddonRecord>(store, 'eks/addons/'),
    updates: new Collection<UpdateRecord>(store, 'eks/updates/'),
    nodes: new Collection<NodeRecord>(store, 'eks/nodes/'),
    podAddresses: new Collection<PodAddressRecord>(store, 'eks/pod-addresses/'),
    kubelets: new Collection<KubeletRecord>(store, 'node/kubelets/'),
    endedClusters: new Collection<EndedCluster>(store, 'node/ended-clusters/'),
  };
}
