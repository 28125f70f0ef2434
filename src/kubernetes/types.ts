/**
 * The JSON shapes of the built-in kinds, as the published OpenAPI document of v1.34 has them. The Kubernetes client's models are the one
 * source; there, instants are `Date` objects, on the wire and here they are RFC 3339 strings.
 */
import type * as models from '@kubernetes/client-node';

/** The names that the client's models change because they are words of its language, or hold dashes: `_default`, `x_kubernetes_int_or_string`. */
type WireName<Key> = Key extends `_${infer Name}`
  ? Name
  : Key extends `x_kubernetes_${infer Name}`
    ? `x-kubernetes-${Dashed<Name>}`
    : Key;
type Dashed<Name extends string> = Name extends `${infer Head}_${infer Tail}` ? `${Head}-${Dashed<Tail>}` : Name;

/** A model as it looks in JSON: every `Date` a string, everything readonly. */
export type Wire<T> = T extends Date
  ? string
  : T extends readonly (infer Item)[]
    ? readonly Wire<Item>[]
    : T extends object
      ? { readonly [Key in keyof T as WireName<Key>]: Wire<T[Key]> | Extract<T[Key], undefined> }
      : T;

export type ObjectMeta = Wire<models.V1ObjectMeta>;
export type OwnerReference = Wire<models.V1OwnerReference>;
export type LabelSelector = Wire<models.V1LabelSelector>;
export type Condition = Wire<models.V1Condition>;
export type Status = Wire<models.V1Status>;
export type DeleteOptions = Wire<models.V1DeleteOptions>;
export type ObjectReference = Wire<models.V1ObjectReference>;

export type Namespace = Wire<models.V1Namespace>;
export type Pod = Wire<models.V1Pod>;
export type PodSpec = Wire<models.V1PodSpec>;
export type PodStatus = Wire<models.V1PodStatus>;
export type PodTemplateSpec = Wire<models.V1PodTemplateSpec>;
export type Container = Wire<models.V1Container>;
export type ContainerStatus = Wire<models.V1ContainerStatus>;
export type Volume = Wire<models.V1Volume>;
export type Probe = Wire<models.V1Probe>;
export type Node = Wire<models.V1Node>;
export type ConfigMap = Wire<models.V1ConfigMap>;
export type Secret = Wire<models.V1Secret>;
export type Service = Wire<models.V1Service>;
export type ServiceAccount = Wire<models.V1ServiceAccount>;
export type Endpoints = Wire<models.V1Endpoints>;
export type EndpointSlice = Wire<models.V1EndpointSlice>;
export type Event = Wire<models.CoreV1Event>;
export type LimitRange = Wire<models.V1LimitRange>;
export type ResourceQuota = Wire<models.V1ResourceQuota>;
export type PersistentVolume = Wire<models.V1PersistentVolume>;
export type PersistentVolumeClaim = Wire<models.V1PersistentVolumeClaim>;
export type StorageClass = Wire<models.V1StorageClass>;
export type ReplicationController = Wire<models.V1ReplicationController>;
export type Deployment = Wire<models.V1Deployment>;
export type ReplicaSet = Wire<models.V1ReplicaSet>;
export type StatefulSet = Wire<models.V1StatefulSet>;
export type DaemonSet = Wire<models.V1DaemonSet>;
export type ControllerRevision = Wire<models.V1ControllerRevision>;
export type Job = Wire<models.V1Job>;
export type CronJob = Wire<models.V1CronJob>;
export type HorizontalPodAutoscaler = Wire<models.V2HorizontalPodAutoscaler>;
export type PodDisruptionBudget = Wire<models.V1PodDisruptionBudget>;
export type PriorityClass = Wire<models.V1PriorityClass>;
export type Lease = Wire<models.V1Lease>;
export type NetworkPolicy = Wire<models.V1NetworkPolicy>;
export type Role = Wire<models.V1Role>;
export type RoleBinding = Wire<models.V1RoleBinding>;
export type ClusterRole = Wire<models.V1ClusterRole>;
export type ClusterRoleBinding = Wire<models.V1ClusterRoleBinding>;
export type CertificateSigningRequest = Wire<models.V1CertificateSigningRequest>;
export type CustomResourceDefinition = Wire<models.V1CustomResourceDefinition>;

export type TokenRequest = Wire<models.AuthenticationV1TokenRequest>;
export type TokenReview = Wire<models.V1TokenReview>;
export type SelfSubjectReview = Wire<models.V1SelfSubjectReview>;
export type SubjectAccessReview = Wire<models.V1SubjectAccessReview>;
export type SelfSubjectAccessReview = Wire<models.V1SelfSubjectAccessReview>;
export type LocalSubjectAccessReview = Wire<models.V1LocalSubjectAccessReview>;
export type SelfSubjectRulesReview = Wire<models.V1SelfSubjectRulesReview>;

export type Ingress = Wire<models.V1Ingress>;
export type IngressClass = Wire<models.V1IngressClass>;
export type RuntimeClass = Wire<models.V1RuntimeClass>;
export type PodTemplate = Wire<models.V1PodTemplate>;
export type Binding = Wire<models.V1Binding>;
export type CSIDriver = Wire<models.V1CSIDriver>;
export type CSINode = Wire<models.V1CSINode>;
export type CSIStorageCapacity = Wire<models.V1CSIStorageCapacity>;
export type VolumeAttachment = Wire<models.V1VolumeAttachment>;
export type VolumeAttributesClass = Wire<models.V1VolumeAttributesClass>;
export type FlowSchema = Wire<models.V1FlowSchema>;
export type PriorityLevelConfiguration = Wire<models.V1PriorityLevelConfiguration>;
export type ServiceCIDR = Wire<models.V1ServiceCIDR>;
export type IPAddress = Wire<models.V1IPAddress>;
export type MutatingWebhookConfiguration = Wire<models.V1MutatingWebhookConfiguration>;
export type ValidatingWebhookConfiguration = Wire<models.V1ValidatingWebhookConfiguration>;
export type ValidatingAdmissionPolicy = Wire<models.V1ValidatingAdmissionPolicy>;
export type ValidatingAdmissionPolicyBinding = Wire<models.V1ValidatingAdmissionPolicyBinding>;
export type APIService = Wire<models.V1APIService>;
export type DeviceClass = Wire<models.V1DeviceClass>;
export type ResourceClaim = Wire<models.ResourceV1ResourceClaim>;
export type ResourceClaimTemplate = Wire<models.V1ResourceClaimTemplate>;
export type ResourceSlice = Wire<models.V1ResourceSlice>;
export type Eviction = Wire<models.V1Eviction>;
export type Scale = Wire<models.V1Scale>;
