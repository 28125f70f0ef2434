import type { ContainerCreate } from '../../engine.ts';
import { processCapabilities, resolveCapabilities } from './capabilities.ts';
import { deviceRules, maskedPaths, networkSysctls, readonlyPaths } from './defaults.ts';
import { hostDevices } from './host-devices.ts';
import type { MachineLimits } from './limits.ts';
import { containerMounts, type ContainerFiles, type PlacedMount } from './mounts.ts';
import type { OciLinux, OciProcess, OciSpec } from './oci.ts';
import { joinEnvironment } from './process.ts';
import { cgroupLimits, oomScoreAdjustment, processLimits, unlimited } from './resources.ts';
import { seccompFor } from './seccomp.ts';
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
  /** `host`, `own` (a new one with loopback alone), or the path of a prepared one. */
  readonly networkNamespace: 'host' | 'own' | { readonly path: string };
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
  return {
    ociVersion: '1.0.2',
    process: buildProcess(input.process, input.user, input),
    root: { path: input.rootPath, readonly: create.isReadOnlyRoot ?? false },
    hostname: input.hostname,
    mounts: containerMounts(input.mounts, input.files, create.isPrivileged ?? false),
    linux: buildLinux(input),
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
    noNewPrivileges: false,
  };
}

/** What the machine could not grant in full, for a person to read. Throws as `buildSpec` does, so a bad request fails when it is made. */
export function specWarnings(create: ContainerCreate, limits: MachineLimits): readonly string[] {
  capabilitiesOf(create, limits);
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

function buildLinux(input: SpecInput): OciLinux {
  const { create, networkNamespace, limits } = input;
  const isPrivileged = create.isPrivileged ?? false;
  const seccomp = isPrivileged ? undefined : seccompFor(capabilitiesOf(create, limits), input.architecture);
  const network =
    networkNamespace === 'host'
      ? []
      : [{ type: 'network', ...(networkNamespace !== 'own' && { path: networkNamespace.path }) }];
  return {
    namespaces: [
      ...['mount', 'uts', 'pid', 'ipc', ...(input.isCgroup2 ? ['cgroup'] : [])].map((type) => ({ type })),
      ...network,
    ],
    cgroupsPath: input.cgroupPath,
    resources: {
      ...cgroupLimits(create.resources ?? {}, limits).value,
      devices: isPrivileged ? [{ allow: true, access: 'rwm' }] : deviceRules,
    },
    ...(isPrivileged && { devices: hostDevices() }),
    sysctl: { ...(networkNamespace !== 'host' && networkSysctls), ...create.sysctls },
    maskedPaths: isPrivileged ? [] : maskedPaths,
    readonlyPaths: isPrivileged ? [] : readonlyPaths,
    ...(seccomp && { seccomp }),
  };
}
