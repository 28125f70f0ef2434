import { DabbaError } from '#base';
import type { ContainerCreate } from '#engine';
import type * as types from '../../types.ts';

type SecurityContext = NonNullable<types.Container['securityContext']>;
type PodSecurityContext = NonNullable<types.PodSpec['securityContext']>;

/** Of a pod's and a container's security context: the container's members win ("Configure a Security Context for a Pod or Container", Kubernetes documentation). */
export function securityOf(pod: types.Pod, container: types.Container): PodSecurityContext & SecurityContext {
  const own = Object.entries(container.securityContext ?? {}).filter(
    ([, value]) => value !== undefined && value !== null,
  );
  return { ...pod.spec?.securityContext, ...(Object.fromEntries(own) as SecurityContext) };
}

/** What a security context is read against. */
export interface SecurityGround {
  /** Whom the image names. */
  readonly imageUser: string;
  /** The text of a seccomp profile of the node's own. */
  readonly localProfile: (name: string) => string;
}

/** The part of an engine's request that a security context decides. Throws `FailedPrecondition` in upstream's words. */
export function securityRequest(
  pod: types.Pod,
  container: types.Container,
  { imageUser, localProfile }: SecurityGround,
): Pick<
  ContainerCreate,
  | 'user'
  | 'supplementaryGroups'
  | 'capabilities'
  | 'isPrivileged'
  | 'isReadOnlyRoot'
  | 'isPrivilegeGainForbidden'
  | 'seccomp'
  | 'maskedPaths'
  | 'readonlyPaths'
> {
  const security = securityOf(pod, container);
  verifyNonRoot(security, { pod, container, imageUser });
  const { capabilities, privileged = false, allowPrivilegeEscalation, seccompProfile, procMount } = security;
  const user = userOf(security, imageUser);
  const groups = [
    ...(security.supplementalGroups ?? []),
    ...(security.fsGroup === undefined ? [] : [security.fsGroup]),
  ];
  return {
    ...(user !== undefined && { user }),
    ...(groups.length > 0 && { supplementaryGroups: groups.map(String) }),
    ...(capabilities && { capabilities: { add: capabilities.add ?? [], drop: capabilities.drop ?? [] } }),
    isPrivileged: privileged,
    isReadOnlyRoot: security.readOnlyRootFilesystem ?? false,
    isPrivilegeGainForbidden: allowPrivilegeEscalation === false && !privileged,
    // Without a word from the pod the runtime's own profile holds, as with the kubelet's `seccompDefault`.
    ...(seccompProfile?.type === 'Unconfined' && { seccomp: 'unconfined' }),
    ...(seccompProfile?.type === 'Localhost' && { seccomp: localProfile(seccompProfile.localhostProfile ?? '') }),
    ...(procMount === 'Unmasked' && { maskedPaths: [], readonlyPaths: [] }),
  };
}

function userOf({ runAsUser, runAsGroup }: PodSecurityContext, imageUser: string): string | undefined {
  if (runAsUser === undefined && runAsGroup === undefined) return undefined;
  const user = runAsUser === undefined ? imageUser.split(':', 1)[0] || '0' : String(runAsUser);
  return runAsGroup === undefined ? user : `${user}:${runAsGroup}`;
}

/** Behaviour: kubelet `verifyRunAsNonRoot`. */
function verifyNonRoot(
  { runAsNonRoot, runAsUser }: PodSecurityContext,
  {
    pod,
    container,
    imageUser,
  }: { readonly pod: types.Pod; readonly container: types.Container; readonly imageUser: string },
): void {
  if (!runAsNonRoot) return;
  const { name, namespace, uid } = pod.metadata ?? {};
  const where = `(pod: "${name}_${namespace}(${uid})", container: ${container.name})`;
  const refuse = (why: string) => new DabbaError('FailedPrecondition', `${why} ${where}`);
  if (runAsUser !== undefined) {
    if (runAsUser === 0) throw refuse("container's runAsUser breaks non-root policy");
    return;
  }
  const user = imageUser.split(':', 1)[0] ?? '';
  if (user === '' || user === '0') throw refuse('container has runAsNonRoot and image will run as root');
  if (!/^\d+$/.test(user))
    throw refuse(`container has runAsNonRoot and image has non-numeric user (${user}), cannot verify user is non-root`);
}

/** Sysctls that touch nothing beyond the pod ("Using sysctls in a Kubernetes Cluster", Kubernetes documentation). */
const safeSysctls = new Set([
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.tcp_syncookies',
  'net.ipv4.ping_group_range',
  'net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.ip_local_reserved_ports',
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
  'net.ipv4.tcp_rmem',
  'net.ipv4.tcp_wmem',
]);

/** The first sysctl of a pod that it may not set, or undefined. */
export function forbiddenSysctl({ spec }: types.Pod): string | undefined {
  return spec?.securityContext?.sysctls
    ?.map(({ name }) => name.replaceAll('/', '.'))
    .find((name) => !safeSysctls.has(name));
}

export function sysctlsOf({ spec }: types.Pod): { readonly [name: string]: string } {
  const sysctls = spec?.securityContext?.sysctls ?? [];
  return Object.fromEntries(sysctls.map(({ name, value }) => [name.replaceAll('/', '.'), value]));
}
