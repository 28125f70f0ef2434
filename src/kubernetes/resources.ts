/** The built-in resources that our own controllers, kubelets and proxies read and write, by their plural. */
import type { KubernetesObject, ResourceType } from './object.ts';
import type * as types from './types.ts';

function define<T extends KubernetesObject>(
  group: string,
  kind: string,
  resource: string,
  { version = 'v1', isNamespaced = true }: { readonly version?: string; readonly isNamespaced?: boolean } = {},
): ResourceType<T> {
  return { group, version, kind, resource, isNamespaced };
}

const clusterWide = { isNamespaced: false };

export const namespaces = define<types.Namespace>('', 'Namespace', 'namespaces', clusterWide);
export const nodes = define<types.Node>('', 'Node', 'nodes', clusterWide);
export const persistentVolumes = define<types.PersistentVolume>(
  '',
  'PersistentVolume',
  'persistentvolumes',
  clusterWide,
);
export const pods = define<types.Pod>('', 'Pod', 'pods');
export const configMaps = define<types.ConfigMap>('', 'ConfigMap', 'configmaps');
export const secrets = define<types.Secret>('', 'Secret', 'secrets');
export const services = define<types.Service>('', 'Service', 'services');
export const serviceAccounts = define<types.ServiceAccount>('', 'ServiceAccount', 'serviceaccounts');
export const endpoints = define<types.Endpoints>('', 'Endpoints', 'endpoints');
export const events = define<types.Event>('', 'Event', 'events');
export const limitRanges = define<types.LimitRange>('', 'LimitRange', 'limitranges');
export const resourceQuotas = define<types.ResourceQuota>('', 'ResourceQuota', 'resourcequotas');
export const persistentVolumeClaims = define<types.PersistentVolumeClaim>(
  '',
  'PersistentVolumeClaim',
  'persistentvolumeclaims',
);
export const replicationControllers = define<types.ReplicationController>(
  '',
  'ReplicationController',
  'replicationcontrollers',
);

export const deployments = define<types.Deployment>('apps', 'Deployment', 'deployments');
export const replicaSets = define<types.ReplicaSet>('apps', 'ReplicaSet', 'replicasets');
export const statefulSets = define<types.StatefulSet>('apps', 'StatefulSet', 'statefulsets');
export const daemonSets = define<types.DaemonSet>('apps', 'DaemonSet', 'daemonsets');
export const controllerRevisions = define<types.ControllerRevision>(
  'apps',
  'ControllerRevision',
  'controllerrevisions',
);

export const jobs = define<types.Job>('batch', 'Job', 'jobs');
export const cronJobs = define<types.CronJob>('batch', 'CronJob', 'cronjobs');

export const horizontalPodAutoscalers = define<types.HorizontalPodAutoscaler>(
  'autoscaling',
  'HorizontalPodAutoscaler',
  'horizontalpodautoscalers',
  { version: 'v2' },
);
export const podDisruptionBudgets = define<types.PodDisruptionBudget>(
  'policy',
  'PodDisruptionBudget',
  'poddisruptionbudgets',
);
export const priorityClasses = define<types.PriorityClass>(
  'scheduling.k8s.io',
  'PriorityClass',
  'priorityclasses',
  clusterWide,
);
export const apiServices = define<types.APIService>('apiregistration.k8s.io', 'APIService', 'apiservices', clusterWide);
export const flowSchemas = define<types.FlowSchema>(
  'flowcontrol.apiserver.k8s.io',
  'FlowSchema',
  'flowschemas',
  clusterWide,
);
export const priorityLevels = define<types.PriorityLevelConfiguration>(
  'flowcontrol.apiserver.k8s.io',
  'PriorityLevelConfiguration',
  'prioritylevelconfigurations',
  clusterWide,
);
export const leases = define<types.Lease>('coordination.k8s.io', 'Lease', 'leases');
export const endpointSlices = define<types.EndpointSlice>('discovery.k8s.io', 'EndpointSlice', 'endpointslices');
export const networkPolicies = define<types.NetworkPolicy>('networking.k8s.io', 'NetworkPolicy', 'networkpolicies');
export const storageClasses = define<types.StorageClass>(
  'storage.k8s.io',
  'StorageClass',
  'storageclasses',
  clusterWide,
);
export const roles = define<types.Role>('rbac.authorization.k8s.io', 'Role', 'roles');
export const roleBindings = define<types.RoleBinding>('rbac.authorization.k8s.io', 'RoleBinding', 'rolebindings');
export const clusterRoles = define<types.ClusterRole>(
  'rbac.authorization.k8s.io',
  'ClusterRole',
  'clusterroles',
  clusterWide,
);
export const clusterRoleBindings = define<types.ClusterRoleBinding>(
  'rbac.authorization.k8s.io',
  'ClusterRoleBinding',
  'clusterrolebindings',
  clusterWide,
);
export const certificateSigningRequests = define<types.CertificateSigningRequest>(
  'certificates.k8s.io',
  'CertificateSigningRequest',
  'certificatesigningrequests',
  clusterWide,
);
export const customResourceDefinitions = define<types.CustomResourceDefinition>(
  'apiextensions.k8s.io',
  'CustomResourceDefinition',
  'customresourcedefinitions',
  clusterWide,
);

export const ingresses = define<types.Ingress>('networking.k8s.io', 'Ingress', 'ingresses');
export const ingressClasses = define<types.IngressClass>(
  'networking.k8s.io',
  'IngressClass',
  'ingressclasses',
  clusterWide,
);
export const runtimeClasses = define<types.RuntimeClass>('node.k8s.io', 'RuntimeClass', 'runtimeclasses', clusterWide);

export const validatingAdmissionPolicies = define<types.ValidatingAdmissionPolicy>(
  'admissionregistration.k8s.io',
  'ValidatingAdmissionPolicy',
  'validatingadmissionpolicies',
  clusterWide,
);
export const validatingAdmissionPolicyBindings = define<types.ValidatingAdmissionPolicyBinding>(
  'admissionregistration.k8s.io',
  'ValidatingAdmissionPolicyBinding',
  'validatingadmissionpolicybindings',
  clusterWide,
);
export const validatingWebhookConfigurations = define<types.ValidatingWebhookConfiguration>(
  'admissionregistration.k8s.io',
  'ValidatingWebhookConfiguration',
  'validatingwebhookconfigurations',
  clusterWide,
);
export const mutatingWebhookConfigurations = define<types.MutatingWebhookConfiguration>(
  'admissionregistration.k8s.io',
  'MutatingWebhookConfiguration',
  'mutatingwebhookconfigurations',
  clusterWide,
);
