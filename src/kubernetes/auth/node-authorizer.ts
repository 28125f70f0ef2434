/**
 * What a kubelet may: its own node, lease and CSI node, and of secrets, config maps, claims, volumes and service accounts those alone that pods bound to its
 * node refer to. Upstream: `plugin/pkg/auth/authorizer/node`; documentation, "Using Node Authorization".
 */
import type { Informers } from '../client/informer.ts';
import { persistentVolumeClaims, pods } from '../resources.ts';
import type { PersistentVolumeClaim, Pod } from '../types.ts';
import { claimsOf, configMapsOf, secretsOf } from './pod-references.ts';
import { nodeRules } from './rbac/bootstrap-roles.ts';
import { ruleAllows } from './rbac/rules.ts';
import type { Attributes, Authorizer, UserInfo } from './user.ts';

type ResourceAttributes = Extract<Attributes, { kind: 'resource' }>;

const allowed = { isAllowed: true, reason: '' };
const refuse = (reason: string) => ({ isAllowed: false, reason });
const noOpinion = refuse('');

/** The node whose kubelet the user is; undefined for everybody else. */
export function nodeNameOf({ username, groups }: UserInfo): string | undefined {
  if (!username.startsWith('system:node:') || !groups.includes('system:nodes')) return undefined;
  return username.slice('system:node:'.length) || undefined;
}

export function createNodeAuthorizer(informers: Informers): Authorizer {
  const podCopies = informers.of<Pod>(pods, {
    indexes: { node: ({ spec }) => (spec?.nodeName ? [spec.nodeName] : []) },
  });
  const claimCopies = informers.of<PersistentVolumeClaim>(persistentVolumeClaims);
  let isSynced: Promise<unknown> | undefined;

  const podsOf = (node: string) => podCopies.by('node', node);

  /** Whether a pod of the node refers to the object, in its namespace. */
  function isReferred(
    node: string,
    { namespace }: ResourceAttributes,
    name: string,
    referred: (pod: Pod) => Iterable<string>,
  ) {
    for (const pod of podsOf(node)) {
      if (pod.metadata?.namespace !== namespace) continue;
      for (const other of referred(pod)) if (other === name) return true;
    }
    return false;
  }

  function isVolumeReferred(node: string, volume: string): boolean {
    return podsOf(node).some((pod) =>
      claimsOf(pod).some(
        (claim) => claimCopies.get(`${pod.metadata?.namespace}/${claim}`)?.spec?.volumeName === volume,
      ),
    );
  }

  /** Reading one object of a kind that holds secrets: by name alone, and only when a pod leads to it. */
  function readReferred(node: string, attributes: ResourceAttributes, isFound: (name: string) => boolean) {
    const { verb, subresource, name } = attributes;
    if (verb !== 'get' && verb !== 'list' && verb !== 'watch') return refuse('can only read resources of this type');
    if (subresource) return refuse('cannot read subresource');
    if (!name) return refuse('No Object name found');
    return isFound(name) ? allowed : refuse(`no relationship found between node '${node}' and this object`);
  }

  function ownOnly(node: string, { verb, name, subresource }: ResourceAttributes, what: string) {
    if (subresource) return refuse(`cannot authorize ${what} subresources`);
    if (!['get', 'create', 'update', 'patch', 'delete'].includes(verb))
      return refuse(`can only get, create, update, patch, or delete a ${what}`);
    // A create names its object in the body; NodeRestriction looks at that.
    if (verb !== 'create' && name !== node)
      return refuse(`can only access ${what} with the same name as the requesting node`);
    return allowed;
  }

  function decide(node: string, attributes: ResourceAttributes) {
    const { group, resource, subresource, verb, name, namespace } = attributes;
    switch (`${resource}.${group}`) {
      case 'secrets.':
        return readReferred(node, attributes, (name) => isReferred(node, attributes, name, secretsOf));
      case 'configmaps.':
        return readReferred(node, attributes, (name) => isReferred(node, attributes, name, configMapsOf));
      case 'persistentvolumeclaims.':
        if (subresource === 'status' && (verb === 'update' || verb === 'patch'))
          return name && isReferred(node, attributes, name, claimsOf) ? allowed : refuse(unrelated(node));
        return readReferred(node, attributes, (name) => isReferred(node, attributes, name, claimsOf));
      case 'persistentvolumes.':
        return readReferred(node, attributes, (name) => isVolumeReferred(node, name));
      case 'serviceaccounts.':
        if (subresource === 'token' && verb !== 'create')
          return refuse('can only create tokens for individual service accounts');
        if (subresource !== 'token' && verb !== 'get')
          return refuse('can only create tokens for individual service accounts');
        return name && isReferred(node, attributes, name, accountsOf) ? allowed : refuse(unrelated(node));
      case 'leases.coordination.k8s.io':
        if (namespace !== 'kube-node-lease')
          return refuse('can only access leases in the "kube-node-lease" system namespace');
        return ownOnly(node, attributes, 'lease');
      case 'csinodes.storage.k8s.io':
        return ownOnly(node, attributes, 'CSINode');
      default:
        return nodeRules.some((rule) => ruleAllows(rule, attributes)) ? allowed : noOpinion;
    }
  }

  return {
    async authorize(attributes) {
      const node = nodeNameOf(attributes.user);
      if (node === undefined || attributes.kind === 'path') return noOpinion;
      await (isSynced ??= Promise.all([podCopies.synced(), claimCopies.synced()]));
      return decide(node, attributes);
    },
  };
}

function unrelated(node: string): string {
  return `no relationship found between node '${node}' and this object`;
}

function accountsOf({ spec }: Pod): readonly string[] {
  return spec?.serviceAccountName ? [spec.serviceAccountName] : [];
}
