/** Has a balancer in front of each service that asks for one. Behaviour: kubernetes `cloud-provider/controllers/service`. */
import { isDeepStrictEqual } from 'node:util';
import { messageOf } from '#base';
import { keyOf } from '../../object.ts';
import { nodes, services } from '../../resources.ts';
import type { Node, Service } from '../../types.ts';
import { type Controller, type ControllerParts, copyOf, type Step, wakes } from '../controller.ts';
import { slicesIn } from '../indexes.ts';
import { isDeleting, metaOf, nameOf } from '../meta.ts';
import { readiness } from '../node/taints.ts';
import type { LoadBalancerIngress, LoadBalancers } from './ports.ts';

const NAME = 'service-controller';
const FINALIZER = 'service.kubernetes.io/load-balancer-cleanup';
const EXCLUDED = 'node.kubernetes.io/exclude-from-external-load-balancers';

export function loadBalancerController(parts: ControllerParts, balancers: LoadBalancers): Controller {
  const copy = parts.informers.of(services);
  const nodeCopy = parts.informers.of(nodes);
  const slices = slicesIn(parts.informers);
  const isWanted = (service: Service) => service.spec?.type === 'LoadBalancer' && balancers.isFor(service);
  const tell = (service: Service, type: 'Normal' | 'Warning', reason: string, message: string) =>
    parts.events.as(NAME).record(services, service, { type, reason, message });

  async function ensure(service: Service, step: Step): Promise<void> {
    const held = await addFinalizer(service, step);
    const isNew = !service.status?.loadBalancer?.ingress?.length;
    if (isNew) tell(service, 'Normal', 'EnsuringLoadBalancer', 'Ensuring load balancer');
    try {
      const request = {
        service: held,
        nodes: nodeCopy.list().filter(isEligible),
        slices: slices.by('service', keyOf(service)),
        warn: (message: string) => tell(service, 'Warning', 'UnsupportedLoadBalancerOption', message),
      };
      const ingress = await balancers.ensure(request, step.signal);
      await tellIngress(held, ingress, step);
    } catch (error) {
      tell(service, 'Warning', 'SyncLoadBalancerFailed', `Error syncing load balancer: ${messageOf(error)}`);
      throw error;
    }
    if (isNew) tell(service, 'Normal', 'EnsuredLoadBalancer', 'Ensured load balancer');
  }

  async function remove(service: Service, step: Step): Promise<void> {
    tell(service, 'Normal', 'DeletingLoadBalancer', 'Deleting load balancer');
    try {
      await balancers.remove(service, step.signal);
    } catch (error) {
      tell(service, 'Warning', 'SyncLoadBalancerFailed', `Error syncing load balancer: ${messageOf(error)}`);
      throw error;
    }
    if (!isDeleting(service)) await tellIngress(service, [], step);
    await removeFinalizer(service, step);
    tell(service, 'Normal', 'DeletedLoadBalancer', 'Deleted load balancer');
  }

  return {
    name: NAME,
    wokenBy: [
      wakes(copy, ({ now }) => (now && (isWanted(now) || hasFinalizer(now)) ? [keyOf(now)] : [])),
      wakes(nodeCopy, ({ now, before }) => {
        const isSame = now && before && isEligible(now) === isEligible(before);
        return isSame ? [] : copy.list().filter(isWanted).map(keyOf);
      }),
      wakes(slices, ({ now, before }) => {
        const { namespace, labels } = (now ?? before)!.metadata!;
        const service = copy.get(`${namespace}/${labels?.['kubernetes.io/service-name']}`);
        return service && isWanted(service) ? [keyOf(service)] : [];
      }),
    ],
    reads: [copyOf(services, copy)],
    async reconcile(key, step) {
      const service = copy.get(key);
      if (!service) return;
      if (isWanted(service) && !isDeleting(service)) await ensure(service, step);
      else if (hasFinalizer(service)) await remove(service, step);
    },
  };
}

function isEligible(node: Node): boolean {
  return readiness(node) === 'True' && !isDeleting(node) && !(EXCLUDED in (node.metadata?.labels ?? {}));
}

function hasFinalizer({ metadata }: Service): boolean {
  return metadata?.finalizers?.includes(FINALIZER) ?? false;
}

/** Before the balancer is made, so that the service cannot go and leave it behind. */
async function addFinalizer(service: Service, { api }: Step): Promise<Service> {
  if (hasFinalizer(service)) return service;
  const { resourceVersion, finalizers = [] } = metaOf(service);
  const body = { metadata: { resourceVersion, finalizers: [...finalizers, FINALIZER] } };
  return patchService(service, body, api);
}

async function removeFinalizer(service: Service, { api }: Step): Promise<void> {
  const left = metaOf(service).finalizers!.filter((name) => name !== FINALIZER);
  const body = { metadata: { finalizers: left.length ? left : null } };
  await patchService(service, body, api);
}

async function tellIngress(service: Service, ingress: readonly LoadBalancerIngress[], { api }: Step): Promise<void> {
  if (isDeepStrictEqual(service.status?.loadBalancer?.ingress ?? [], ingress)) return;
  const loadBalancer = ingress.length ? { ingress } : null;
  const body = { status: { loadBalancer } };
  await patchService(service, body, api);
}

/** Finalizers too are written through the status, as upstream's cloud provider does: more of services this controller may not change. */
function patchService(service: Service, body: object, api: Step['api']): Promise<Service> {
  return api.patch(services, nameOf(service), { kind: 'merge', body }, { subresource: 'status' });
}
