import { DabbaError } from '#base';
import type { ContainerCreate, ImageConfig, Mount, Resources } from '#engine';
import { readNetworking } from './container-network.ts';
import type { Fields } from './fields.ts';

/** Reads the body of POST /containers/create. What would change the container and is not here yet throws `Unimplemented`. */
export function readCreate(body: Fields, name: string | undefined): ContainerCreate {
  const host = body.object('HostConfig');
  const image = body.word('Image');
  if (image === undefined) throw new DabbaError('InvalidArgument', 'no command specified: Image is required');
  refuseMissing(body, host);
  const entrypoint = body.texts('Entrypoint');
  return {
    image,
    ...readNetworking(body, host),
    isTty: body.flag('Tty'),
    isStdinOpen: body.flag('OpenStdin'),
    isStdinOnce: body.flag('StdinOnce'),
    isReadOnlyRoot: host.flag('ReadonlyRootfs'),
    isPrivileged: host.flag('Privileged'),
    isInitEnabled: host.flag('Init'),
    isRemovedOnExit: host.flag('AutoRemove'),
    mounts: readMounts(body, host),
    resources: readResources(host),
    capabilities: { add: host.texts('CapAdd') ?? [], drop: host.texts('CapDrop') ?? [] },
    ulimits: host.objects('Ulimits').map((limit) => ({
      name: limit.text('Name') ?? '',
      soft: limit.number('Soft') ?? 0,
      hard: limit.number('Hard') ?? 0,
    })),
    ...present({
      name,
      // `[""]` is how clients say "none", as against "the image's".
      entrypoint: entrypoint?.length === 1 && entrypoint[0] === '' ? [] : entrypoint,
      command: body.texts('Cmd'),
      environment: readEnvironment(body),
      workingDirectory: body.word('WorkingDir'),
      user: body.word('User'),
      hostname: body.word('Hostname'),
      labels: body.textMap('Labels'),
      sysctls: host.textMap('Sysctls'),
      restartPolicy: readRestartPolicy(host),
      stopSignal: body.word('StopSignal'),
      stopTimeoutMs: milliseconds(body.number('StopTimeout')),
      cgroupParent: host.word('CgroupParent'),
      healthCheck: readHealthCheck(body),
      oomScoreAdj: host.amount('OomScoreAdj'),
    }),
  };
}

/** Members that are honoured nowhere yet. A client that asks for them is told so instead of getting less than it asked for. */
const missing = {
  config: ['Domainname'],
  host: [
    'VolumesFrom',
    'Devices',
    'DeviceRequests',
    'DeviceCgroupRules',
    'SecurityOpt',
    'GroupAdd',
    'ExtraHosts',
    'Dns',
    'DnsSearch',
    'DnsOptions',
    'BlkioWeight',
    'BlkioWeightDevice',
    'BlkioDeviceReadBps',
    'BlkioDeviceWriteBps',
    'BlkioDeviceReadIOps',
    'BlkioDeviceWriteIOps',
    'CpuRealtimePeriod',
    'CpuRealtimeRuntime',
    'CpusetMems',
    'OomKillDisable',
    'StorageOpt',
    'Annotations',
    'MaskedPaths',
    'ReadonlyPaths',
  ],
} as const;

/** Members whose ordinary values mean the default. */
const ordinary: { readonly [name: string]: readonly string[] } = {
  PidMode: ['', 'private'],
  IpcMode: ['', 'private', 'shareable'],
  UTSMode: [''],
  UsernsMode: ['', 'host'],
  Runtime: ['', 'runc'],
  VolumeDriver: ['', 'local'],
  Isolation: ['', 'default'],
};

function refuseMissing(body: Fields, host: Fields): void {
  const refuse = (what: string) => {
    throw new DabbaError('Unimplemented', `${what} is not supported yet`);
  };
  for (const name of missing.config) if (body.isGiven(name)) refuse(name);
  for (const name of missing.host) if (host.isGiven(name)) refuse(`HostConfig.${name}`);
  for (const [name, values] of Object.entries(ordinary)) {
    const value = host.text(name) ?? '';
    if (!values.includes(value)) refuse(`HostConfig.${name} "${value}"`);
  }
  const log = host.object('LogConfig');
  if (!['', 'json-file', 'local'].includes(log.text('Type') ?? '')) refuse(`log driver "${log.text('Type')}"`);
  if (log.isGiven('Config')) refuse('HostConfig.LogConfig.Config');
  const shmSize = host.amount('ShmSize');
  if (shmSize !== undefined && shmSize !== 64 * 2 ** 20) refuse('HostConfig.ShmSize');
}

/** `NAME=value`. A name alone would unset what the image sets. */
function readEnvironment(body: Fields): readonly string[] | undefined {
  const entries = body.texts('Env');
  const unset = entries?.find((entry) => !entry.includes('='));
  if (unset !== undefined)
    throw new DabbaError('Unimplemented', `Env "${unset}": unsetting a variable is not supported yet`);
  return entries;
}

function readMounts(body: Fields, host: Fields): Mount[] {
  const binds = (host.texts('Binds') ?? []).map(readBind);
  const mounts = host.objects('Mounts').map(readMount);
  const tmpfs = Object.entries(host.textMap('Tmpfs') ?? {}).map(([target, options]) => readTmpfs(target, options));
  const asked = [...binds, ...mounts, ...tmpfs];
  // `Volumes` names paths alone; without a name the engine makes an anonymous volume.
  const anonymous = body
    .object('Volumes')
    .keys()
    .filter((target) => !asked.some((mount) => mount.target === target))
    .map((target): Mount => ({ kind: 'volume', name: '', target }));
  return [...asked, ...anonymous];
}

/** `source:target[:options]`; a source without a slash is a volume's name. */
function readBind(text: string): Mount {
  const [source, target, options = '', ...rest] = text.split(':');
  if (!source || !target || rest.length > 0)
    throw new DabbaError('InvalidArgument', `invalid volume specification: '${text}'`);
  const words = options.split(',').filter(Boolean);
  const unknown = words.find((word) => !['ro', 'rw', 'z', 'Z', 'nocopy', 'rprivate', 'private'].includes(word));
  if (unknown !== undefined) throw new DabbaError('InvalidArgument', `invalid mode: ${unknown} in '${text}'`);
  const isReadOnly = words.includes('ro');
  return source.startsWith('/')
    ? { kind: 'bind', source, target, isReadOnly }
    : { kind: 'volume', name: source, target, isReadOnly };
}

function readMount(mount: Fields): Mount {
  const target = mount.word('Target');
  if (target === undefined) throw new DabbaError('InvalidArgument', 'invalid mount config: Target is required');
  const isReadOnly = mount.flag('ReadOnly');
  const type = mount.text('Type') ?? '';
  switch (type) {
    case 'bind':
      return { kind: 'bind', source: mount.text('Source') ?? '', target, isReadOnly };
    case 'volume':
      return { kind: 'volume', name: mount.text('Source') ?? '', target, isReadOnly };
    case 'tmpfs': {
      const options = mount.object('TmpfsOptions');
      return {
        kind: 'tmpfs',
        target,
        ...present({ sizeBytes: options.amount('SizeBytes'), mode: options.amount('Mode') }),
      };
    }
    default:
      throw new DabbaError('InvalidArgument', `invalid mount config for type "${type}": mount type unknown`);
  }
}

function readTmpfs(target: string, options: string): Mount {
  const words = new Map(
    options
      .split(',')
      .filter(Boolean)
      .map((word) => [word.split('=')[0]!, word.split('=')[1] ?? ''] as const),
  );
  const size = words.get('size');
  const mode = words.get('mode');
  const unknown = [...words.keys()].find(
    (word) => !['size', 'mode', 'rw', 'nosuid', 'nodev', 'noexec', 'exec'].includes(word),
  );
  if (unknown !== undefined) throw new DabbaError('InvalidArgument', `invalid tmpfs option "${unknown}"`);
  return {
    kind: 'tmpfs',
    target,
    ...present({
      sizeBytes: size === undefined ? undefined : readSize(size),
      mode: mode === undefined ? undefined : Number.parseInt(mode, 8),
    }),
  };
}

function readSize(text: string): number {
  const match = /^(\d+)([kmg]?)b?$/i.exec(text);
  if (!match) throw new DabbaError('InvalidArgument', `invalid size "${text}"`);
  return Number(match[1]) * 1024 ** ['', 'k', 'm', 'g'].indexOf(match[2]!.toLowerCase());
}

function readResources(host: Fields): Resources {
  const nanoCpus = host.amount('NanoCpus');
  const quota = host.amount('CpuQuota');
  const period = host.amount('CpuPeriod') ?? 100_000;
  const cpuMillis =
    nanoCpus === undefined ? (quota === undefined || quota < 0 ? undefined : (quota * 1000) / period) : nanoCpus / 1e6;
  const pidsLimit = host.amount('PidsLimit');
  return present({
    cpuShares: host.amount('CpuShares'),
    cpuMillis,
    cpusetCpus: host.word('CpusetCpus'),
    memoryBytes: host.amount('Memory'),
    memoryReservationBytes: host.amount('MemoryReservation'),
    memorySwapBytes: host.amount('MemorySwap'),
    pidsLimit: pidsLimit === undefined || pidsLimit < 0 ? undefined : pidsLimit,
  });
}

const policies = ['no', 'always', 'unless-stopped', 'on-failure'] as const;

function readRestartPolicy(host: Fields): ContainerCreate['restartPolicy'] {
  const policy = host.object('RestartPolicy');
  const text = policy.word('Name') ?? 'no';
  const name = policies.find((known) => known === text);
  if (name === undefined) throw new DabbaError('InvalidArgument', `invalid restart policy: unknown policy '${text}'`);
  if (name === 'no') return undefined;
  return { name, ...present({ maximumRetryCount: policy.amount('MaximumRetryCount') }) };
}

function readHealthCheck(body: Fields): ImageConfig['Healthcheck'] | undefined {
  if (!body.isGiven('Healthcheck')) return undefined;
  const check = body.object('Healthcheck');
  return present({
    Test: check.texts('Test'),
    Interval: check.amount('Interval'),
    Timeout: check.amount('Timeout'),
    StartPeriod: check.amount('StartPeriod'),
    Retries: check.amount('Retries'),
  });
}

const milliseconds = (seconds: number | undefined) => (seconds === undefined ? undefined : seconds * 1000);

type Present<Type> = { readonly [name in keyof Type]?: Exclude<Type[name], undefined> };

/** The members that are there: our types tell "absent" from "undefined". */
function present<Type extends object>(members: Type): Present<Type> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as Present<Type>; // only undefined was dropped
}
