/** Tells who serves for each service, in slices. Behaviour: kubernetes `pkg/controller/endpointslice`. */
import { isDeepStrictEqual } from 'node:util';
import { keyOf } from '../../object.ts';
import { endpointSlices, nodes, services } from '../../resources.ts';
import { isStatusError } from '../../status.ts';
import type { EndpointSlice, Node, Service } from '../../types.ts';
import { type Change, type Controller, type ControllerParts, copyOf, type Step, wakes } from '../controller.ts';
import { podsIn, slicesIn } from '../indexes.ts';
import { isDeleting, metaOf, nameOf } from '../meta.ts';
import { controllerReference } from '../ownership.ts';
import { canonical } from '../template-hash.ts';
import { endpointOf, hasSelector, membersOf, portsOf, servicesOfChange } from './members.ts';
import { planSlices, type PortGroup } from './slices.ts';

export const SERVICE_NAME = 'kubernetes.io/service-name';
export const MANAGED_BY = 'endpointslice.kubernetes.io/managed-by';
const MANAGER = 'endpointslice-controller.k8s.io';
const HEADLESS = 'service.kubernetes.io/headless';

export function endpointSliceController(parts: ControllerParts): Controller {
  const serviceCopy = parts.informers.of(services);
  const pods = podsIn(parts.informers);
  const nodeCopy = parts.informers.of(nodes);
  const slices = slicesIn(parts.informers);
  const mine = (key: string) => slices.by('service', key).filter(isOurs);
  return {
    name: 'endpointslice-controller',
    wokenBy: [
      wakes(serviceCopy, ({ now, before }) => [keyOf((now ?? before)!)]),
      wakes(pods, (change) => servicesOfChange(serviceCopy, change)),
      // What others do to our slices is put right.
      wakes(slices, ({ now, before }) =>
        [now, before].flatMap((slice) => (slice && isOurs(slice) ? [serviceKeyOf(slice)] : [])),
      ),
      wakes(nodeCopy, (change) => (isZoneChanged(change) ? serviceCopy.list().filter(hasSelector).map(keyOf) : [])),
    ],
    reads: [copyOf(endpointSlices, slices)],
    concurrency: 5,
    async reconcile(key, step) {
      const service = serviceCopy.get(key);
      if (service && isDeleting(service)) return;
      if (!service || !hasSelector(service)) {
        // The garbage collector would come too; a service that lost its selector is nobody else's matter.
        for (const slice of mine(key)) await remove(slice, step);
        return;
      }
      const groups = new Map<string, PortGroup & { readonly endpoints: PortGroup['endpoints'][number][] }>();
      for (const pod of membersOf(service, pods)) {
        const ports = portsOf(service, pod);
        const name = canonical(ports);
        const group = groups.get(name) ?? { ports, endpoints: [] };
        group.endpoints.push(endpointOf(pod, service, nodeCopy));
        groups.set(name, group);
      }
      const wanted = groups.size ? [...groups.values()] : [{ ports: [], endpoints: [] }];
      const plan = planSlices(mine(key), wanted);
      const labels = labelsOf(service);
      const planned = new Set(plan.toUpdate.map((slice) => metaOf(slice).uid));
      const relabelled = mine(key).filter(
        (slice) =>
          !planned.has(metaOf(slice).uid) &&
          !plan.toDelete.includes(slice) &&
          !isDeepStrictEqual(slice.metadata?.labels, labels),
      );
      for (const slice of [...plan.toUpdate, ...relabelled])
        await step.api.update(endpointSlices, { ...slice, metadata: { ...slice.metadata, labels } });
      for (const draft of plan.toCreate) await step.api.create(endpointSlices, newSlice(service, labels, draft));
      for (const slice of plan.toDelete) await remove(slice, step);
    },
  };
}

function isOurs({ metadata }: EndpointSlice): boolean {
  return metadata?.labels?.[MANAGED_BY] === MANAGER;
}

function serviceKeyOf({ metadata }: EndpointSlice): string {
  return `${metadata!.namespace}/${metadata?.labels?.[SERVICE_NAME]}`;
}

function isZoneChanged({ now, before }: Change<Node>): boolean {
  const zone = (node: Node | undefined) => node?.metadata?.labels?.['topology.kubernetes.io/zone'];
  return zone(now) !== zone(before);
}

/** The service's labels with our own: services of service meshes are found by them. */
function labelsOf({ metadata, spec }: Service): { readonly [name: string]: string } {
  const { [HEADLESS]: _headless, ...labels } = metadata?.labels ?? {};
  return {
    ...labels,
    [SERVICE_NAME]: metadata!.name!,
    [MANAGED_BY]: MANAGER,
    ...(spec?.clusterIP === 'None' && { [HEADLESS]: '' }),
  };
}

function newSlice(
  service: Service,
  labels: { readonly [name: string]: string },
  draft: Pick<EndpointSlice, 'endpoints' | 'ports'>,
): EndpointSlice {
  const { name, namespace } = metaOf(service);
  return {
    metadata: {
      ...(namespace && { namespace }),
      generateName: `${name}-`,
      labels,
      ownerReferences: [controllerReference(services, service)],
    },
    addressType: service.spec?.ipFamilies?.[0] === 'IPv6' ? 'IPv6' : 'IPv4',
    ...draft,
  };
}

async function remove(slice: EndpointSlice, { api }: Step): Promise<void> {
  await api.delete(endpointSlices, nameOf(slice)).catch((error: unknown) => {
    if (!isStatusError(error, 'NotFound')) throw error;
  });
}
