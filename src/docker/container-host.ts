import { isIP } from 'node:net';
import { DabbaError } from '#base';
import type { ContainerCreate, DeviceMapping, LogLimits, NamespaceOf, Resolution, SharedNamespaces } from '#engine';
import { readSize } from './container-mounts.ts';
import { present, type Fields } from './fields.ts';

type HostOptions = Pick<
  ContainerCreate,
  | 'namespaces'
  | 'sharedMemoryBytes'
  | 'supplementaryGroups'
  | 'devices'
  | 'deviceRules'
  | 'isPrivilegeGainForbidden'
  | 'seccomp'
  | 'maskedPaths'
  | 'readonlyPaths'
  | 'resolution'
  | 'log'
  | 'annotations'
>;

/** What a HostConfig says of devices, namespaces, confinement, name resolution and logs. */
export function readHostOptions(host: Fields): HostOptions {
  return present({
    namespaces: readNamespaces(host),
    sharedMemoryBytes: host.amount('ShmSize'),
    supplementaryGroups: given(host.texts('GroupAdd')),
    devices: given(host.objects('Devices').map(readDevice)),
    deviceRules: given(host.texts('DeviceCgroupRules')),
    maskedPaths: host.texts('MaskedPaths'),
    readonlyPaths: host.texts('ReadonlyPaths'),
    resolution: readResolution(host),
    log: readLog(host.object('LogConfig')),
    annotations: host.textMap('Annotations'),
    ...readSecurity(host.texts('SecurityOpt') ?? []),
  });
}

const given = <Item>(items: readonly Item[] | undefined) => (items?.length ? items : undefined);

function readNamespaces(host: Fields): SharedNamespaces | undefined {
  const uts = host.word('UTSMode');
  if (uts !== undefined && uts !== 'host') throw new DabbaError('InvalidArgument', `invalid UTS mode: ${uts}`);
  const cgroup = readCgroupMode(host.word('CgroupnsMode'));
  const ipcMode = host.word('IpcMode');
  const namespaces = present({
    pid: readNamespace('PID', host.word('PidMode'), ['private']),
    ipc: ipcMode === 'shareable' ? ('shareable' as const) : readNamespace('IPC', ipcMode, ['private']),
    uts: uts === undefined ? undefined : ('host' as const),
    cgroup,
    user: readUserMode(host.word('UsernsMode')),
  });
  return Object.keys(namespaces).length === 0 ? undefined : namespaces;
}

/** What the daemon maps, `host` undoes; dockerd knows no third mode. */
function readUserMode(mode: string | undefined): 'host' | undefined {
  if (mode === undefined || mode === 'host') return mode;
  throw new DabbaError('InvalidArgument', `invalid USER mode: ${mode}`);
}

function readCgroupMode(mode: string | undefined): 'host' | 'private' | undefined {
  if (mode === undefined || mode === 'host' || mode === 'private') return mode;
  throw new DabbaError('InvalidArgument', `invalid cgroup namespace mode: ${mode}`);
}

function readNamespace(what: string, mode: string | undefined, own: readonly string[]): NamespaceOf | undefined {
  if (mode === undefined || own.includes(mode)) return undefined;
  if (mode === 'host') return 'host';
  const container = /^container:(.+)$/.exec(mode)?.[1];
  if (container !== undefined) return { container };
  if (mode === 'none')
    throw new DabbaError(
      'Unimplemented',
      `HostConfig.${what === 'IPC' ? 'IpcMode' : 'PidMode'} "none" is not supported`,
    );
  throw new DabbaError('InvalidArgument', `invalid ${what} mode: ${mode}`);
}

function readDevice(device: Fields): DeviceMapping {
  const hostPath = device.text('PathOnHost') ?? '';
  const permissions = device.word('CgroupPermissions') ?? 'rwm';
  if (!/^[rwm]{1,3}$/.test(permissions))
    throw new DabbaError('InvalidArgument', `invalid device mode: ${permissions} of ${hostPath}`);
  return { hostPath, containerPath: device.word('PathInContainer') ?? hostPath, permissions };
}

/** `--security-opt`: `no-new-privileges`, `seccomp=…`, and labels of security modules, which this machine does not load. */
function readSecurity(options: readonly string[]): Pick<HostOptions, 'isPrivilegeGainForbidden' | 'seccomp'> {
  let security: Pick<HostOptions, 'isPrivilegeGainForbidden' | 'seccomp'> = {};
  for (const option of options) {
    // Docker took a colon in earlier times.
    const [, name = '', value = ''] = /^([a-z-]+)(?:[=:](.*))?$/s.exec(option) ?? [];
    if (name === 'no-new-privileges' && ['', 'true', 'false'].includes(value))
      security = { ...security, isPrivilegeGainForbidden: value !== 'false' };
    else if (name === 'seccomp' && value === 'builtin') continue;
    else if (name === 'seccomp' && value !== '') security = { ...security, seccomp: value };
    else if (name === 'apparmor' && ['unconfined', 'docker-default'].includes(value)) continue;
    else if (name === 'label' && value === 'disable') continue;
    else if (['apparmor', 'label', 'systempaths'].includes(name))
      throw new DabbaError('Unimplemented', `HostConfig.SecurityOpt "${option}" is not supported`);
    else throw new DabbaError('InvalidArgument', `invalid --security-opt: "${option}"`);
  }
  return security;
}

function readResolution(host: Fields): Resolution | undefined {
  const nameservers = given(host.texts('Dns'));
  const wrong = nameservers?.find((address) => isIP(address) === 0);
  if (wrong !== undefined) throw new DabbaError('InvalidArgument', `invalid IP address in DNS server: ${wrong}`);
  const resolution = present({
    nameservers,
    searchDomains: given(host.texts('DnsSearch')),
    options: given(host.texts('DnsOptions')),
    hosts: given((host.texts('ExtraHosts') ?? []).map(readExtraHost)),
  });
  return Object.keys(resolution).length === 0 ? undefined : resolution;
}

/** `name:address` or `name=address`; `host-gateway` is resolved by the engine. */
function readExtraHost(text: string): NonNullable<Resolution['hosts']>[number] {
  const [, name, address = ''] = /^([^:=]+)[:=](.+)$/.exec(text) ?? [];
  const bare = address.replace(/^\[(.*)\]$/, '$1');
  if (!name || (bare !== 'host-gateway' && isIP(bare) === 0))
    throw new DabbaError('InvalidArgument', `invalid IP address in add-host: "${text}"`);
  return { address: bare, names: [name] };
}

function readLog(log: Fields): LogLimits | undefined {
  if (log.text('Type') === 'none') return { isOff: true };
  const options = log.textMap('Config') ?? {};
  const { 'max-size': maxSize, 'max-file': maxFile, mode, compress, ...rest } = options;
  const unknown = Object.keys(rest)[0];
  if (unknown !== undefined)
    throw new DabbaError(
      'Unimplemented',
      `log option "${unknown}" is not supported by the json-file log driver of dabba`,
    );
  if (mode !== undefined && mode !== 'blocking')
    throw new DabbaError('Unimplemented', `log mode "${mode}" is not supported`);
  if (compress !== undefined && compress !== 'false')
    throw new DabbaError('Unimplemented', 'log option "compress" is not supported');
  if (maxFile !== undefined && !(/^\d{1,4}$/.test(maxFile) && Number(maxFile) > 0))
    throw new DabbaError('InvalidArgument', `max-file cannot be less than 1: "${maxFile}"`);
  if (maxFile !== undefined && Number(maxFile) > 1 && maxSize === undefined)
    throw new DabbaError('InvalidArgument', 'max-file cannot be set without max-size');
  if (maxSize === undefined || maxSize === '-1') return undefined;
  return { maxSizeBytes: readSize(maxSize), ...(maxFile !== undefined && { maxFiles: Number(maxFile) }) };
}
