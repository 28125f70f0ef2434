/** Services: defaults, and the addresses and ports that are reserved with them. Source: `pkg/registry/core/service/{strategy,storage/alloc}.go`. */
import { invalid } from '../../status.ts';
import type { Service } from '../../types.ts';
import type { Draft } from '../draft.ts';
import type { Column, Effects, Strategy } from '../resource.ts';
import { type Reservations, reservations } from './allocation.ts';
import { age, nameColumn, pairs } from './columns.ts';
import { column } from './row.ts';

type Spec = NonNullable<Draft<Service>['spec']>;

export const serviceStrategy: Partial<Strategy<Service>> = {
  hasStatus: true,
  returnsDeleted: true,
  default: (service) => service.spec && defaultSpec(service.spec),
  prepareForCreate(service) {
    service.status = { loadBalancer: {} };
  },
  prepareForUpdate(service, old) {
    keepAllocated(service, old);
  },
  async allocate(service, old, context) {
    const taken = reservations(context, ownerOf(service));
    await allocateAddress(service, old, taken);
    await allocatePorts(service, old, taken);
    return taken.effects();
  },
  release: (service, context): Effects => {
    const held = reservations(context, ownerOf(service));
    for (const ip of addressesOf(service)) held.release(`service-ips/${ip}`);
    for (const port of nodePortsOf(service)) held.release(`node-ports/${port}`);
    return held.effects();
  },
};

function ownerOf({ metadata }: Service | Draft<Service>): string {
  return `${metadata?.namespace}/${metadata?.name}`;
}

function defaultSpec(spec: Spec): void {
  spec.sessionAffinity ||= 'None';
  spec.type ||= 'ClusterIP';
  if (spec.sessionAffinity === 'None') delete spec.sessionAffinityConfig;
  if (spec.sessionAffinity === 'ClientIP')
    spec.sessionAffinityConfig = {
      clientIP: { timeoutSeconds: spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? 10_800 },
    };
  for (const port of spec.ports ?? []) {
    port.protocol ||= 'TCP';
    if (port.targetPort === undefined || port.targetPort === 0 || port.targetPort === '') port.targetPort = port.port;
  }
  if (isExternal(spec)) spec.externalTrafficPolicy ||= 'Cluster';
  if (spec.type === 'LoadBalancer') spec.allocateLoadBalancerNodePorts ??= true;
  if (spec.type === 'ExternalName') return;
  spec.internalTrafficPolicy ??= 'Cluster';
  spec.ipFamilies ??= ['IPv4'];
  spec.ipFamilyPolicy ??= 'SingleStack';
  if (spec.clusterIP === undefined && spec.clusterIPs?.[0] !== undefined) spec.clusterIP = spec.clusterIPs[0];
  if (spec.clusterIP) spec.clusterIPs ??= [spec.clusterIP];
}

function isExternal({ type, externalIPs }: Spec): boolean {
  return type === 'NodePort' || type === 'LoadBalancer' || Boolean(externalIPs?.length);
}

function hasAddress({ type, clusterIP }: Spec): boolean {
  return type !== 'ExternalName' && clusterIP !== 'None';
}

function hasNodePorts({ type, allocateLoadBalancerNodePorts }: Spec): boolean {
  return type === 'NodePort' || (type === 'LoadBalancer' && allocateLoadBalancerNodePorts !== false);
}

function addressesOf({ spec }: Service): readonly string[] {
  return (spec?.clusterIPs ?? []).filter((ip) => ip && ip !== 'None');
}

function nodePortsOf({ spec }: Service): readonly number[] {
  const ports = (spec?.ports ?? []).map(({ nodePort }) => nodePort);
  return [...ports, spec?.healthCheckNodePort].filter((port): port is number => Boolean(port));
}

/** A client that sends back less than it was given does not give up what was allocated. */
function keepAllocated({ spec }: Draft<Service>, { spec: old }: Service): void {
  if (!spec || !old) return;
  if (spec.type !== 'ExternalName' && !spec.clusterIP && old.clusterIP) {
    spec.clusterIP = old.clusterIP;
    spec.clusterIPs = [...(old.clusterIPs ?? [])];
  }
  if (spec.type === 'ExternalName')
    for (const field of ['clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy', 'internalTrafficPolicy'] as const)
      delete spec[field];
  if (hasNodePorts(spec))
    for (const port of spec.ports ?? []) {
      const before = old.ports?.find(
        ({ protocol, port: number }) => protocol === port.protocol && number === port.port,
      );
      if (!port.nodePort && before?.nodePort) port.nodePort = before.nodePort;
    }
  else if (old.type !== spec.type) for (const port of spec.ports ?? []) delete port.nodePort;
  if (!isExternal(spec)) delete spec.externalTrafficPolicy;
  if (spec.type !== 'LoadBalancer') delete spec.allocateLoadBalancerNodePorts;
  if (!needsHealthPort(spec)) delete spec.healthCheckNodePort;
  else if (!spec.healthCheckNodePort && old.healthCheckNodePort) spec.healthCheckNodePort = old.healthCheckNodePort;
}

function needsHealthPort({ type, externalTrafficPolicy }: Spec): boolean {
  return type === 'LoadBalancer' && externalTrafficPolicy === 'Local';
}

async function allocateAddress(service: Draft<Service>, old: Service | undefined, taken: Reservations): Promise<void> {
  const spec = service.spec!;
  const held = old ? addressesOf(old) : [];
  if (!hasAddress(spec)) {
    for (const ip of held) taken.release(`service-ips/${ip}`);
    if (spec.clusterIP === 'None') spec.clusterIPs = ['None'];
    return;
  }
  const asked = spec.clusterIP;
  if (asked && held.includes(asked)) return;
  const ip = asked ? await taken.address(asked) : await taken.anyAddress();
  if (!ip)
    throw refusal(
      service,
      'spec.clusterIPs',
      asked ?? '',
      asked
        ? 'failed to allocate IP: provided IP is already allocated or not in the valid range'
        : 'failed to allocate a serviceIP: range is full',
    );
  for (const other of held) taken.release(`service-ips/${other}`);
  spec.clusterIP = ip;
  spec.clusterIPs = [ip];
}

async function allocatePorts(service: Draft<Service>, old: Service | undefined, taken: Reservations): Promise<void> {
  const spec = service.spec!;
  const held = new Set(old ? nodePortsOf(old) : []);
  const kept = new Set<number>();
  const one = async (asked: number | undefined, field: string): Promise<number> => {
    if (asked && (held.has(asked) || kept.has(asked))) {
      kept.add(asked);
      return asked;
    }
    const port = asked ? await taken.nodePort(asked) : await taken.anyNodePort();
    if (!port)
      throw refusal(
        service,
        field,
        asked ?? 0,
        asked ? 'provided port is already allocated' : 'failed to allocate a nodePort: range is full',
      );
    kept.add(port);
    return port;
  };
  for (const [index, port] of (spec.ports ?? []).entries())
    if (hasNodePorts(spec) || port.nodePort) port.nodePort = await one(port.nodePort, `spec.ports[${index}].nodePort`);
  if (needsHealthPort(spec)) spec.healthCheckNodePort = await one(spec.healthCheckNodePort, 'spec.healthCheckNodePort');
  for (const port of held) if (!kept.has(port)) taken.release(`node-ports/${port}`);
}

function refusal({ metadata }: Draft<Service>, field: string, value: string | number, why: string) {
  return invalid({ group: '', kind: 'Service' }, metadata?.name ?? '', [
    { type: 'Invalid value', field, message: `Invalid value: ${JSON.stringify(value)}: ${why}` },
  ]);
}

/** `kubectl get services`. Source: `printers.go`, "printService". */
export const serviceColumns: readonly Column<Service>[] = [
  nameColumn,
  column('Type', ({ spec }) => spec?.type ?? ''),
  column('Cluster-IP', ({ spec }) => spec?.clusterIPs?.[0] ?? spec?.clusterIP ?? '<none>'),
  column('External-IP', externalAddress),
  column('Port(s)', ({ spec }) => portList(spec?.ports ?? [])),
  age,
  column('Selector', ({ spec }) => pairs(spec?.selector), { priority: 1 }),
];

function externalAddress({ spec, status }: Service): string {
  const own = spec?.externalIPs ?? [];
  if (spec?.type === 'ExternalName') return spec.externalName ?? '';
  if (spec?.type !== 'LoadBalancer') return own.join(',') || '<none>';
  const given = (status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ip ?? hostname ?? '');
  return [...new Set([...given, ...own])].join(',') || '<pending>';
}

function portList(ports: NonNullable<NonNullable<Service['spec']>['ports']>): string {
  return (
    ports.map(({ port, nodePort, protocol }) => `${port}${nodePort ? `:${nodePort}` : ''}/${protocol}`).join(',') ||
    '<none>'
  );
}
