/** A kubelet changes its own node and the pods bound to it, and nothing that would widen its reach. Upstream: `plugin/pkg/admission/noderestriction`. */
import { nodeNameOf } from '../auth/node-authorizer.ts';
import type { AdmissionPlugin, AdmissionRequest } from '../auth/user.ts';
import type { Informer } from '../client/informer.ts';
import { leases, nodes, pods, serviceAccounts } from '../resources.ts';
import { notFound } from '../status.ts';
import type { Node, Pod, TokenRequest } from '../types.ts';
import { isOf, reader, refusal, type AdmissionParts } from './plugin.ts';

const mirrorAnnotation = 'kubernetes.io/config.mirror';

export function nodeRestriction({ informers }: Pick<AdmissionParts, 'informers'>): AdmissionPlugin {
  const podCopies = reader(informers.of(pods));

  return {
    name: 'NodeRestriction',
    async validate(request) {
      const { user, type } = request;
      if (!user.groups.includes('system:nodes')) return [];
      const node = nodeNameOf(user);
      if (node === undefined) throw refusal(request, `could not determine node from user "${user.username}"`);
      if (isOf(type, pods)) checkPod(request, node, await podCopies());
      else if (isOf(type, nodes)) checkNode(request, node);
      else if (isOf(type, leases)) checkLease(request, node);
      else if (isOf(type, serviceAccounts)) checkToken(request, node, await podCopies());
      else if (type.group === 'storage.k8s.io' && type.resource === 'csinodes') checkCsiNode(request, node);
      return [];
    },
  };
}

function checkPod(request: AdmissionRequest, node: string, copies: Informer<Pod>): void {
  const { operation, subresource } = request;
  const stored: Pod | undefined = request.oldObject ?? copies.get(`${request.namespace}/${request.name}`);
  switch (`${operation} ${subresource ?? ''}`) {
    case 'CREATE ':
      return checkNewPod(request, node);
    case 'DELETE ':
      if (stored?.spec?.nodeName !== node)
        throw refusal(request, `node "${node}" can only delete pods with spec.nodeName set to itself`);
      return;
    case 'UPDATE status':
      if (stored?.spec?.nodeName !== node)
        throw refusal(request, `node "${node}" can only update pod status for pods with spec.nodeName set to itself`);
      if (text(request.object?.metadata?.labels) !== text(stored.metadata?.labels))
        throw refusal(request, `node "${node}" cannot update labels through pod status`);
      return;
    case 'CREATE eviction':
      if (stored?.spec?.nodeName !== node)
        throw refusal(request, `node ${node} can only evict pods with spec.nodeName set to itself`);
      return;
    default:
      if (subresource)
        throw refusal(request, `unexpected pod subresource "${subresource}", only "status" and "eviction" are allowed`);
      throw refusal(
        request,
        `unexpected operation "${operation}", node "${node}" can only create and delete mirror pods`,
      );
  }
}

function checkNewPod(request: AdmissionRequest, node: string): void {
  const { metadata, spec } = request.object as Pod;
  if (metadata?.annotations?.[mirrorAnnotation] === undefined)
    throw refusal(
      request,
      `pod does not have "${mirrorAnnotation}" annotation, node "${node}" can only create mirror pods`,
    );
  if (spec?.nodeName !== node)
    throw refusal(request, `node "${node}" can only create pods with spec.nodeName set to itself`);
  if (spec.serviceAccountName)
    throw refusal(request, `node "${node}" can not create pods that reference a service account`);
  const owners = metadata.ownerReferences ?? [];
  const isOwnedByNode = owners.every(
    ({ apiVersion, kind, name }) => apiVersion === 'v1' && kind === 'Node' && name === node,
  );
  if (!isOwnedByNode || owners.length > 1)
    throw refusal(request, `node "${node}" can only create pods with an owner reference set to itself`);
  const reference = spec.volumes?.find(
    (volume) => volume.secret ?? volume.configMap ?? volume.persistentVolumeClaim ?? volume.projected,
  );
  if (reference)
    throw refusal(
      request,
      `node "${node}" can not create pods that reference secrets, configmaps or persistentvolumeclaims`,
    );
}

function checkNode(request: AdmissionRequest, node: string): void {
  const { operation, name, object } = request;
  if (name !== node) throw refusal(request, `node "${node}" is not allowed to modify node "${name}"`);
  if (operation === 'DELETE') throw refusal(request, `node "${node}" is not allowed to delete itself`);
  if (operation === 'CREATE') {
    refuseLabels(request, node, restrictedLabels(Object.keys(object?.metadata?.labels ?? {})));
    return;
  }
  const old = request.oldObject as Node;
  if (text((object as Node).spec?.taints) !== text(old.spec?.taints))
    throw refusal(request, `node "${node}" is not allowed to modify taints`);
  if (text(object?.metadata?.ownerReferences) !== text(old.metadata?.ownerReferences))
    throw refusal(request, `node "${node}" is not allowed to modify ownerReferences`);
  const before = old.metadata?.labels ?? {};
  const after = object?.metadata?.labels ?? {};
  const changed = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(
    (key) => before[key] !== after[key],
  );
  refuseLabels(request, node, restrictedLabels(changed));
}

function refuseLabels(request: AdmissionRequest, node: string, labels: readonly string[]): void {
  if (labels.length === 0) return;
  const verb = request.operation === 'CREATE' ? 'set' : 'modify';
  throw refusal(request, `node "${node}" is not allowed to ${verb} the following labels: ${labels.join(', ')}`);
}

const kubeletLabels = new Set([
  'beta.kubernetes.io/arch',
  'beta.kubernetes.io/instance-type',
  'beta.kubernetes.io/os',
  'failure-domain.beta.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone',
  'kubernetes.io/arch',
  'kubernetes.io/hostname',
  'kubernetes.io/os',
  'node.kubernetes.io/instance-type',
  'topology.kubernetes.io/region',
  'topology.kubernetes.io/zone',
]);

/** Labels of Kubernetes' own domains are for administrators, save those a kubelet knows best. */
function restrictedLabels(keys: readonly string[]): readonly string[] {
  return keys
    .filter((key) => {
      const domain = key.includes('/') ? key.slice(0, key.indexOf('/')) : '';
      const isWithin = (parent: string) => domain === parent || domain.endsWith(`.${parent}`);
      if (isWithin('node-restriction.kubernetes.io')) return true;
      if (!isWithin('kubernetes.io') && !isWithin('k8s.io')) return false;
      return !kubeletLabels.has(key) && !isWithin('kubelet.kubernetes.io') && !isWithin('node.kubernetes.io');
    })
    .sort();
}

function checkLease(request: AdmissionRequest, node: string): void {
  if (request.operation === 'DELETE') return;
  if (request.namespace !== 'kube-node-lease')
    throw refusal(request, 'can only access leases in the "kube-node-lease" system namespace');
  if (request.name !== node)
    throw refusal(request, 'can only access node lease with the same name as the requesting node');
}

function checkCsiNode(request: AdmissionRequest, node: string): void {
  if (request.name !== node)
    throw refusal(request, 'can only access CSINode with the same name as the requesting node');
}

function checkToken(request: AdmissionRequest, node: string, copies: Informer<Pod>): void {
  if (request.subresource !== 'token') return;
  const reference = (request.object as TokenRequest | undefined)?.spec?.boundObjectRef;
  if (reference?.kind !== 'Pod' || !reference.name) throw refusal(request, 'node requested token not bound to a pod');
  if (!reference.uid) throw refusal(request, 'node requested token with a pod binding without a uid');
  const pod = copies.get(`${request.namespace}/${reference.name}`);
  if (!pod) throw notFound(pods, reference.name);
  if (pod.metadata?.uid !== reference.uid)
    throw refusal(
      request,
      `the UID in the bound object reference (${reference.uid}) does not match the UID in record. The object might have been deleted and then recreated`,
    );
  if (pod.spec?.nodeName !== node)
    throw refusal(request, `node requested token bound to a pod scheduled on a different node`);
}

function text(value: object | undefined): string {
  return JSON.stringify(value ?? null);
}
