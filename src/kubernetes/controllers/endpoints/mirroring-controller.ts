/** Copies endpoints that were made by hand, for services without a selector, into slices. Behaviour: kubernetes `pkg/controller/endpointslicemirroring`. */
import { isIPv6 } from 'node:net';
import { keyOf } from '../../object.ts';
import { endpoints, endpointSlices, services } from '../../resources.ts';
import { isStatusError } from '../../status.ts';
import type { Endpoints, EndpointSlice } from '../../types.ts';
import { type Controller, type ControllerParts, copyOf, wakes } from '../controller.ts';
import { slicesIn } from '../indexes.ts';
import { metaOf, nameOf } from '../meta.ts';
import { controllerReference } from '../ownership.ts';
import { type Endpoint, hasSelector } from './members.ts';
import { MANAGED_BY, SERVICE_NAME } from './slice-controller.ts';
import { planSlices, type PortGroup } from './slices.ts';

const MANAGER = 'endpointslicemirroring-controller.k8s.io';
const SKIP = 'endpointslice.kubernetes.io/skip-mirror';
/** Held by a leader election of old; nothing to route to. */
const LEADER = 'control-plane.alpha.kubernetes.io/leader';

export function mirroringController(parts: ControllerParts): Controller {
  const copy = parts.informers.of(endpoints);
  const serviceCopy = parts.informers.of(services);
  const slices = slicesIn(parts.informers);
  const mine = (key: string) =>
    slices.by('service', key).filter(({ metadata }) => metadata?.labels?.[MANAGED_BY] === MANAGER);
  return {
    name: 'endpointslicemirroring-controller',
    wokenBy: [
      wakes(copy, ({ now, before }) => [keyOf((now ?? before)!)]),
      wakes(serviceCopy, ({ now, before }) => [keyOf((now ?? before)!)]),
    ],
    reads: [copyOf(endpointSlices, slices)],
    async reconcile(key, { api }) {
      const object = copy.get(key);
      const service = serviceCopy.get(key);
      const isMirrored = object && service && !hasSelector(service) && isForMirroring(object);
      for (const addressType of ['IPv4', 'IPv6'] as const) {
        const there = mine(key).filter((slice) => slice.addressType === addressType);
        const groups = isMirrored ? groupsOf(object, addressType) : [];
        const plan = groups.length ? planSlices(there, groups) : { toCreate: [], toUpdate: [], toDelete: there };
        for (const slice of plan.toUpdate) await api.update(endpointSlices, slice);
        for (const draft of plan.toCreate) await api.create(endpointSlices, newSlice(object!, addressType, draft));
        for (const slice of plan.toDelete)
          await api.delete(endpointSlices, nameOf(slice)).catch((error: unknown) => {
            if (!isStatusError(error, 'NotFound')) throw error;
          });
      }
    },
  };
}

function isForMirroring({ metadata }: Endpoints): boolean {
  return metadata?.labels?.[SKIP] !== 'true' && metadata?.annotations?.[LEADER] === undefined;
}

function groupsOf({ subsets }: Endpoints, addressType: 'IPv4' | 'IPv6'): readonly PortGroup[] {
  return (subsets ?? [])
    .map(({ addresses, notReadyAddresses, ports }) => {
      const of = (list: typeof addresses, ready: boolean) =>
        (list ?? [])
          .filter(({ ip }) => isIPv6(ip) === (addressType === 'IPv6'))
          .map(({ ip, hostname, nodeName, targetRef }): Endpoint => ({
            addresses: [ip],
            conditions: { ready },
            ...(hostname && { hostname }),
            ...(nodeName && { nodeName }),
            ...(targetRef && { targetRef }),
          }));
      return {
        endpoints: [...of(addresses, true), ...of(notReadyAddresses, false)],
        ports: (ports ?? []).map(({ name, port, protocol, appProtocol }) => ({
          name: name ?? '',
          port,
          protocol: protocol ?? 'TCP',
          ...(appProtocol && { appProtocol }),
        })),
      };
    })
    .filter((group) => group.endpoints.length > 0);
}

function newSlice(
  object: Endpoints,
  addressType: 'IPv4' | 'IPv6',
  draft: Pick<EndpointSlice, 'endpoints' | 'ports'>,
): EndpointSlice {
  const { name, namespace, labels } = metaOf(object);
  return {
    metadata: {
      ...(namespace && { namespace }),
      generateName: `${name}-`,
      labels: { ...labels, [SERVICE_NAME]: name, [MANAGED_BY]: MANAGER },
      ownerReferences: [controllerReference(endpoints, object)],
    },
    addressType,
    ...draft,
  };
}
