import type { AccessPolicy } from '@aws-sdk/client-eks';

/** What a policy allows: the resources of some API groups and the verbs on them. `*` is any. */
export interface PolicyRule {
  readonly groups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

/** One of the access policies that AWS manages: Amazon EKS User Guide, "Review access policy permissions". */
export interface ManagedAccessPolicy {
  readonly name: string;
  readonly arn: string;
  readonly rules: readonly PolicyRule[];
  /** Paths that are no resources (`/metrics`), when the policy is given for the whole cluster. */
  readonly allowsPaths: boolean;
}

const read = ['get', 'list', 'watch'];
const write = ['create', 'delete', 'deletecollection', 'patch', 'update'];
const everything = [...read, ...write];

const workloads: readonly Omit<PolicyRule, 'verbs'>[] = [
  {
    groups: [''],
    resources: [
      'configmaps',
      'endpoints',
      'events',
      'persistentvolumeclaims',
      'pods',
      'replicationcontrollers',
      'replicationcontrollers/scale',
      'serviceaccounts',
      'services',
    ],
  },
  {
    groups: ['apps'],
    resources: [
      'daemonsets',
      'deployments',
      'deployments/rollback',
      'deployments/scale',
      'replicasets',
      'replicasets/scale',
      'statefulsets',
      'statefulsets/scale',
    ],
  },
  { groups: ['autoscaling'], resources: ['horizontalpodautoscalers'] },
  { groups: ['batch'], resources: ['cronjobs', 'jobs'] },
  { groups: ['networking.k8s.io'], resources: ['ingresses', 'networkpolicies'] },
  { groups: ['policy'], resources: ['poddisruptionbudgets'] },
];

/** What is seen of workloads and cannot be written. */
const observed: readonly PolicyRule[] = [
  {
    groups: [''],
    resources: [
      'bindings',
      'limitranges',
      'namespaces',
      'namespaces/status',
      'persistentvolumeclaims/status',
      'pods/log',
      'pods/status',
      'replicationcontrollers/status',
      'resourcequotas',
      'resourcequotas/status',
      'services/status',
    ],
    verbs: read,
  },
  { groups: ['apps'], resources: ['controllerrevisions'], verbs: read },
  {
    groups: ['apps'],
    resources: ['daemonsets/status', 'deployments/status', 'replicasets/status', 'statefulsets/status'],
    verbs: read,
  },
  { groups: ['autoscaling'], resources: ['horizontalpodautoscalers/status'], verbs: read },
  { groups: ['batch'], resources: ['cronjobs/status', 'jobs/status'], verbs: read },
  { groups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: read },
  { groups: ['networking.k8s.io'], resources: ['ingresses/status'], verbs: read },
  { groups: ['policy'], resources: ['poddisruptionbudgets/status'], verbs: read },
];

const viewRules: readonly PolicyRule[] = [...workloads.map((rule) => ({ ...rule, verbs: read })), ...observed];

const editRules: readonly PolicyRule[] = [
  ...workloads.map((rule) => ({ ...rule, verbs: everything })),
  ...observed,
  {
    groups: [''],
    resources: ['pods/attach', 'pods/exec', 'pods/portforward', 'pods/proxy', 'secrets', 'services/proxy'],
    verbs: everything,
  },
  { groups: [''], resources: ['pods/eviction'], verbs: ['create'] },
  { groups: [''], resources: ['serviceaccounts'], verbs: ['impersonate'] },
];

const adminRules: readonly PolicyRule[] = [
  ...editRules,
  { groups: [''], resources: ['serviceaccounts/token'], verbs: ['create'] },
  { groups: ['authorization.k8s.io'], resources: ['localsubjectaccessreviews'], verbs: ['create'] },
  { groups: ['rbac.authorization.k8s.io'], resources: ['rolebindings', 'roles'], verbs: everything },
];

function policy(name: string, rules: readonly PolicyRule[], allowsPaths: boolean): ManagedAccessPolicy {
  return { name, arn: `arn:aws:eks::aws:cluster-access-policy/${name}`, rules, allowsPaths };
}

const policies: readonly ManagedAccessPolicy[] = [
  policy('AmazonEKSAdminPolicy', adminRules, false),
  policy('AmazonEKSAdminViewPolicy', [{ groups: ['*'], resources: ['*'], verbs: read }], true),
  policy('AmazonEKSClusterAdminPolicy', [{ groups: ['*'], resources: ['*'], verbs: ['*'] }], true),
  policy('AmazonEKSEditPolicy', editRules, false),
  policy('AmazonEKSViewPolicy', viewRules, false),
];

export const CLUSTER_ADMIN_POLICY = 'arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy';

/** The policy with this ARN, or undefined. */
export function accessPolicy(arn: string): ManagedAccessPolicy | undefined {
  return policies.find((known) => known.arn === arn);
}

export function listAccessPolicies(): readonly AccessPolicy[] {
  return policies.map(({ name, arn }) => ({ name, arn }));
}
