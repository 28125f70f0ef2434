import { arch } from 'node:os';

/** The platform we build on and for: there is no emulation, so both are this machine's. */
export interface Platform {
  readonly os: 'linux';
  readonly architecture: string;
  readonly variant?: string;
}

export function machinePlatform(): Platform {
  const architecture = arch();
  if (architecture === 'x64') return { os: 'linux', architecture: 'amd64' };
  if (architecture === 'arm64') return { os: 'linux', architecture: 'arm64' };
  return { os: 'linux', architecture };
}

export const platformName = ({ os, architecture, variant }: Platform) =>
  [os, architecture, ...(variant === undefined ? [] : [variant])].join('/');

/** Build arguments that every Dockerfile may declare (Dockerfile reference, "Automatic platform ARGs in the global scope"). */
export function platformArgs(platform: Platform): ReadonlyMap<string, string> {
  const args = new Map<string, string>();
  for (const side of ['BUILD', 'TARGET']) {
    args.set(`${side}PLATFORM`, platformName(platform));
    args.set(`${side}OS`, platform.os);
    args.set(`${side}ARCH`, platform.architecture);
    args.set(`${side}VARIANT`, platform.variant ?? '');
  }
  return args;
}

const proxies = ['HTTP_PROXY', 'HTTPS_PROXY', 'FTP_PROXY', 'NO_PROXY', 'ALL_PROXY'];

const proxyArgs = new Set([...proxies, ...proxies.map((name) => name.toLowerCase())]);

/** True for arguments that need no ARG, reach RUN alone, and never count for the cache ("Predefined ARGs"). */
export const isProxyArg = (name: string) => proxyArgs.has(name);

/** Arguments that a build may be given though no ARG declares them. */
export const predefinedArgs: ReadonlySet<string> = new Set([
  ...proxyArgs,
  'SOURCE_DATE_EPOCH',
  // Asks BuildKit for what our images carry always: the keys of their steps.
  'BUILDKIT_INLINE_CACHE',
]);
