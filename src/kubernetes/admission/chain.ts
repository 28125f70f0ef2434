/** The steps of admission, in upstream's order (`kubeapiserver/options/plugins.go`): every change first, then every check, each in this order. */
import type { AdmissionPlugin } from '../auth/user.ts';
import type { ServedResources } from '../client/served-resources.ts';
import { persistentVolumeClaimResize } from './claim-resize.ts';
import { certificateApproval, certificateSigning, certificateSubjectRestriction } from './certificates.ts';
import { defaultIngressClass, defaultStorageClass } from './default-classes.ts';
import { defaultTolerationSeconds } from './default-toleration-seconds.ts';
import { limitRanger } from './limit-ranger.ts';
import { namespaceLifecycle } from './namespace-lifecycle.ts';
import { nodeRestriction } from './node-restriction.ts';
import type { AdmissionParts } from './plugin.ts';
import { validatingAdmissionPolicy } from './policies/plugin.ts';
import { podSecurity } from './pod-security/plugin.ts';
import { priority } from './priority.ts';
import { resourceQuota } from './quota/plugin.ts';
import { runtimeClass } from './runtime-class.ts';
import { serviceAccount } from './service-account.ts';
import { storageObjectInUseProtection } from './storage-protection.ts';
import { taintNodesByCondition } from './taint-nodes.ts';
import type { DialService } from './webhooks/call.ts';
import { mutatingWebhooks, validatingWebhooks } from './webhooks/plugin.ts';

export interface ChainParts extends AdmissionParts {
  /** Checks that come before all of admission: `rbacEscalation`. */
  readonly first: readonly AdmissionPlugin[];
  /** `ClusterPorts.admissionPlugins`: they see what all built-in steps made of an object, and the cluster's own webhooks and policies what they did. */
  readonly external: readonly AdmissionPlugin[];
  /** What the cluster serves: parameters of policies may be of any kind. */
  readonly resources: () => ServedResources;
  /** The way to webhooks that are services of the cluster. */
  readonly dialService: DialService;
}

export function admissionChain({ first, external, ...parts }: ChainParts): readonly AdmissionPlugin[] {
  return [
    ...first,
    namespaceLifecycle(parts),
    limitRanger(parts),
    serviceAccount(parts),
    nodeRestriction(parts),
    taintNodesByCondition(),
    podSecurity(parts),
    priority(parts),
    defaultTolerationSeconds(),
    persistentVolumeClaimResize(parts),
    runtimeClass(parts),
    certificateApproval(parts),
    certificateSigning(parts),
    certificateSubjectRestriction(),
    defaultIngressClass(parts),
    defaultStorageClass(parts),
    storageObjectInUseProtection(),
    ...external,
    mutatingWebhooks(parts),
    validatingAdmissionPolicy(parts),
    validatingWebhooks(parts),
    // Last: what comes after a claim on a quota must not refuse.
    resourceQuota(parts),
  ];
}
