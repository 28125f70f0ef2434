/**
 * The names of a cluster: services, their endpoints and pods, as "Kubernetes DNS-Based Service Discovery" 1.1.0 has them, and where that is silent, as
 * CoreDNS answers.
 */
import type { Answer } from 'dns-packet';
import type { DnsZone, ZoneAnswer } from '#network';
import { type NetworkCopies, slicesOf } from '../proxy/copies.ts';
import type { EndpointSlice, Service } from '../types.ts';
import { addressOfDashes, endpointsOf, type NamedEndpoint } from './endpoints.ts';
import { reverseAnswer } from './reverse.ts';

const TTL_S = 5;

type Names = Pick<NetworkCopies, 'services' | 'slices' | 'namespaces'>;

/** The zone `domain`, read from the copies at each question. Addresses of many endpoints come in another order each time. */
export function clusterZone(domain: string, names: Names): DnsZone {
  const zone = new ClusterZone(domain, names);
  return { start: zone.start, answer: ({ name, type }) => zone.answer(name, type) };
}

/** The part of a name below `svc.<domain>`, taken apart. */
interface ServiceName {
  readonly namespace: string;
  readonly service: string;
  readonly endpoint?: string;
  readonly port?: { readonly name: string; readonly protocol: string };
}

class ClusterZone {
  readonly start: Answer;
  readonly #domain: string;
  readonly #names: Names;
  #turn = 0;

  constructor(domain: string, names: Names) {
    this.#domain = domain;
    this.#names = names;
    const start = { serial: 1, refresh: 7200, retry: 1800, expire: 86_400, minimum: TTL_S };
    this.start = {
      type: 'SOA',
      name: domain,
      ttl: TTL_S,
      data: { mname: `ns.dns.${domain}`, rname: `hostmaster.${domain}`, ...start },
    };
  }

  answer(name: string, type: string): ZoneAnswer | undefined {
    if (name === this.#domain) return this.#apex(type);
    if (!name.endsWith(`.${this.#domain}`)) return reverseAnswer({ name, type }, this.#domain, this.#names);
    const labels = name.slice(0, -this.#domain.length - 1).split('.');
    const kind = labels.pop();
    if (kind === 'svc') return this.#belowServices(labels, name, type);
    if (kind === 'pod') return this.#belowPods(labels, name, type);
    if (kind === 'dns-version' && labels.length === 0)
      return type === 'TXT' ? [{ type, name, ttl: TTL_S, data: '1.1.0' }] : [];
    return 'unknown';
  }

  #apex(type: string): readonly Answer[] {
    if (type === 'SOA') return [this.start];
    const data = `ns.dns.${this.#domain}`;
    return type === 'NS' ? [{ type, name: this.#domain, ttl: TTL_S, data }] : [];
  }

  #belowServices(labels: readonly string[], name: string, type: string): ZoneAnswer {
    if (labels.length === 0) return [];
    if (labels.length === 1) return this.#hasNamespace(labels[0]!) ? [] : 'unknown';
    const asked = parseServiceName(labels);
    const service = asked && this.#names.services.get(`${asked.namespace}/${asked.service}`);
    if (!service) return 'unknown';
    if (service.spec?.type === 'ExternalName') return externalName(service, asked, name);
    return this.#ofService(service, asked, { name, type });
  }

  #ofService(
    service: Service,
    asked: ServiceName,
    { name, type }: { readonly name: string; readonly type: string },
  ): ZoneAnswer {
    const zone = `${asked.service}.${asked.namespace}.svc.${this.#domain}`;
    const isHeadless = service.spec?.clusterIP === 'None';
    const found =
      isHeadless || asked.endpoint !== undefined
        ? this.#endpoints(asked).map((endpoint) => ({ ...endpoint, target: `${endpoint.host}.${zone}` }))
        : addressesOf(service, asked).map((each) => ({ ...each, target: zone }));
    if (found.length === 0) return 'unknown';
    const turned = this.#turned(found);
    const addresses = (of: readonly { readonly address: string; readonly target: string }[], owner?: string) =>
      unique(of, ({ address, target }) => `${owner ?? target} ${address}`).map(({ address, target }): Answer => ({
        type: 'A',
        name: owner ?? target,
        ttl: TTL_S,
        data: address,
      }));
    if (type === 'A') return addresses(turned, name);
    if (type !== 'SRV') return [];
    const ports = unique(turned, ({ target, port }) => `${target}:${port}`).filter(({ port }) => port > 0);
    const weight = Math.max(1, Math.floor(100 / Math.max(1, ports.length)));
    return {
      answers: ports.map(({ target, port }) => ({
        type: 'SRV',
        name,
        ttl: TTL_S,
        data: { target, port, priority: 0, weight },
      })),
      additionals: addresses(turned),
    };
  }

  #endpoints({ namespace, service, endpoint, port }: ServiceName): readonly NamedEndpoint[] {
    const slices: readonly EndpointSlice[] = slicesOf(this.#names.slices, `${namespace}/${service}`);
    return endpointsOf(slices)
      .filter((each) => endpoint === undefined || each.host === endpoint)
      .filter((each) => !port || (each.portName === port.name && each.protocol === port.protocol));
  }

  /** `10-0-1-7.<namespace>.pod`: the address that the name says, whether or not a pod has it, as CoreDNS does unless told to look. */
  #belowPods(labels: readonly string[], name: string, type: string): ZoneAnswer {
    if (labels.length === 0) return [];
    const [namespace = '', first, ...rest] = labels.toReversed();
    if (rest.length > 0 || !this.#hasNamespace(namespace)) return 'unknown';
    if (first === undefined) return [];
    const address = addressOfDashes(first);
    if (!address) return 'unknown';
    return type === 'A' ? [{ type, name, ttl: TTL_S, data: address }] : [];
  }

  #hasNamespace(name: string): boolean {
    return this.#names.namespaces.get(name) !== undefined;
  }

  #turned<T>(items: readonly T[]): readonly T[] {
    const turn = this.#turn++ % Math.max(1, items.length);
    return [...items.slice(turn), ...items.slice(0, turn)];
  }
}

/** `[_port, _proto,] service, namespace`, or `endpoint, service, namespace`. */
function parseServiceName(labels: readonly string[]): ServiceName | undefined {
  const [namespace, service, ...rest] = labels.toReversed();
  const name = { namespace: namespace!, service: service! };
  if (rest.length === 0) return name;
  if (rest.length === 1) return { ...name, endpoint: rest[0]! };
  const [protocol, port] = rest as [string, string];
  if (rest.length > 2 || !protocol.startsWith('_') || !port.startsWith('_')) return undefined;
  return { ...name, port: { name: port.slice(1), protocol: protocol.slice(1) } };
}

function externalName(service: Service, { endpoint, port }: ServiceName, name: string): ZoneAnswer {
  const data = service.spec?.externalName;
  if (!data || endpoint !== undefined || port) return 'unknown';
  return [{ type: 'CNAME', name, ttl: TTL_S, data: data.replace(/\.$/, '') }];
}

/** A service's own addresses, once for each of its ports. */
function addressesOf({ spec }: Service, { port }: ServiceName) {
  const ports = (spec?.ports ?? []).filter(
    (each) => !port || (each.name === port.name && (each.protocol ?? 'TCP').toLowerCase() === port.protocol),
  );
  return (spec?.clusterIPs ?? [])
    .filter((address) => address.includes('.'))
    .flatMap((address) => ports.map((each) => ({ address, port: each.port })));
}

function unique<T>(items: readonly T[], keyOf: (item: T) => string): readonly T[] {
  return [...new Map(items.map((item) => [keyOf(item), item])).values()];
}
