import type {
  AccessScope,
  AuthenticationMode,
  LogType,
  TaintEffect,
  UpdateParam,
  UpdateType,
} from '@aws-sdk/client-eks';
import type { MetadataOptions } from '../ec2/index.ts';
import type { Tags } from '../tags.ts';
import type { ClusterScope, Scope } from './names.ts';

/** `eks/clusters/<account>/<region>/<name>`. The API writes what is wanted, `cluster-reconciler.ts` writes `status`, `port` and the certificate. */
export interface ClusterRecord extends Scope {
  readonly name: string;
  /** Unique for ever, of lower-case hexadecimal digits: names the cluster's keys in the store and its OIDC issuer. */
  readonly id: string;
  readonly status: 'CREATING' | 'ACTIVE' | 'UPDATING' | 'DELETING' | 'FAILED';
  /** Why it failed. */
  readonly issue?: string;
  /** `1.34`. */
  readonly version: string;
  readonly roleArn: string;
  readonly vpcId: string;
  readonly network: ClusterNetwork;
  /** The group that the cluster made for its nodes and their pods. */
  readonly securityGroupId: string;
  readonly serviceCidr: string;
  readonly authenticationMode: AuthenticationMode;
  readonly bootstrapsCreator: boolean;
  readonly supportType: 'STANDARD' | 'EXTENDED';
  readonly isDeletionProtected: boolean;
  /** Logs of the control plane that go to CloudWatch Logs; absent in records from before there were any. */
  readonly logTypes?: readonly LogType[];
  readonly tags: Tags;
  readonly createdAt: number;
  /** Loopback port of its API server, chosen once. */
  readonly port?: number;
  readonly certificateAuthorityPem?: string;
}

export interface ClusterNetwork {
  readonly subnetIds: readonly string[];
  readonly securityGroupIds: readonly string[];
  readonly endpointPublicAccess: boolean;
  readonly endpointPrivateAccess: boolean;
  readonly publicAccessCidrs: readonly string[];
}

/** `eks/cluster-keys/<account>/<region>/<name>`: what the API server proves itself with. Read by the control plane alone. */
export interface ClusterKeys {
  readonly clusterId: string;
  readonly ca: { readonly certificatePem: string; readonly keyPem: string };
  readonly serviceAccountKey: { readonly privateKeyPem: string; readonly publicKeyPem: string };
}

export interface NodeTaint {
  readonly key: string;
  readonly value?: string;
  readonly effect: TaintEffect;
}

/** What a version of a launch template says of nodes. */
export interface NodegroupTemplate {
  readonly id: string;
  readonly name: string;
  readonly version: number;
  readonly instanceType?: string;
  /** Empty: the cluster's own. */
  readonly securityGroupIds: readonly string[];
  readonly tags: Tags;
  readonly assignsPublicIp?: boolean;
  readonly metadataOptions: MetadataOptions;
}

export interface NodegroupRecord extends ClusterScope {
  readonly name: string;
  readonly id: string;
  readonly status: 'CREATING' | 'ACTIVE' | 'UPDATING' | 'DELETING' | 'DEGRADED' | 'CREATE_FAILED';
  readonly issues: readonly {
    readonly code: string;
    readonly message: string;
    readonly resourceIds: readonly string[];
  }[];
  readonly version: string;
  /** Counts changes of what an instance is made from: an instance of an older generation is replaced. */
  readonly generation: number;
  readonly nodeRole: string;
  readonly subnetIds: readonly string[];
  /** The launch template its instances are made from, as of the version that is named. */
  readonly template?: NodegroupTemplate;
  readonly instanceTypes: readonly string[];
  readonly amiType: string;
  readonly capacityType: 'ON_DEMAND' | 'SPOT';
  readonly diskSizeGiB: number;
  readonly scaling: { readonly minSize: number; readonly maxSize: number; readonly desiredSize: number };
  readonly labels: { readonly [key: string]: string };
  readonly taints: readonly NodeTaint[];
  readonly update: { readonly maxUnavailable?: number; readonly maxUnavailablePercentage?: number };
  readonly repairsNodes: boolean;
  readonly tags: Tags;
  readonly createdAt: number;
  readonly modifiedAt: number;
}

export interface FargateProfileRecord extends ClusterScope {
  readonly name: string;
  readonly id: string;
  readonly status: 'ACTIVE' | 'DELETING';
  readonly podExecutionRoleArn: string;
  readonly subnetIds: readonly string[];
  readonly selectors: readonly { readonly namespace: string; readonly labels: { readonly [key: string]: string } }[];
  readonly tags: Tags;
  readonly createdAt: number;
}

/** `eks/access-entries/<account>/<region>/<cluster>/<principal ARN>`. */
export interface AccessEntryRecord extends ClusterScope {
  readonly principalArn: string;
  readonly id: string;
  readonly type: 'STANDARD' | 'EC2_LINUX' | 'EC2_WINDOWS' | 'FARGATE_LINUX';
  readonly username: string;
  readonly groups: readonly string[];
  readonly policies: readonly AssociatedPolicy[];
  readonly tags: Tags;
  readonly createdAt: number;
  readonly modifiedAt: number;
}

export interface AssociatedPolicy {
  readonly policyArn: string;
  readonly scope: { readonly type: NonNullable<AccessScope['type']>; readonly namespaces: readonly string[] };
  readonly associatedAt: number;
  readonly modifiedAt: number;
}

/** `eks/pod-identities/<account>/<region>/<cluster>/<id>`. */
export interface PodIdentityRecord extends ClusterScope {
  readonly id: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly roleArn: string;
  /** Sessions are not told of their pod. */
  readonly isUntagged?: boolean;
  readonly tags: Tags;
  readonly createdAt: number;
  readonly modifiedAt: number;
}

export interface AddonRecord extends ClusterScope {
  readonly name: string;
  readonly id: string;
  readonly version: string;
  readonly tags: Tags;
  readonly createdAt: number;
  readonly modifiedAt: number;
}

/** `eks/updates/<account>/<region>/<cluster>/<id>`: a change of a cluster, of one of its node groups, or of an add-on. */
export interface UpdateRecord extends ClusterScope {
  readonly id: string;
  readonly nodegroup?: string;
  readonly addon?: string;
  readonly type: UpdateType;
  readonly params: readonly UpdateParam[];
  readonly status: 'InProgress' | 'Successful' | 'Failed';
  readonly errors: readonly { readonly errorCode: 'Unknown'; readonly errorMessage: string }[];
  readonly createdAt: number;
}

/**
 * `eks/nodes/<account>/<region>/<cluster>/<node id>`: a place that is, was or will be a node of the cluster. Written by the reconciler that made it.
 *
 * `active`: to be used. `draining`: its pods are being moved away. `leaving`: the kubelet was told to end. `ending`: the instance was told to end.
 */
export interface NodeRecord extends ClusterScope {
  /** The EC2 instance id; a made-up one for Fargate. */
  readonly id: string;
  readonly nodeName: string;
  readonly machineId: string;
  readonly networkInterfaceId: string;
  readonly owner:
    | { readonly kind: 'nodegroup'; readonly name: string; readonly generation: number }
    | {
        readonly kind: 'fargate';
        readonly profile: string;
        readonly pod: { readonly namespace: string; readonly name: string; readonly uid: string };
      };
  readonly phase: 'active' | 'draining' | 'leaving' | 'ending';
  /** When the phase began. */
  readonly since: number;
  readonly createdAt: number;
}

/** `eks/pod-addresses/<account>/<region>/<node id>/<pod uid>`. */
export interface PodAddressRecord {
  readonly networkInterfaceId: string;
  readonly namespace: string;
  readonly name: string;
  readonly serviceAccount: string;
  readonly clusterId: string;
  /** The cluster's place: `<account>/<region>/<cluster>`. */
  readonly clusterKey: string;
  readonly nodeId: string;
}
