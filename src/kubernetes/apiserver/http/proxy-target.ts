/** What `pods/…/proxy` and `services/…/proxy` lead to. Source: `pkg/registry/core/{pod,service}`, "ResourceLocation"; names are `[https:]name[:port]`. */
import { endpointSlices, pods } from '../../resources.ts';
import { notFound, StatusError } from '../../status.ts';
import type { EndpointSlice, Pod, Service } from '../../types.ts';
import { get } from '../operations/read.ts';
import type { ApiParts, NamedCall } from '../parts.ts';
import type { PodPort } from './dial-pod.ts';

interface ProxyName {
  readonly isTls: boolean;
  readonly name: string;
  readonly port: string;
}

function readName(text: string): ProxyName {
  const parts = text.split(':');
  if (parts.length === 3) return { isTls: parts[0] === 'https', name: parts[1]!, port: parts[2]! };
  const [name = '', port = ''] = parts;
  return { isTls: false, name, port };
}

/** Throws `NotFound`, `BadRequest`, and `ServiceUnavailable` for a service without a ready pod. */
export async function proxyTarget(parts: ApiParts, call: NamedCall): Promise<PodPort> {
  const asked = readName(call.name);
  return call.resource.type.resource === 'services' ? serviceTarget(parts, call, asked) : podTarget(parts, call, asked);
}

async function podTarget(parts: ApiParts, call: NamedCall, { name, port, isTls }: ProxyName): Promise<PodPort> {
  const pod = (await get(parts, { ...call, name })).object as Pod;
  const first = pod.spec?.containers.flatMap(({ ports }) => ports ?? [])[0]?.containerPort ?? 80;
  return { ...placeOf(pod), port: port ? numberOf(port) : first, isTls };
}

function placeOf({ metadata, spec }: Pod): Pick<PodPort, 'node' | 'namespace' | 'pod'> {
  const [namespace, pod, node] = [metadata?.namespace ?? '', metadata?.name ?? '', spec?.nodeName];
  if (!node) throw new StatusError('BadRequest', `pod ${pod} does not have a host assigned`);
  return { node, namespace, pod };
}

function numberOf(port: string): number {
  if (/^[1-9]\d{0,4}$/.test(port)) return Number(port);
  throw new StatusError('BadRequest', `invalid port ${JSON.stringify(port)}`);
}

async function serviceTarget(parts: ApiParts, call: NamedCall, { name, port, isTls }: ProxyName): Promise<PodPort> {
  const { spec } = (await get(parts, { ...call, name })).object as Service;
  // Slices know a service's ports by name and by the pods' numbers, callers also by the service's own.
  const known = spec?.ports?.find((each) => each.name === port || String(each.port) === port);
  const wanted = known ? (known.name ?? '') : port;
  const slices = parts.informers.of(endpointSlices);
  await slices.synced();
  const own = slices
    .list(call.namespace)
    .filter(({ metadata }) => metadata?.labels?.['kubernetes.io/service-name'] === name);
  for (const slice of own) {
    const number = portIn(slice, wanted);
    const pod = number === undefined ? undefined : readyPod(slice);
    if (!pod) continue;
    const copy = parts.informers.of(pods);
    await copy.synced();
    const found = copy.get(`${call.namespace}/${pod}`);
    if (found) return { ...placeOf(found), port: number!, isTls };
  }
  if (port && own.length && own.every((slice) => portIn(slice, wanted) === undefined))
    throw notFound({ group: '', resource: 'services' }, `${name}:${port}`);
  throw new StatusError('ServiceUnavailable', `no endpoints available for service ${JSON.stringify(name)}`);
}

/** The number of a port by its name, or of the only one. */
function portIn({ ports = [] }: EndpointSlice, asked: string): number | undefined {
  const found = asked ? ports.find(({ name, port }) => name === asked || String(port) === asked) : ports[0];
  return found?.port;
}

function readyPod({ endpoints }: EndpointSlice): string | undefined {
  return endpoints.find(({ conditions, targetRef }) => conditions?.ready !== false && targetRef?.kind === 'Pod')
    ?.targetRef?.name;
}
