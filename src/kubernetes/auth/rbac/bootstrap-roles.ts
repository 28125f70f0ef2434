/**
 * The roles and bindings that every cluster begins with: Kubernetes documentation, "Using RBAC Authorization", "Default roles and role bindings", and the roles
 * of v1.34. The groups that only ever held removed versions (`extensions`) are left out where the rule names a living group beside them.
 */
import type { ClusterRole, ClusterRoleBinding, Role, RoleBinding } from '../../types.ts';
import { controllerRoles } from './bootstrap-controllers.ts';
import { eventRule, paths, read, rule, write } from './bootstrap-rules.ts';
import type { PolicyRule } from './rules.ts';

const apiVersion = 'rbac.authorization.k8s.io/v1';
const aggregation = 'rbac.authorization.k8s.io/aggregate-to-';

/** What marks an object as a default: on start, what is missing in one is put back, unless the annotation says otherwise. */
const labels = { 'kubernetes.io/bootstrapping': 'rbac-defaults' };
const annotations = { 'rbac.authorization.kubernetes.io/autoupdate': 'true' };

const workloads =
  'daemonsets deployments deployments/scale replicasets replicasets/scale statefulsets statefulsets/scale';

const viewRules: readonly PolicyRule[] = [
  rule(
    read,
    'core',
    'configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods replicationcontrollers replicationcontrollers/scale serviceaccounts services services/status',
  ),
  rule(
    read,
    'core',
    'bindings events limitranges namespaces/status pods/log pods/status replicationcontrollers/status resourcequotas resourcequotas/status',
  ),
  rule(read, 'core', 'namespaces'),
  rule(read, 'discovery.k8s.io', 'endpointslices'),
  rule(
    read,
    'apps',
    'controllerrevisions daemonsets daemonsets/status deployments deployments/scale deployments/status replicasets replicasets/scale replicasets/status statefulsets statefulsets/scale statefulsets/status',
  ),
  rule(read, 'autoscaling', 'horizontalpodautoscalers horizontalpodautoscalers/status'),
  rule(read, 'batch', 'cronjobs cronjobs/status jobs jobs/status'),
  rule(read, 'policy', 'poddisruptionbudgets poddisruptionbudgets/status'),
  rule(read, 'networking.k8s.io', 'ingresses ingresses/status networkpolicies'),
  rule(read, 'resource.k8s.io', 'resourceclaims resourceclaims/status resourceclaimtemplates'),
];

const editRules: readonly PolicyRule[] = [
  rule(read, 'core', 'pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy'),
  rule('impersonate', 'core', 'serviceaccounts'),
  rule(write, 'core', 'pods pods/attach pods/exec pods/portforward pods/proxy'),
  rule('create', 'core', 'pods/eviction'),
  rule(
    write,
    'core',
    'configmaps events persistentvolumeclaims replicationcontrollers replicationcontrollers/scale secrets serviceaccounts services services/proxy',
  ),
  rule('create', 'core', 'serviceaccounts/token'),
  rule(write, 'apps', `${workloads} deployments/rollback`),
  rule(write, 'autoscaling', 'horizontalpodautoscalers'),
  rule(write, 'batch', 'cronjobs jobs'),
  rule(write, 'policy', 'poddisruptionbudgets'),
  rule(write, 'networking.k8s.io', 'ingresses networkpolicies'),
  rule(`${read} ${write}`, 'coordination.k8s.io', 'leases'),
  rule(write, 'resource.k8s.io', 'resourceclaims resourceclaimtemplates'),
];

const adminRules: readonly PolicyRule[] = [
  rule('create', 'authorization.k8s.io', 'localsubjectaccessreviews'),
  rule(`${read} ${write}`, 'rbac.authorization.k8s.io', 'rolebindings roles'),
];

/** What the Node authoriser lets every node do beside what its pods refer to; the role `system:node` shows it, bound to nobody. */
export const nodeRules: readonly PolicyRule[] = [
  rule('create', 'authentication.k8s.io', 'tokenreviews'),
  rule('create', 'authorization.k8s.io', 'localsubjectaccessreviews subjectaccessreviews'),
  rule(read, 'core', 'services'),
  rule('create get list watch', 'core', 'nodes'),
  rule('patch update', 'core', 'nodes/status'),
  rule('patch update', 'core', 'nodes'),
  rule('create patch update', 'core', 'events'),
  rule(read, 'core', 'pods'),
  rule('create delete', 'core', 'pods'),
  rule('patch update', 'core', 'pods/status'),
  rule('create', 'core', 'pods/eviction'),
  rule(read, 'core', 'configmaps secrets'),
  rule('get', 'core', 'persistentvolumeclaims persistentvolumes'),
  rule('get', 'core', 'endpoints'),
  rule('create get list watch', 'certificates.k8s.io', 'certificatesigningrequests'),
  rule('create delete get patch update', 'coordination.k8s.io', 'leases'),
  rule('get', 'storage.k8s.io', 'volumeattachments'),
  rule('create', 'core', 'serviceaccounts/token'),
  rule('get', 'core', 'serviceaccounts'),
  rule('get patch update', 'core', 'persistentvolumeclaims/status'),
  rule(read, 'storage.k8s.io', 'csidrivers'),
  rule('create delete get patch update', 'storage.k8s.io', 'csinodes'),
  rule(read, 'node.k8s.io', 'runtimeclasses'),
];

/**
 * Our nodes carry the service proxy, the cluster's DNS and the enforcement of network policies in the kubelet's own process, with its identity; elsewhere
 * these are daemon sets with service accounts of their own (`kube-proxy`, the network plugin's agent) and these very rights.
 */
const nodeNetworkRules: readonly PolicyRule[] = [
  rule(read, 'core', 'endpoints namespaces nodes pods services'),
  rule(read, 'discovery.k8s.io', 'endpointslices'),
  rule(read, 'networking.k8s.io', 'networkpolicies'),
  eventRule,
];

/** Volumes of our own provisioner lie on the machine: its kubelets remove the files of those that are no more; elsewhere a CSI driver's service account does. */
const nodeStorageRules: readonly PolicyRule[] = [rule('list watch', 'core', 'persistentvolumes')];

const delegatedAuth = [
  rule('create', 'authentication.k8s.io', 'tokenreviews'),
  rule('create', 'authorization.k8s.io', 'subjectaccessreviews'),
];

const approver = (signer: string) => [rule('approve', 'certificates.k8s.io', 'signers', `kubernetes.io/${signer}`)];

const rulesOfRoles: { readonly [name: string]: readonly PolicyRule[] } = {
  'cluster-admin': [rule('*', '*', '*'), paths('*', '*')],
  'system:aggregate-to-admin': adminRules,
  'system:aggregate-to-edit': editRules,
  'system:aggregate-to-view': viewRules,
  'system:auth-delegator': delegatedAuth,
  'system:basic-user': [
    rule('create', 'authorization.k8s.io', 'selfsubjectaccessreviews selfsubjectrulesreviews'),
    rule('create', 'authentication.k8s.io', 'selfsubjectreviews'),
  ],
  'system:certificates.k8s.io:certificatesigningrequests:nodeclient': [
    rule('create', 'certificates.k8s.io', 'certificatesigningrequests/nodeclient'),
  ],
  'system:certificates.k8s.io:certificatesigningrequests:selfnodeclient': [
    rule('create', 'certificates.k8s.io', 'certificatesigningrequests/selfnodeclient'),
  ],
  'system:certificates.k8s.io:kube-apiserver-client-approver': approver('kube-apiserver-client'),
  'system:certificates.k8s.io:kube-apiserver-client-kubelet-approver': approver('kube-apiserver-client-kubelet'),
  'system:certificates.k8s.io:kubelet-serving-approver': approver('kubelet-serving'),
  'system:certificates.k8s.io:legacy-unknown-approver': approver('legacy-unknown'),
  'system:cluster-trust-bundle-discovery': [rule(read, 'certificates.k8s.io', 'clustertrustbundles')],
  'system:discovery': [
    paths('get', '/api /api/* /apis /apis/* /healthz /livez /openapi /openapi/* /readyz /version /version/'),
  ],
  'system:heapster': [rule(read, 'core', 'events namespaces nodes pods'), rule(read, 'extensions', 'deployments')],
  'system:kube-aggregator': [rule(read, 'core', 'endpoints services')],
  'system:kube-controller-manager': [
    eventRule,
    rule('create', 'coordination.k8s.io', 'leases'),
    rule('get update', 'coordination.k8s.io', 'leases', 'kube-controller-manager'),
    rule('create', 'core', 'secrets serviceaccounts'),
    rule('delete', 'core', 'secrets'),
    rule('get', 'core', 'configmaps namespaces secrets serviceaccounts'),
    rule('update', 'core', 'secrets serviceaccounts'),
    ...delegatedAuth,
    rule('list watch', '*', '*'),
    rule('create', 'core', 'serviceaccounts/token'),
  ],
  'system:kube-dns': [rule('list watch', 'core', 'endpoints services')],
  'system:kube-scheduler': [
    eventRule,
    rule('create', 'coordination.k8s.io', 'leases'),
    rule('get list update watch', 'coordination.k8s.io', 'leases', 'kube-scheduler'),
    rule(read, 'core', 'nodes'),
    rule('delete get list watch', 'core', 'pods'),
    rule('create', 'core', 'bindings pods/binding'),
    rule('patch update', 'core', 'pods/status'),
    rule(read, 'core', 'replicationcontrollers services'),
    rule(read, 'apps extensions', 'replicasets'),
    rule(read, 'apps', 'statefulsets'),
    rule(read, 'policy', 'poddisruptionbudgets'),
    rule(read, 'core', 'persistentvolumeclaims persistentvolumes'),
    ...delegatedAuth,
    rule(read, 'storage.k8s.io', 'csinodes'),
    rule(read, 'core', 'namespaces'),
    rule(read, 'storage.k8s.io', 'csidrivers'),
    rule(read, 'storage.k8s.io', 'csistoragecapacities'),
    rule(read, 'storage.k8s.io', 'volumeattachments'),
  ],
  'system:kubelet-api-admin': [
    rule(read, 'core', 'nodes'),
    rule('proxy', 'core', 'nodes'),
    rule('*', 'core', 'nodes/log nodes/metrics nodes/proxy nodes/stats'),
  ],
  'system:monitoring': [paths('get', '/healthz /healthz/* /livez /livez/* /metrics /metrics/slis /readyz /readyz/*')],
  'system:node': nodeRules,
  'system:node-bootstrapper': [rule('create get list watch', 'certificates.k8s.io', 'certificatesigningrequests')],
  'system:node-network': nodeNetworkRules,
  'system:node-storage': nodeStorageRules,
  'system:node-problem-detector': [rule('get', 'core', 'nodes'), rule('patch', 'core', 'nodes/status'), eventRule],
  'system:node-proxier': [
    rule('list watch', 'core', 'endpoints services'),
    rule(read, 'core', 'nodes'),
    eventRule,
    rule('list watch', 'discovery.k8s.io', 'endpointslices'),
    rule('list watch', 'networking.k8s.io', 'servicecidrs'),
  ],
  'system:persistent-volume-provisioner': [
    rule('create delete get list watch', 'core', 'persistentvolumes'),
    rule('get list update watch', 'core', 'persistentvolumeclaims'),
    rule(read, 'storage.k8s.io', 'storageclasses'),
    rule('watch', 'core', 'events'),
    eventRule,
  ],
  'system:public-info-viewer': [paths('get', '/healthz /livez /readyz /version /version/')],
  'system:service-account-issuer-discovery': [paths('get', '/.well-known/openid-configuration /openid/v1/jwks')],
  'system:volume-scheduler': [
    rule('get list patch update watch', 'core', 'persistentvolumes'),
    rule(read, 'storage.k8s.io', 'storageclasses'),
    rule('get list patch update watch', 'core', 'persistentvolumeclaims'),
  ],
};

/** Roles that others are gathered into, and what they are gathered into themselves. */
const gathering: { readonly [name: string]: string | undefined } = { admin: undefined, edit: 'admin', view: 'edit' };
const gathered: { readonly [name: string]: string } = {
  'system:aggregate-to-admin': 'admin',
  'system:aggregate-to-edit': 'edit',
  'system:aggregate-to-view': 'view',
};

export const bootstrapClusterRoles: readonly ClusterRole[] = [
  ...Object.entries(gathering).map(([name, target]) => ({
    ...clusterRole(name, target),
    aggregationRule: { clusterRoleSelectors: [{ matchLabels: { [`${aggregation}${name}`]: 'true' } }] },
  })),
  ...Object.entries(rulesOfRoles).map(([name, rules]) => ({ ...clusterRole(name, gathered[name]), rules })),
  ...Object.entries(controllerRoles).map(([name, rules]) => ({ ...clusterRole(`system:controller:${name}`), rules })),
];

export const bootstrapClusterRoleBindings: readonly ClusterRoleBinding[] = [
  binding('cluster-admin', [group('system:masters')]),
  binding('system:monitoring', [group('system:monitoring')]),
  binding('system:discovery', [group('system:authenticated')]),
  binding('system:basic-user', [group('system:authenticated')]),
  binding('system:public-info-viewer', [group('system:authenticated'), group('system:unauthenticated')]),
  binding('system:node-network', [group('system:nodes')]),
  binding('system:node-storage', [group('system:nodes')]),
  binding('system:node-proxier', [user('system:kube-proxy')]),
  binding('system:kube-controller-manager', [user('system:kube-controller-manager')]),
  binding('system:kube-dns', [serviceAccount('kube-dns')]),
  binding('system:kube-scheduler', [user('system:kube-scheduler')]),
  binding('system:volume-scheduler', [user('system:kube-scheduler')]),
  // Elsewhere somebody approves what kubelets serve with; here the controller does, for names and addresses that are the node's own.
  binding('system:certificates.k8s.io:kubelet-serving-approver', [serviceAccount('certificate-controller')]),
  // The Node authoriser grants what nodes may do, so this binds nobody.
  binding('system:node', []),
  binding('system:service-account-issuer-discovery', [group('system:serviceaccounts')]),
  binding('system:cluster-trust-bundle-discovery', [group('system:serviceaccounts')]),
  ...Object.keys(controllerRoles).map((name) => binding(`system:controller:${name}`, [serviceAccount(name)])),
];

interface NamespacedRole {
  readonly namespace: string;
  readonly name: string;
  readonly rules: readonly PolicyRule[];
  readonly subjects?: ClusterRoleBinding['subjects'];
}

const namespacedRoles: readonly NamespacedRole[] = [
  {
    namespace: 'kube-system',
    name: 'extension-apiserver-authentication-reader',
    rules: [rule(read, 'core', 'configmaps', 'extension-apiserver-authentication')],
  },
  controllerRole('bootstrap-signer', [rule(read, 'core', 'secrets')]),
  controllerRole('cloud-provider', [rule('create get list update watch', 'core', 'configmaps')]),
  controllerRole('token-cleaner', [rule('delete get list watch', 'core', 'secrets'), eventRule]),
  leaderRole('kube-controller-manager'),
  leaderRole('kube-scheduler'),
  {
    namespace: 'kube-public',
    name: 'system:controller:bootstrap-signer',
    rules: [rule(read, 'core', 'configmaps'), rule('update', 'core', 'configmaps', 'cluster-info'), eventRule],
    subjects: [serviceAccount('bootstrap-signer')],
  },
];

export const bootstrapRoles: readonly Role[] = namespacedRoles.map(({ namespace, name, rules }) => ({
  apiVersion,
  kind: 'Role',
  metadata: { name, namespace, labels, annotations },
  rules,
}));

export const bootstrapRoleBindings: readonly RoleBinding[] = [
  ...namespacedRoles.flatMap(({ namespace, name, subjects }) =>
    subjects ? [roleBinding(namespace, name, name, subjects)] : [],
  ),
  roleBinding(
    'kube-system',
    'system::extension-apiserver-authentication-reader',
    'extension-apiserver-authentication-reader',
    [user('system:kube-controller-manager'), user('system:kube-scheduler')],
  ),
];

function controllerRole(controller: string, rules: readonly PolicyRule[]): NamespacedRole {
  return {
    namespace: 'kube-system',
    name: `system:controller:${controller}`,
    rules,
    subjects: [serviceAccount(controller)],
  };
}

/** A component reads and keeps the record of who leads. */
function leaderRole(component: string): NamespacedRole {
  return {
    namespace: 'kube-system',
    name: `system::leader-locking-${component}`,
    rules: [rule('watch', 'core', 'configmaps'), rule('get update', 'core', 'configmaps', component)],
    subjects: [user(`system:${component}`), serviceAccount(component)],
  };
}

function clusterRole(name: string, gatheredInto?: string): ClusterRole {
  return {
    apiVersion,
    kind: 'ClusterRole',
    metadata: {
      name,
      labels: { ...labels, ...(gatheredInto && { [`${aggregation}${gatheredInto}`]: 'true' }) },
      annotations,
    },
    rules: [],
  };
}

function binding(role: string, subjects: NonNullable<ClusterRoleBinding['subjects']>): ClusterRoleBinding {
  return {
    apiVersion,
    kind: 'ClusterRoleBinding',
    metadata: { name: role, labels, annotations },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
    subjects,
  };
}

function roleBinding(
  namespace: string,
  name: string,
  role: string,
  subjects: NonNullable<RoleBinding['subjects']>,
): RoleBinding {
  return {
    apiVersion,
    kind: 'RoleBinding',
    metadata: { name, namespace, labels, annotations },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: role },
    subjects,
  };
}

function user(name: string) {
  return { apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name };
}

function group(name: string) {
  return { apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name };
}

function serviceAccount(name: string) {
  return { kind: 'ServiceAccount', name, namespace: 'kube-system' };
}
