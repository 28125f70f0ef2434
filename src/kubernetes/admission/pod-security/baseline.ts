/** The Baseline level: nothing by which a pod is known to take over its node. Kubernetes documentation, "Pod Security Standards", "Baseline". */
import type { PodSpec } from '../../types.ts';
import {
  containersOf,
  eachContainer,
  named,
  plural,
  podAndContainers,
  quoted,
  type AnyContainer,
  type Check,
} from './check.ts';

const defaultCapabilities = new Set([
  'AUDIT_WRITE',
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'MKNOD',
  'NET_BIND_SERVICE',
  'SETFCAP',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYS_CHROOT',
]);

const capabilities: Check = ({ spec }) => {
  const added = (container: AnyContainer) =>
    (container.securityContext?.capabilities?.add ?? []).filter((name) => !defaultCapabilities.has(name));
  const bad = containersOf(spec).filter((container) => added(container).length > 0);
  if (bad.length === 0) return undefined;
  const names = [...new Set(bad.flatMap(added))].sort();
  return {
    reason: 'non-default capabilities',
    detail: `${named(bad)} must not include ${quoted(names)} in securityContext.capabilities.add`,
  };
};

const hostNamespaces: Check = ({ spec }) => {
  const used = (['hostNetwork', 'hostPID', 'hostIPC'] as const).filter((name) => spec[name]);
  return used.length > 0
    ? { reason: 'host namespaces', detail: used.map((name) => `${name}=true`).join(', ') }
    : undefined;
};

const hostPathVolumes: Check = ({ spec }) => {
  const bad = (spec.volumes ?? []).filter(({ hostPath }) => hostPath);
  if (bad.length === 0) return undefined;
  return {
    reason: 'hostPath volumes',
    detail: `${plural('volume', bad.length)} ${quoted(bad.map(({ name }) => name))}`,
  };
};

const hostPorts: Check = ({ spec }) => {
  const portsOf = ({ ports }: AnyContainer) => (ports ?? []).flatMap(({ hostPort }) => (hostPort ? [hostPort] : []));
  const bad = containersOf(spec).filter((container) => portsOf(container).length > 0);
  if (bad.length === 0) return undefined;
  const ports = [...new Set(bad.flatMap(portsOf))].sort((a, b) => a - b);
  return {
    reason: 'hostPort',
    detail: `${named(bad)} ${bad.length === 1 ? 'uses' : 'use'} ${plural('hostPort', ports.length)} ${ports.join(', ')}`,
  };
};

const privileged = eachContainer(
  'privileged',
  ({ securityContext }) => securityContext?.privileged,
  (bad) => `${named(bad)} must not set securityContext.privileged=true`,
);

const procMount: Check = ({ spec }) => {
  const mountOf = ({ securityContext }: AnyContainer) => securityContext?.procMount;
  const bad = containersOf(spec).filter((container) => ![undefined, '', 'Default'].includes(mountOf(container)));
  if (bad.length === 0) return undefined;
  const types = [...new Set(bad.map((container) => mountOf(container)!))].sort();
  return { reason: 'procMount', detail: `${named(bad)} must not set securityContext.procMount to ${quoted(types)}` };
};

const selinuxTypes: ReadonlyMap<string, number> = new Map([
  ['', 0],
  ['container_init_t', 0],
  ['container_kvm_t', 0],
  ['container_t', 0],
  ['container_engine_t', 31],
]);
type Selinux = NonNullable<NonNullable<PodSpec['securityContext']>['seLinuxOptions']>;

const seLinuxOptions: Check = ({ spec }, minor) => {
  const isAllowed = (type: string) => {
    const since = selinuxTypes.get(type);
    return since !== undefined && since <= minor;
  };
  const isBad = (options: Selinux | undefined) =>
    !!options && (!isAllowed(options.type ?? '') || !!options.user || !!options.role);
  const ofPod = spec.securityContext?.seLinuxOptions;
  const bad = containersOf(spec).filter(({ securityContext }) => isBad(securityContext?.seLinuxOptions));
  const all = [
    ...(isBad(ofPod) ? [ofPod!] : []),
    ...bad.map(({ securityContext }) => securityContext!.seLinuxOptions!),
  ];
  if (all.length === 0) return undefined;
  const types = [...new Set(all.map(({ type }) => type ?? '').filter((type) => !isAllowed(type)))].sort();
  const what = [
    ...(types.length > 0 ? [`${plural('type', types.length)} ${quoted(types)}`] : []),
    ...(all.some(({ user }) => user) ? ['user may not be set'] : []),
    ...(all.some(({ role }) => role) ? ['role may not be set'] : []),
  ];
  const who = [...(isBad(ofPod) ? ['pod'] : []), ...(bad.length > 0 ? [named(bad)] : [])].join(' and ');
  return {
    reason: 'seLinuxOptions',
    detail: `${who} set forbidden securityContext.seLinuxOptions: ${what.join('; ')}`,
  };
};

const seccompProfile = podAndContainers(
  'seccompProfile',
  (context) => context?.seccompProfile?.type === 'Unconfined',
  'must not set securityContext.seccompProfile.type to "Unconfined"',
);

const appArmorAnnotation = 'container.apparmor.security.beta.kubernetes.io/';
const isAllowedProfile = (profile: string) =>
  profile === '' || profile === 'runtime/default' || profile.startsWith('localhost/');

const appArmorFields = podAndContainers(
  '',
  (context) => context?.appArmorProfile?.type === 'Unconfined',
  'must not set AppArmor profile type to "Unconfined"',
);

/** Until v1.30 a profile was an annotation, and is taken from one still. */
const appArmorProfile: Check = (checked, minor) => {
  const annotations = Object.entries(checked.metadata?.annotations ?? {})
    .filter(([key, value]) => key.startsWith(appArmorAnnotation) && !isAllowedProfile(value))
    .map(([key, value]) => `${JSON.stringify(key)}=${JSON.stringify(value)}`);
  const fields = appArmorFields(checked, minor);
  const details = [
    ...(fields ? [fields.detail] : []),
    ...(annotations.length > 0 ? [`${plural('annotation', annotations.length)} ${annotations.join(', ')}`] : []),
  ];
  if (details.length === 0) return undefined;
  const count = annotations.length + (fields ? 1 : 0);
  return { reason: `forbidden AppArmor ${plural('profile', count)}`, detail: details.join(' and ') };
};

/** With the minor version that allowed each. */
const safeSysctls: ReadonlyMap<string, number> = new Map([
  ['kernel.shm_rmid_forced', 0],
  ['net.ipv4.ip_local_port_range', 0],
  ['net.ipv4.ip_unprivileged_port_start', 0],
  ['net.ipv4.ping_group_range', 0],
  ['net.ipv4.tcp_syncookies', 0],
  ['net.ipv4.ip_local_reserved_ports', 27],
  ['net.ipv4.tcp_fin_timeout', 29],
  ['net.ipv4.tcp_keepalive_intvl', 29],
  ['net.ipv4.tcp_keepalive_probes', 29],
  ['net.ipv4.tcp_keepalive_time', 29],
  ['net.ipv4.tcp_rmem', 32],
  ['net.ipv4.tcp_wmem', 32],
]);

const sysctls: Check = ({ spec }, minor) => {
  const isSafe = (name: string) => {
    const since = safeSysctls.get(name);
    return since !== undefined && since <= minor;
  };
  const bad = (spec.securityContext?.sysctls ?? []).map(({ name }) => name).filter((name) => !isSafe(name));
  return bad.length > 0 ? { reason: 'forbidden sysctls', detail: bad.join(', ') } : undefined;
};

const hostProbes: Check = ({ spec }) => {
  const isBad = ({ lifecycle, livenessProbe, readinessProbe, startupProbe }: AnyContainer) =>
    [lifecycle?.postStart, lifecycle?.preStop, livenessProbe, readinessProbe, startupProbe].some(
      (handler) => handler?.httpGet?.host || handler?.tcpSocket?.host,
    );
  const bad = containersOf(spec).filter(isBad);
  return bad.length > 0
    ? { reason: 'probe or lifecycle host', detail: `${named(bad)} must not set probe or lifecycle handler host` }
    : undefined;
};

const windowsHostProcess = podAndContainers(
  'hostProcess',
  (context) => context?.windowsOptions?.hostProcess,
  'must not set securityContext.windowsOptions.hostProcess=true',
);

/** In the order in which upstream tells them, that of their names. */
export const baselineChecks = {
  appArmorProfile,
  capabilities,
  hostNamespaces,
  hostPathVolumes,
  hostPorts,
  hostProbes,
  privileged,
  procMount,
  seLinuxOptions,
  seccompProfile,
  sysctls,
  windowsHostProcess,
} satisfies { readonly [name: string]: Check };
