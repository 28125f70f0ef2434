import type { IdMapping, IdRange } from '#kernel';
import type { ContainerCreate } from '../../engine.ts';
import { processCapabilities, resolveCapabilities } from './capabilities.ts';
import { deviceRules, maskedPaths, networkSysctls, readonlyPaths } from './defaults.ts';
import { mappedDevices, mountOf, nodeOf, parseDeviceRule, ruleOf, type GrantedDevice } from './devices.ts';
import { hostDevices } from './host-devices.ts';
import type { MachineLimits } from './limits.ts';
import { containerMounts, type ContainerFiles, type PlacedMount } from './mounts.ts';
import type { JoinedNamespaces } from '../namespaces.ts';
import type { OciIdMapping, OciLinux, OciProcess, OciSeccomp, OciSpec } from './oci.ts';
import { joinEnvironment } from './process.ts';
import { cgroupLimits, oomScoreAdjustment, processLimits, unlimited } from './resources.ts';
import { readSeccompProfile } from './seccomp-document.ts';
import { seccompFor } from './seccomp.ts';
import { checkSysctls } from './sysctls.ts';
import type { ResolvedUser } from './user.ts';

/** Everything that decides a container's OCI configuration. */
export interface SpecInput {
  readonly create: ContainerCreate;
  readonly process: ProcessInput;
  readonly user: ResolvedUser;
  readonly hostname: string;
  readonly rootPath: string;
  readonly mounts: readonly PlacedMount[];
  readonly files: ContainerFiles;
  readonly cgroupPath: string;
  /** `host`, `own` (a new one with loopback alone), or the path of a prepared one, or of another container's, whose settings are its own. */
  readonly networkNamespace: 'host' | 'own' | { readonly path: string; readonly isOthers?: boolean };
  /** Those of processes and of IPC. */
  readonly namespaces: JoinedNamespaces;
  /** Where ids are mapped, its user namespace. */
  readonly userNamespace?: { readonly path: string; readonly ids: IdMapping } | undefined;
  readonly isCgroup2: boolean;
  readonly architecture: string;
  readonly limits: MachineLimits;
}

/** The part of a process that is the same for a container's first and for an exec. */
export interface ProcessInput {
  readonly args: readonly string[];
  readonly environment: readonly string[];
  readonly workingDirectory: string;
  readonly isTty: boolean;
}

/** The configuration runc is given. Throws `InvalidArgument` for what cannot be asked. */
export function buildSpec(input: SpecInput): OciSpec {
  const { create } = input;
  const devices = create.isPrivileged ? hostDevices() : mappedDevices(create.devices ?? []);
  // Only the machine's root makes device nodes.
  const nodes = input.userNamespace ? devices.map(mountOf) : [];
  return {
    ociVersion: '1.0.2',
    process: buildProcess(input.process, input.user, input),
    root: { path: input.rootPath, readonly: create.isReadOnlyRoot ?? false },
    // In the machine's UTS namespace the name is the machine's.
    ...(create.namespaces?.uts !== 'host' && { hostname: input.hostname }),
    mounts: containerMounts([...input.mounts, ...nodes], input.files, create),
    ...(create.annotations && { annotations: create.annotations }),
    linux: buildLinux(input, devices),
  };
}

/** A process of the container: its first, or one added by exec. */
export function buildProcess(
  process: ProcessInput,
  user: ResolvedUser,
  { create, limits }: { readonly create: ContainerCreate; readonly limits: MachineLimits },
): OciProcess {
  return {
    terminal: process.isTty,
    user: { uid: user.uid, gid: user.gid, additionalGids: user.additionalGids },
    args: process.args,
    env: joinEnvironment([`HOME=${user.home}`], process.environment),
    cwd: process.workingDirectory,
    capabilities: processCapabilities(capabilitiesOf(create, limits), user.uid),
    rlimits: processLimits(create.ulimits, limits).value,
    oomScoreAdj: oomScoreAdjustment(create.oomScoreAdj, limits).value,
    noNewPrivileges: create.isPrivilegeGainForbidden ?? false,
  };
}

/** What the machine could not grant in full, for a person to read. Throws as `buildSpec` does, so a bad request fails when it is made. */
export function specWarnings(create: ContainerCreate, limits: MachineLimits): readonly string[] {
  const capabilities = capabilitiesOf(create, limits);
  if (create.seccomp !== undefined && create.seccomp !== 'unconfined')
    readSeccompProfile(create.seccomp, capabilities, process.arch);
  for (const rule of create.deviceRules ?? []) parseDeviceRule(rule);
  checkSysctls(create);
  return [
    ...cgroupLimits(create.resources ?? {}, limits).warnings,
    ...processLimits(create.ulimits, limits).warnings,
    ...oomScoreAdjustment(create.oomScoreAdj, limits).warnings,
  ];
}

/** The text of config.json. */
export function writeSpec(spec: OciSpec | OciProcess): string {
  // RLIM_INFINITY is 2^64-1, more than a JavaScript number holds exactly.
  return JSON.stringify(spec).replaceAll(
    new RegExp(`"(soft|hard)":${unlimited}(?=[,}])`, 'g'),
    '"$1":18446744073709551615',
  );
}

function capabilitiesOf(create: ContainerCreate, limits: MachineLimits): ReadonlySet<string> {
  return resolveCapabilities({
    isPrivileged: create.isPrivileged ?? false,
    add: create.capabilities?.add ?? [],
    drop: create.capabilities?.drop ?? [],
    available: limits.capabilities,
  });
}

function seccompOf({ create, limits, architecture }: SpecInput): OciSeccomp | undefined {
  if (create.seccomp === 'unconfined') return undefined;
  const capabilities = capabilitiesOf(create, limits);
  return create.seccomp === undefined
    ? seccompFor(capabilities, architecture, limits)
    : readSeccompProfile(create.seccomp, capabilities, architecture);
}

/** On v2 a container sees its own cgroup as the root, unless told otherwise or privileged, as in Docker. */
function hasOwnCgroups({ create, isCgroup2 }: SpecInput): boolean {
  const asked = create.namespaces?.cgroup;
  return asked === undefined ? isCgroup2 && !create.isPrivileged : asked === 'private';
}

function buildLinux(input: SpecInput, devices: readonly GrantedDevice[]): OciLinux {
  const { create, networkNamespace, userNamespace, limits } = input;
  const isPrivileged = create.isPrivileged ?? false;
  const seccomp = isPrivileged ? undefined : seccompOf(input);
  const network =
    networkNamespace === 'host'
      ? []
      : [{ type: 'network', ...(networkNamespace !== 'own' && { path: networkNamespace.path }) }];
  return {
    namespaces: [
      { type: 'mount' },
      ...(create.namespaces?.uts === 'host' ? [] : [{ type: 'uts' }]),
      ...input.namespaces,
      ...(hasOwnCgroups(input) ? [{ type: 'cgroup' }] : []),
      ...network,
      ...(userNamespace ? [{ type: 'user', path: userNamespace.path }] : []),
    ],
    ...(userNamespace && {
      uidMappings: userNamespace.ids.users.map(ociMapping),
      gidMappings: userNamespace.ids.groups.map(ociMapping),
    }),
    cgroupsPath: input.cgroupPath,
    resources: {
      ...cgroupLimits(create.resources ?? {}, limits).value,
      devices: isPrivileged
        ? [{ allow: true, access: 'rwm' }]
        : [...deviceRules, ...devices.map(ruleOf), ...(create.deviceRules ?? []).map(parseDeviceRule)],
    },
    ...(devices.length > 0 && !userNamespace && { devices: devices.map(nodeOf) }),
    sysctl: {
      ...(networkNamespace !== 'host' &&
        !(typeof networkNamespace === 'object' && networkNamespace.isOthers) &&
        networkSysctls(userNamespace?.ids)),
      // As a sysctl, for runc knows the member `domainname` from 1.2 on alone.
      ...(create.domainname !== undefined &&
        // Set from outside then, but never the machine's own, which runc refuses.
        (!userNamespace || create.namespaces?.uts === 'host') && { 'kernel.domainname': create.domainname }),
      ...create.sysctls,
    },
    maskedPaths: create.maskedPaths ?? (isPrivileged ? [] : maskedPaths),
    readonlyPaths: create.readonlyPaths ?? (isPrivileged ? [] : readonlyPaths),
    ...(seccomp && { seccomp }),
  };
}

function ociMapping({ inside, outside, count }: IdRange): OciIdMapping {
  return { containerID: inside, hostID: outside, size: count };
}
