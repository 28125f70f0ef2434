/** How much of each countable resource an object uses. Upstream: `pkg/quota/v1/evaluator/core`; documentation, "Resource Quotas". */
import { type KubernetesObject, qualifiedResource, type ResourceType } from '../../object.ts';
import { persistentVolumeClaims, pods, services } from '../../resources.ts';
import type { PersistentVolumeClaim, Pod, Service } from '../../types.ts';
import { isOf } from '../plugin.ts';
import { amountsOfPod, type Amounts } from '../pod-resources.ts';

/** Kinds of the core group whose plain name may be counted: `secrets` as well as `count/secrets`. */
const plainlyCounted = new Set([
  'configmaps',
  'persistentvolumeclaims',
  'pods',
  'replicationcontrollers',
  'resourcequotas',
  'secrets',
  'services',
]);

/** Nothing for a pod that is over: it holds no resources any more. */
export function usageOf(type: ResourceType, object: KubernetesObject): Amounts {
  const count = { [`count/${qualifiedResource(type)}`]: '1' };
  if (isOf(type, pods)) return isOver(object) ? count : { ...count, pods: '1', ...computeOf(object) };
  if (isOf(type, services)) return { ...count, services: '1', ...portsOf(object) };
  if (isOf(type, persistentVolumeClaims)) return { ...count, persistentvolumeclaims: '1', ...storageOf(object) };
  return type.group === '' && plainlyCounted.has(type.resource) ? { ...count, [type.resource]: '1' } : count;
}

export function isOver({ status }: Pod): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed';
}

/** A request counts under its plain name too: `cpu` is `requests.cpu`. */
function computeOf(pod: Pod): Amounts {
  const requests = Object.entries(amountsOfPod(pod, 'requests'));
  const limits = Object.entries(amountsOfPod(pod, 'limits'));
  const isPlain = (name: string) =>
    name === 'cpu' || name === 'memory' || name === 'ephemeral-storage' || name.startsWith('hugepages-');
  return Object.fromEntries([
    ...requests.map(([name, amount]) => [`requests.${name}`, amount]),
    ...requests.filter(([name]) => isPlain(name)),
    ...limits.filter(([name]) => isPlain(name)).map(([name, amount]) => [`limits.${name}`, amount]),
  ]) as Amounts;
}

function portsOf({ spec }: Service): Amounts {
  const ports = spec?.ports ?? [];
  const isBalanced = spec?.type === 'LoadBalancer';
  const takesNodePorts = spec?.type === 'NodePort' || (isBalanced && spec?.allocateLoadBalancerNodePorts !== false);
  return {
    ...(takesNodePorts && { 'services.nodeports': String(ports.length) }),
    ...(isBalanced && { 'services.loadbalancers': '1' }),
  };
}

function storageOf({ spec, metadata }: PersistentVolumeClaim): Amounts {
  const storage = spec?.resources?.requests?.['storage'];
  const name = spec?.storageClassName ?? metadata?.annotations?.['volume.beta.kubernetes.io/storage-class'];
  const ofClass = `${name}.storageclass.storage.k8s.io`;
  return {
    ...(storage && { 'requests.storage': storage }),
    ...(name && { [`${ofClass}/persistentvolumeclaims`]: '1' }),
    ...(name && storage && { [`${ofClass}/requests.storage`]: storage }),
  };
}
