import { mkdirSync, readFileSync, realpathSync, renameSync, writeFileSync } from 'node:fs';
import { hash } from 'node:crypto';
import { join, resolve } from 'node:path';
import { DabbaError, parseAccountId, systemCode, type AccountId } from '#base';

/** Everything a daemon is started with: given on the command line once, remembered under the data directory. */
export interface Settings {
  /** Port of the AWS endpoint, the registry and the console on loopback. */
  readonly port: number;
  /** Pool of public addresses. */
  readonly publicCidr: string;
  /** Account of the default root key. */
  readonly account: AccountId;
  /** The default account's root key, when it is not the well-known one. */
  readonly rootKey?: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** Whose subordinate ids containers of the Docker API run as, as `--userns-remap` says; absent: nobody's. */
  readonly usernsRemap?: string;
  /** `POST /_dabba/reset` is offered. */
  readonly allowReset: boolean;
}

export const DEFAULT_DATA_DIRECTORY = '/var/lib/dabba';
export const DEFAULT_PORT = 4566;
export const DEFAULT_PUBLIC_CIDR = '198.18.0.0/16';
/** The region of what names none: `localhost:<port>/<repository>`. */
export const DEFAULT_REGION = 'us-east-1';
export const DEFAULT_ACCOUNT = '000000000000' as AccountId;

/** Where a daemon keeps its things. Derived from the data directory alone, so that every command finds a running daemon by it. */
export interface Layout {
  readonly data: string;
  /** Short unique name, six hexadecimal digits, used in the names of kernel objects. */
  readonly instance: string;
  /** Runtime files: sockets, pid files, bundles. Short, because socket paths hold 107 bytes. */
  readonly runtime: string;
  readonly controlSocket: string;
  /** Where the host carries what is asked inside VPCs of the AWS endpoint and of the metadata service. */
  readonly vpcServicesSocket: string;
  readonly storeSocket: string;
  readonly hostSocket: string;
  readonly dockerSocket: string;
  readonly controlPidFile: string;
  readonly hostPidFile: string;
  readonly logFile: string;
  /** How kubectl reaches the clusters there are. */
  readonly kubeconfig: string;
}

/** The layout below `data`. The directory need not exist yet. */
export function layoutOf(data: string = DEFAULT_DATA_DIRECTORY): Layout {
  const directory = realPathOf(resolve(data));
  const instance = hash('sha256', directory, 'hex').slice(0, 6);
  const runtime = join('/run/dabba', instance);
  const isDefault = directory === DEFAULT_DATA_DIRECTORY;
  const below = join(directory, 'docker.sock');
  const dockerSocket = isDefault
    ? '/run/dabba/docker.sock'
    : below.length <= 100
      ? below
      : join(runtime, 'docker.sock');
  return {
    data: directory,
    instance,
    runtime,
    controlSocket: join(runtime, 'control.sock'),
    vpcServicesSocket: join(runtime, 'vpc.sock'),
    storeSocket: join(runtime, 'store.sock'),
    hostSocket: join(runtime, 'host.sock'),
    dockerSocket,
    controlPidFile: join(runtime, 'control.pid'),
    hostPidFile: join(runtime, 'host.pid'),
    logFile: join(directory, 'log', 'dabba.log'),
    kubeconfig: join(directory, 'kubeconfig'),
  };
}

/** Where the kubelets of this machine serve, a socket for each node. */
export function kubeletSockets({ runtime }: Pick<Layout, 'runtime'>): string {
  return join(runtime, 'kubelets');
}

function realPathOf(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return path;
    throw error;
  }
}

/** What the command line may say; what it leaves out stays as it was, or takes the default. */
export interface SettingsInput {
  readonly port?: string;
  readonly publicCidr?: string;
  readonly account?: string;
  readonly rootKey?: string;
  readonly usernsRemap?: string;
  readonly allowReset?: boolean;
}

/** Joins what is given now over what was given before. Throws `InvalidArgument` naming the option. */
export function resolveSettings(input: SettingsInput, remembered: Partial<Settings>): Settings {
  const account = input.account === undefined ? (remembered.account ?? DEFAULT_ACCOUNT) : parseAccountId(input.account);
  const rootKey = input.rootKey === undefined ? remembered.rootKey : parseRootKey(input.rootKey);
  const usernsRemap = input.usernsRemap === undefined ? remembered.usernsRemap : parseUsernsRemap(input.usernsRemap);
  return {
    port: input.port === undefined ? (remembered.port ?? DEFAULT_PORT) : parsePort(input.port),
    publicCidr:
      input.publicCidr === undefined
        ? (remembered.publicCidr ?? DEFAULT_PUBLIC_CIDR)
        : parsePublicCidr(input.publicCidr),
    account,
    ...(rootKey && { rootKey }),
    ...(usernsRemap !== undefined && { usernsRemap }),
    allowReset: input.allowReset ?? false,
  };
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65535)
    throw new DabbaError('InvalidArgument', `--port: "${text}" is not a port number`);
  return port;
}

function parsePublicCidr(text: string): string {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(text);
  const isValid =
    match && match.slice(1, 5).every((part) => Number(part) < 256) && Number(match[5]) >= 8 && Number(match[5]) <= 28;
  if (!isValid)
    throw new DabbaError(
      'InvalidArgument',
      `--public-cidr: "${text}" is not an IPv4 network between /8 and /28, like 198.18.0.0/16`,
    );
  return text;
}

/** `root` and the empty word turn it off, as in dockerd. */
function parseUsernsRemap(text: string): string | undefined {
  if (text === '' || text === 'root' || text === 'root:root' || text === '0' || text === '0:0') return undefined;
  if (/^[^\s:]+(:[^\s:]+)?$/.test(text)) return text;
  throw new DabbaError('InvalidArgument', `Invalid user/group specification in --userns-remap: "${text}"`);
}

function parseRootKey(text: string): NonNullable<Settings['rootKey']> {
  const colon = text.indexOf(':');
  if (colon < 1 || colon === text.length - 1)
    throw new DabbaError('InvalidArgument', '--root-key: expected KEYID:SECRET');
  return { accessKeyId: text.slice(0, colon), secretAccessKey: text.slice(colon + 1) };
}

/** What was remembered of earlier starts; empty on a new data directory. */
export function rememberedSettings(layout: Layout): Partial<Settings> {
  try {
    return JSON.parse(readFileSync(settingsFile(layout), 'utf8')) as Partial<Settings>; // written by `rememberSettings` alone
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return {};
    throw error;
  }
}

/** Remembers the settings, so that the next `dabba up` on this data needs no options. The file holds the root key: only root reads it. */
export function rememberSettings(layout: Layout, settings: Settings): void {
  mkdirSync(layout.data, { recursive: true, mode: 0o711 });
  const file = settingsFile(layout);
  writeFileSync(`${file}.new`, `${JSON.stringify(settings, undefined, 2)}\n`, { mode: 0o600, flush: true });
  renameSync(`${file}.new`, file);
}

function settingsFile(layout: Layout): string {
  return join(layout.data, 'settings.json');
}
