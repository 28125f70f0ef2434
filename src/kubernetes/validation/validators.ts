/** The validation of every built-in kind that has one, by group and resource; all others have their metadata checked. */
import type { Validate } from '../auth/user.ts';
import type { ResourceType } from '../object.ts';
import { validateValidatingAdmissionPolicy, validateValidatingAdmissionPolicyBinding } from './admission-policies.ts';
import { validateIPAddress, validateServiceCIDR } from './addresses.ts';
import { validateCronJob, validateJob } from './batch.ts';
import { validatePersistentVolume, validatePersistentVolumeClaim } from './claim.ts';
import { validateConfigMap, validateSecret } from './config.ts';
import { validateNamespace, validateServiceAccount } from './namespace.ts';
import { validateNode } from './node.ts';
import { validateResourceQuota, validateLimitRange } from './quota.ts';
import { validateEndpoints, validateEndpointSlice } from './endpoints.ts';
import { validateEvent } from './event.ts';
import { validateCustomResourceDefinition } from './custom-resource-definition.ts';
import { validateValidatingWebhookConfiguration, validateMutatingWebhookConfiguration } from './webhooks.ts';
import { validateCertificateSigningRequest } from './certificate-signing-request.ts';
import { validateHorizontalPodAutoscaler } from './autoscaling.ts';
import {
  validatePodDisruptionBudget,
  validatePriorityClass,
  validateRuntimeClass,
  validateLease,
} from './scheduling.ts';
import { validateFlowSchema, validatePriorityLevelConfiguration } from './flow-control.ts';
import { validateStorageClass } from './storage-class.ts';
import { metadataErrors } from './metadata.ts';
import { dnsSubdomain, pathSegmentName } from './names.ts';
import { validateIngress, validateIngressClass, validateNetworkPolicy } from './networking.ts';
import { validatePod } from './pod.ts';
import { validateClusterRole, validateClusterRoleBinding, validateRole, validateRoleBinding } from './rbac.ts';
import { validateService } from './service.ts';
import {
  validateCSIDriver,
  validateCSINode,
  validateCSIStorageCapacity,
  validateVolumeAttachment,
  validateVolumeAttributesClass,
} from './storage.ts';
import {
  validateControllerRevision,
  validateDaemonSet,
  validateDeployment,
  validateReplicaSet,
  validateReplicationController,
  validateStatefulSet,
} from './workloads.ts';

/** Keys are `group/resource`, `/pods` for the core group. */
export const validators: ReadonlyMap<string, Validate> = new Map([
  ['/configmaps', validateConfigMap],
  ['/endpoints', validateEndpoints],
  ['/events', validateEvent],
  ['/limitranges', validateLimitRange],
  ['/namespaces', validateNamespace],
  ['/nodes', validateNode],
  ['/persistentvolumeclaims', validatePersistentVolumeClaim],
  ['/persistentvolumes', validatePersistentVolume],
  ['/pods', validatePod],
  ['/replicationcontrollers', validateReplicationController],
  ['/resourcequotas', validateResourceQuota],
  ['/secrets', validateSecret],
  ['/serviceaccounts', validateServiceAccount],
  ['/services', validateService],
  ['admissionregistration.k8s.io/mutatingwebhookconfigurations', validateMutatingWebhookConfiguration],
  ['admissionregistration.k8s.io/validatingadmissionpolicies', validateValidatingAdmissionPolicy],
  ['admissionregistration.k8s.io/validatingadmissionpolicybindings', validateValidatingAdmissionPolicyBinding],
  ['admissionregistration.k8s.io/validatingwebhookconfigurations', validateValidatingWebhookConfiguration],
  ['apiextensions.k8s.io/customresourcedefinitions', validateCustomResourceDefinition],
  ['apps/controllerrevisions', validateControllerRevision],
  ['apps/daemonsets', validateDaemonSet],
  ['apps/deployments', validateDeployment],
  ['apps/replicasets', validateReplicaSet],
  ['apps/statefulsets', validateStatefulSet],
  ['autoscaling/horizontalpodautoscalers', validateHorizontalPodAutoscaler],
  ['batch/cronjobs', validateCronJob],
  ['batch/jobs', validateJob],
  ['certificates.k8s.io/certificatesigningrequests', validateCertificateSigningRequest],
  ['coordination.k8s.io/leases', validateLease],
  ['discovery.k8s.io/endpointslices', validateEndpointSlice],
  ['flowcontrol.apiserver.k8s.io/flowschemas', validateFlowSchema],
  ['flowcontrol.apiserver.k8s.io/prioritylevelconfigurations', validatePriorityLevelConfiguration],
  ['networking.k8s.io/ingressclasses', validateIngressClass],
  ['networking.k8s.io/ingresses', validateIngress],
  ['networking.k8s.io/ipaddresses', validateIPAddress],
  ['networking.k8s.io/networkpolicies', validateNetworkPolicy],
  ['networking.k8s.io/servicecidrs', validateServiceCIDR],
  ['node.k8s.io/runtimeclasses', validateRuntimeClass],
  ['policy/poddisruptionbudgets', validatePodDisruptionBudget],
  ['rbac.authorization.k8s.io/clusterrolebindings', validateClusterRoleBinding],
  ['rbac.authorization.k8s.io/clusterroles', validateClusterRole],
  ['rbac.authorization.k8s.io/rolebindings', validateRoleBinding],
  ['rbac.authorization.k8s.io/roles', validateRole],
  ['scheduling.k8s.io/priorityclasses', validatePriorityClass],
  ['storage.k8s.io/csidrivers', validateCSIDriver],
  ['storage.k8s.io/csinodes', validateCSINode],
  ['storage.k8s.io/csistoragecapacities', validateCSIStorageCapacity],
  ['storage.k8s.io/storageclasses', validateStorageClass],
  ['storage.k8s.io/volumeattachments', validateVolumeAttachment],
  ['storage.k8s.io/volumeattributesclasses', validateVolumeAttributesClass],
]);

/** The validation of a resource. Kinds without rules of their own, custom ones among them, have their metadata checked. */
export function validatorFor(type: Pick<ResourceType, 'group' | 'resource' | 'isNamespaced'>): Validate {
  const own = validators.get(`${type.group}/${type.resource}`);
  if (own) return own;
  // Custom resources are named as subdomains; built-in kinds without rules need only fit into a path.
  const name = type.group.includes('.') && !type.group.endsWith('.k8s.io') ? dnsSubdomain : pathSegmentName;
  return (object, old) => metadataErrors(object, old, { isNamespaced: type.isNamespaced, name });
}
