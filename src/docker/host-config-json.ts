import type { BlockLimit, Container, ContainerCreate, Mount, NamespaceOf, Resources, SharedNamespaces } from '#engine';

/** Links of other networks are told with their endpoints. */
const isOnDefault = ({ network }: ContainerCreate) => network.mode === 'bridge' && network.network === 'bridge';

const defaultSharedMemoryBytes = 64 * 1024 * 1024;

/** The HostConfig of an inspected container, but for what its networks say. */
export function hostConfigJson({ name, create }: Pick<Container, 'name' | 'create'>): object {
  const { restartPolicy, namespaces = {}, resolution = {} } = create;
  return {
    Binds: bindsOf(create),
    ContainerIDFile: '',
    LogConfig: { Type: create.log?.isOff ? 'none' : 'json-file', Config: logOptionsOf(create) },
    RestartPolicy: { Name: restartPolicy?.name ?? 'no', MaximumRetryCount: restartPolicy?.maximumRetryCount ?? 0 },
    AutoRemove: create.isRemovedOnExit ?? false,
    VolumeDriver: '',
    VolumesFrom: volumesFromOf(create),
    ConsoleSize: [0, 0],
    CapAdd: create.capabilities?.add?.length ? create.capabilities.add : null,
    CapDrop: create.capabilities?.drop?.length ? create.capabilities.drop : null,
    CgroupnsMode: namespaces.cgroup ?? 'host',
    Dns: resolution.nameservers ?? [],
    DnsOptions: resolution.options ?? [],
    DnsSearch: resolution.searchDomains ?? [],
    ExtraHosts: resolution.hosts?.map(({ address, names }) => `${names.join(' ')}:${address}`) ?? null,
    GroupAdd: create.supplementaryGroups ?? null,
    IpcMode: ipcMode(namespaces.ipc),
    Cgroup: '',
    Links: isOnDefault(create)
      ? (create.links?.map((link) => `/${link.container}:/${name}/${link.alias}`) ?? null)
      : null,
    OomScoreAdj: create.oomScoreAdj ?? 0,
    PidMode: namespaceText(namespaces.pid),
    Privileged: create.isPrivileged ?? false,
    ReadonlyRootfs: create.isReadOnlyRoot ?? false,
    SecurityOpt: securityOf(create),
    UTSMode: namespaces.uts ?? '',
    UsernsMode: namespaces.user === 'host' ? 'host' : '',
    ShmSize: create.sharedMemoryBytes ?? defaultSharedMemoryBytes,
    Runtime: 'runc',
    Isolation: '',
    CgroupParent: create.cgroupParent ?? '',
    ...resourcesJson(create.resources ?? {}),
    Devices: (create.devices ?? []).map(({ hostPath, containerPath, permissions }) => ({
      PathOnHost: hostPath,
      PathInContainer: containerPath,
      CgroupPermissions: permissions,
    })),
    DeviceCgroupRules: create.deviceRules ?? null,
    DeviceRequests: null,
    Ulimits: (create.ulimits ?? []).map(({ name, soft, hard }) => ({ Name: name, Soft: soft, Hard: hard })),
    CpuCount: 0,
    CpuPercent: 0,
    IOMaximumIOps: 0,
    IOMaximumBandwidth: 0,
    ...(create.sysctls ? { Sysctls: create.sysctls } : {}),
    ...(create.annotations ? { Annotations: create.annotations } : {}),
    ...(create.isInitEnabled === undefined ? {} : { Init: create.isInitEnabled }),
    ...mountsOf(create),
    ...tmpfsOf(create),
    MaskedPaths: create.maskedPaths ?? null,
    ReadonlyPaths: create.readonlyPaths ?? null,
  };
}

function resourcesJson(resources: Resources): object {
  const limits = (kind: BlockLimit['kind'], value: 'Rate' | 'Weight') =>
    (resources.blockLimits ?? [])
      .filter((limit) => limit.kind === kind)
      .map((limit) => ({ Path: limit.device, [value]: limit.value }));
  return {
    CpuShares: resources.cpuShares ?? 0,
    Memory: resources.memoryBytes ?? 0,
    NanoCpus: (resources.cpuMillis ?? 0) * 1_000_000,
    BlkioWeight: resources.blockWeight ?? 0,
    BlkioWeightDevice: limits('weight', 'Weight'),
    BlkioDeviceReadBps: limits('read-bytes', 'Rate'),
    BlkioDeviceWriteBps: limits('write-bytes', 'Rate'),
    BlkioDeviceReadIOps: limits('read-operations', 'Rate'),
    BlkioDeviceWriteIOps: limits('write-operations', 'Rate'),
    CpuPeriod: resources.cpuPeriodUs ?? 0,
    CpuQuota: resources.cpuQuotaUs ?? 0,
    CpuRealtimePeriod: resources.cpuRealtimePeriodUs ?? 0,
    CpuRealtimeRuntime: resources.cpuRealtimeRuntimeUs ?? 0,
    CpusetCpus: resources.cpusetCpus ?? '',
    CpusetMems: resources.cpusetMems ?? '',
    MemoryReservation: resources.memoryReservationBytes ?? 0,
    MemorySwap: resources.memorySwapBytes ?? 0,
    MemorySwappiness: resources.memorySwappiness ?? null,
    OomKillDisable: resources.isOomKillDisabled ?? null,
    PidsLimit: resources.pidsLimit ?? null,
  };
}

function ipcMode(ipc: SharedNamespaces['ipc']): string {
  if (ipc === 'shareable') return ipc;
  // Docker has no word for a prepared one, such as a pod's.
  return (typeof ipc === 'object' && 'path' in ipc ? '' : namespaceText(ipc)) || 'private';
}

const namespaceText = (of: NamespaceOf | undefined) =>
  of === undefined ? '' : of === 'host' ? 'host' : `container:${of.container}`;

function securityOf({ isPrivilegeGainForbidden, seccomp }: ContainerCreate): readonly string[] | null {
  const options = [
    ...(isPrivilegeGainForbidden ? ['no-new-privileges'] : []),
    ...(seccomp === undefined ? [] : [`seccomp=${seccomp}`]),
  ];
  return options.length === 0 ? null : options;
}

function logOptionsOf({ log }: ContainerCreate): object {
  return {
    ...(log?.maxSizeBytes === undefined ? {} : { 'max-size': String(log.maxSizeBytes) }),
    ...(log?.maxFiles === undefined ? {} : { 'max-file': String(log.maxFiles) }),
  };
}

function volumesFromOf({ mountsFrom = [] }: ContainerCreate): readonly string[] | null {
  if (mountsFrom.length === 0) return null;
  return mountsFrom.map(({ container, isReadOnly }) => `${container}${isReadOnly ? ':ro' : ''}`);
}

function bindsOf({ mounts = [] }: ContainerCreate): readonly string[] | null {
  const binds = mounts.flatMap((mount) => {
    if (mount.kind === 'tmpfs' || mount.kind === 'image') return [];
    if (mount.kind === 'volume' && mount.name === '') return [];
    const source = mount.kind === 'bind' ? mount.source : mount.name;
    return [`${source}:${mount.target}${modeOf(mount)}`];
  });
  return binds.length === 0 ? null : binds;
}

function modeOf(mount: Extract<Mount, { readonly kind: 'bind' | 'volume' }>): string {
  const words = [
    ...(mount.isReadOnly ? ['ro'] : []),
    ...(mount.kind === 'volume' && mount.isCopyLess ? ['nocopy'] : []),
    ...(mount.kind === 'bind' && mount.propagation ? [mount.propagation] : []),
  ];
  return words.length === 0 ? '' : `:${words.join(',')}`;
}

/** Mounts that `Binds` has no words for. */
function mountsOf({ mounts = [] }: ContainerCreate): { readonly Mounts?: object } {
  const Mounts = mounts.flatMap((mount) => {
    if (mount.kind !== 'image') return [];
    const options = mount.subpath === undefined ? {} : { ImageOptions: { Subpath: mount.subpath } };
    return [{ Type: 'image', Source: mount.image, Target: mount.target, ReadOnly: true, ...options }];
  });
  return Mounts.length === 0 ? {} : { Mounts };
}

function tmpfsOf({ mounts = [] }: ContainerCreate): { readonly Tmpfs?: object } {
  const entries = mounts.flatMap((mount) => {
    if (mount.kind !== 'tmpfs') return [];
    const options = [
      ...(mount.options ?? []),
      ...(mount.sizeBytes === undefined ? [] : [`size=${mount.sizeBytes}`]),
      ...(mount.mode === undefined ? [] : [`mode=${mount.mode.toString(8)}`]),
    ];
    return [[mount.target, options.join(',')] as const];
  });
  return entries.length === 0 ? {} : { Tmpfs: Object.fromEntries(entries) };
}
