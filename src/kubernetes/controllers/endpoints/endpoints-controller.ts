/** Tells who serves for each service in one object, for clients that know no slices. Behaviour: kubernetes `pkg/controller/endpoint`. */
import { isDeepStrictEqual } from 'node:util';
import { keyOf, nameOfKey } from '../../object.ts';
import { endpoints, nodes, services } from '../../resources.ts';
import { isStatusError } from '../../status.ts';
import type { Endpoints, Service } from '../../types.ts';
import { type Controller, type ControllerParts, copyOf, wakes } from '../controller.ts';
import { podsIn } from '../indexes.ts';
import { compareText, isDeleting, metaOf } from '../meta.ts';
import { canonical } from '../template-hash.ts';
import {
  type Endpoint,
  endpointOf,
  type EndpointPort,
  hasSelector,
  membersOf,
  portsOf,
  servicesOfChange,
} from './members.ts';

const MANAGED_BY = 'endpoints.kubernetes.io/managed-by';
const MANAGER = 'endpoint-controller';
const HEADLESS = 'service.kubernetes.io/headless';
const OVER_CAPACITY = 'endpoints.kubernetes.io/over-capacity';
/** Addresses in one object at most; the rest is in the slices alone. */
const CAPACITY = 1000;

type Subset = NonNullable<Endpoints['subsets']>[number];
type Address = NonNullable<Subset['addresses']>[number];

export function endpointsController(parts: ControllerParts): Controller {
  const serviceCopy = parts.informers.of(services);
  const copy = parts.informers.of(endpoints);
  const pods = podsIn(parts.informers);
  const nodeCopy = parts.informers.of(nodes);
  return {
    name: 'endpoints-controller',
    wokenBy: [
      wakes(serviceCopy, ({ now, before }) => [keyOf((now ?? before)!)]),
      wakes(pods, (change) => servicesOfChange(serviceCopy, change)),
      wakes(copy, ({ now, before }) => [keyOf((now ?? before)!)]),
    ],
    reads: [copyOf(endpoints, copy)],
    concurrency: 5,
    async reconcile(key, { api }) {
      const service = serviceCopy.get(key);
      const there = copy.get(key);
      if (!service) {
        // Ours alone go with the service; what was made by hand was made for a reason.
        if (there?.metadata?.labels?.[MANAGED_BY] === MANAGER)
          await api.delete(endpoints, nameOfKey(key)).catch((error: unknown) => {
            if (!isStatusError(error, 'NotFound')) throw error;
          });
        return;
      }
      if (isDeleting(service) || !hasSelector(service)) return;
      const members = membersOf(service, pods).filter(
        (pod) => !isDeleting(pod) || service.spec?.publishNotReadyAddresses,
      );
      const told = members.slice(0, CAPACITY).map((pod) => {
        return { endpoint: endpointOf(pod, service, nodeCopy), ports: portsOf(service, pod) };
      });
      const subsets = subsetsOf(told);
      const labels = labelsOf(service);
      const { [OVER_CAPACITY]: _old, ...others } = there?.metadata?.annotations ?? {};
      const annotations = members.length > CAPACITY ? { ...others, [OVER_CAPACITY]: 'truncated' } : others;
      const isSame =
        there &&
        isDeepStrictEqual(there.subsets ?? [], subsets) &&
        isDeepStrictEqual(there.metadata?.labels, labels) &&
        isDeepStrictEqual(there.metadata?.annotations ?? {}, annotations);
      if (isSame) return;
      const { namespace, name } = metaOf(service);
      const next: Endpoints = {
        ...there,
        metadata: { ...there?.metadata, ...(namespace && { namespace }), name, labels, annotations },
        subsets,
      };
      if (there) await api.update(endpoints, next);
      else await api.create(endpoints, next);
    },
  };
}

function labelsOf({ metadata, spec }: Service): { readonly [name: string]: string } {
  const { [HEADLESS]: _headless, ...labels } = metadata?.labels ?? {};
  return { ...labels, [MANAGED_BY]: MANAGER, ...(spec?.clusterIP === 'None' && { [HEADLESS]: '' }) };
}

/** One subset for each set of ports, everything in a fixed order. Behaviour: kubernetes `pkg/api/v1/endpoints`, "RepackSubsets". */
function subsetsOf(
  told: readonly { readonly endpoint: Endpoint; readonly ports: readonly EndpointPort[] }[],
): readonly Subset[] {
  const groups = Map.groupBy(told, ({ ports }) => canonical(ports));
  return [...groups.entries()]
    .sort(([a], [b]) => compareText(a, b))
    .map(([, members]) => {
      const of = (isReady: boolean) =>
        members
          .filter(({ endpoint }) => (endpoint.conditions?.ready ?? true) === isReady)
          .map(({ endpoint }) => addressOf(endpoint))
          .sort((a, b) => compareText(a.ip, b.ip));
      const [addresses, notReadyAddresses] = [of(true), of(false)];
      const ports = members[0]!.ports.map(({ name, port, protocol, appProtocol }) => ({
        ...(name && { name }),
        port: port!,
        ...(protocol && { protocol }),
        ...(appProtocol && { appProtocol }),
      }));
      return {
        ...(addresses.length && { addresses }),
        ...(notReadyAddresses.length && { notReadyAddresses }),
        ...(ports.length && { ports }),
      };
    });
}

function addressOf({ addresses, hostname, nodeName, targetRef }: Endpoint): Address {
  return {
    ip: addresses[0]!,
    ...(hostname && { hostname }),
    ...(nodeName && { nodeName }),
    ...(targetRef && { targetRef }),
  };
}
