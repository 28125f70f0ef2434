/**
 * How lists and structs merge where nothing published says it in a readable form: `+listType`, `+listMapKey`, `+mapType`, `+structType` and `+default` are comments of the Go
 * source alone (v1.34), and no package carries them. What stands here not is atomic. Strategic merge keys need no table: they are tags of the Go types.
 */
type Table = { readonly [packagePath: string]: { readonly [field: string]: string } };

/** `Type.field` → the keys of a list of type `map`. */
export const mapLists: Table = {
  'k8s.io/apimachinery/pkg/apis/meta/v1': { 'ObjectMeta.ownerReferences': 'uid' },
  'k8s.io/api/core/v1': {
    'ComponentStatus.conditions': 'type',
    'Container.env': 'name',
    'Container.ports': 'containerPort,protocol',
    'Container.volumeDevices': 'devicePath',
    'Container.volumeMounts': 'mountPath',
    'ContainerStatus.allocatedResourcesStatus': 'name',
    'ContainerStatus.volumeMounts': 'mountPath',
    'EphemeralContainerCommon.env': 'name',
    'EphemeralContainerCommon.ports': 'containerPort,protocol',
    'EphemeralContainerCommon.volumeDevices': 'devicePath',
    'EphemeralContainerCommon.volumeMounts': 'mountPath',
    'NamespaceStatus.conditions': 'type',
    'NodeStatus.addresses': 'type',
    'NodeStatus.conditions': 'type',
    'PersistentVolumeClaimStatus.conditions': 'type',
    'PodSpec.containers': 'name',
    'PodSpec.ephemeralContainers': 'name',
    'PodSpec.hostAliases': 'ip',
    'PodSpec.imagePullSecrets': 'name',
    'PodSpec.initContainers': 'name',
    'PodSpec.resourceClaims': 'name',
    'PodSpec.schedulingGates': 'name',
    'PodSpec.topologySpreadConstraints': 'topologyKey,whenUnsatisfiable',
    'PodSpec.volumes': 'name',
    'PodStatus.conditions': 'type',
    'PodStatus.podIPs': 'ip',
    'PodStatus.resourceClaimStatuses': 'name',
    'ReplicationControllerStatus.conditions': 'type',
    'ResourceRequirements.claims': 'name',
    'ResourceStatus.resources': 'resourceID',
    'ServiceAccount.secrets': 'name',
    'ServiceSpec.ports': 'port,protocol',
    'ServiceStatus.conditions': 'type',
  },
  'k8s.io/api/apps/v1': {
    'DaemonSetStatus.conditions': 'type',
    'DeploymentStatus.conditions': 'type',
    'ReplicaSetStatus.conditions': 'type',
    'StatefulSetStatus.conditions': 'type',
  },
  'k8s.io/api/autoscaling/v2': { 'HorizontalPodAutoscalerStatus.conditions': 'type' },
  'k8s.io/api/certificates/v1': { 'CertificateSigningRequestStatus.conditions': 'type' },
  'k8s.io/api/policy/v1': { 'PodDisruptionBudgetStatus.conditions': 'type' },
  'k8s.io/api/networking/v1': { 'ServiceCIDRStatus.conditions': 'type' },
  'k8s.io/api/storage/v1': { 'CSINodeSpec.drivers': 'name' },
  'k8s.io/api/flowcontrol/v1': {
    'FlowSchemaStatus.conditions': 'type',
    'PriorityLevelConfigurationStatus.conditions': 'type',
  },
  'k8s.io/api/admissionregistration/v1': {
    'MutatingWebhook.matchConditions': 'name',
    'MutatingWebhookConfiguration.webhooks': 'name',
    'ValidatingAdmissionPolicySpec.matchConditions': 'name',
    'ValidatingAdmissionPolicySpec.variables': 'name',
    'ValidatingAdmissionPolicyStatus.conditions': 'type',
    'ValidatingWebhook.matchConditions': 'name',
    'ValidatingWebhookConfiguration.webhooks': 'name',
  },
  'k8s.io/api/resource/v1': {
    'AllocatedDeviceStatus.conditions': 'type',
    'ResourceClaimStatus.devices': 'driver,device,pool,shareID',
    'ResourceClaimStatus.reservedFor': 'uid',
  },
  'k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1': {
    'CustomResourceDefinitionStatus.conditions': 'type',
    'JSONSchemaProps.x-kubernetes-validations': 'rule',
  },
  'k8s.io/kube-aggregator/pkg/apis/apiregistration/v1': { 'APIServiceStatus.conditions': 'type' },
};

/** `Type.field` of lists of type `set`. */
export const setLists: { readonly [packagePath: string]: readonly string[] } = {
  'k8s.io/apimachinery/pkg/apis/meta/v1': ['ObjectMeta.finalizers'],
  'k8s.io/api/core/v1': ['ContainerRestartRuleOnExitCodes.values', 'NodeSpec.podCIDRs'],
  'k8s.io/api/batch/v1': [
    'PodFailurePolicyOnExitCodesRequirement.values',
    'UncountedTerminatedPods.failed',
    'UncountedTerminatedPods.succeeded',
  ],
  'k8s.io/api/discovery/v1': ['Endpoint.addresses'],
  'k8s.io/api/storage/v1': ['CSIDriverSpec.volumeLifecycleModes'],
  'k8s.io/api/admissionregistration/v1': ['ValidatingAdmissionPolicyBindingSpec.validationActions'],
  'k8s.io/api/flowcontrol/v1': [
    'NonResourcePolicyRule.nonResourceURLs',
    'NonResourcePolicyRule.verbs',
    'ResourcePolicyRule.apiGroups',
    'ResourcePolicyRule.namespaces',
    'ResourcePolicyRule.resources',
    'ResourcePolicyRule.verbs',
  ],
};

/** Structs that are owned as a whole. */
export const atomicStructs: { readonly [packagePath: string]: readonly string[] } = {
  'k8s.io/apimachinery/pkg/apis/meta/v1': ['LabelSelector', 'OwnerReference'],
  'k8s.io/api/core/v1': [
    'ConfigMapKeySelector',
    'EndpointAddress',
    'EndpointPort',
    'FileKeySelector',
    'LocalObjectReference',
    'NodeSelector',
    'NodeSelectorTerm',
    'ObjectFieldSelector',
    'ObjectReference',
    'ResourceFieldSelector',
    'ScopeSelector',
    'ScopedResourceSelectorRequirement',
    'SecretKeySelector',
    'SecretReference',
    'TopologySelectorTerm',
    'TypedLocalObjectReference',
  ],
  'k8s.io/api/admissionregistration/v1': ['MatchResources', 'NamedRuleWithOperations', 'ParamKind', 'ParamRef'],
  'k8s.io/api/autoscaling/v1': ['CrossVersionObjectReference'],
  'k8s.io/api/discovery/v1': ['EndpointPort'],
  'k8s.io/api/networking/v1': ['ServiceBackendPort'],
  'k8s.io/api/rbac/v1': ['RoleRef', 'Subject'],
};

/** `Type.field` of maps and structs that merge otherwise than their type says. */
export const mapTypes: Table = {
  'k8s.io/api/core/v1': {
    'PersistentVolumeSpec.claimRef': 'granular',
    'PodSpec.nodeSelector': 'atomic',
    'ReplicationControllerSpec.selector': 'atomic',
    'ServiceSpec.selector': 'atomic',
  },
  'k8s.io/api/node/v1': { 'Scheduling.nodeSelector': 'atomic' },
};

/** `Type.field` → its `+default`. Other defaults are the API server's business. */
export const defaults: { readonly [packagePath: string]: { readonly [field: string]: unknown } } = {
  'k8s.io/api/core/v1': {
    'AzureDiskVolumeSource.cachingMode': 'ReadWrite',
    'AzureDiskVolumeSource.fsType': 'ext4',
    'AzureDiskVolumeSource.kind': 'Shared',
    'AzureDiskVolumeSource.readOnly': false,
    'ContainerPort.protocol': 'TCP',
    'FileKeySelector.optional': false,
    'GRPCAction.service': '',
    'ISCSIPersistentVolumeSource.iscsiInterface': 'default',
    'ISCSIVolumeSource.iscsiInterface': 'default',
    'LocalObjectReference.name': '',
    'RBDPersistentVolumeSource.keyring': '/etc/ceph/keyring',
    'RBDPersistentVolumeSource.pool': 'rbd',
    'RBDPersistentVolumeSource.user': 'admin',
    'RBDVolumeSource.keyring': '/etc/ceph/keyring',
    'RBDVolumeSource.pool': 'rbd',
    'RBDVolumeSource.user': 'admin',
    'ReplicationControllerSpec.minReadySeconds': 0,
    'ReplicationControllerSpec.replicas': 1,
    'ScaleIOPersistentVolumeSource.fsType': 'xfs',
    'ScaleIOPersistentVolumeSource.storageMode': 'ThinProvisioned',
    'ScaleIOVolumeSource.fsType': 'xfs',
    'ScaleIOVolumeSource.storageMode': 'ThinProvisioned',
    'ServicePort.protocol': 'TCP',
  },
  'k8s.io/api/autoscaling/v1': { 'ScaleSpec.replicas': 0 },
  'k8s.io/api/resource/v1': { 'DeviceToleration.operator': 'Equal' },
};
