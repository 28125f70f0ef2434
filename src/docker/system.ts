import { DabbaError } from '#base';
import type { Api } from './api.ts';
import { readBody, sendJson, type Exchange } from './exchange.ts';
import { registryHostOf } from './credentials.ts';
import { apiVersion } from './router.ts';

const newest = `1.${apiVersion.newest}`;
const oldest = `1.${apiVersion.oldest}`;

/** GET and HEAD /_ping. `Builder-Version: 1` makes the CLI send whole contexts to /build instead of asking for BuildKit. */
export function ping(_api: Api, { request, response }: Exchange): void {
  response
    .writeHead(200, {
      'api-version': newest,
      'builder-version': '1',
      // Clients offer `build --squash` to those alone that say so.
      'docker-experimental': 'true',
      ostype: 'linux',
      swarm: 'inactive',
      'cache-control': 'no-cache, no-store, must-revalidate',
      pragma: 'no-cache',
      'content-type': 'text/plain; charset=utf-8',
    })
    .end(request.method === 'HEAD' ? undefined : 'OK');
}

/** GET /version. */
export function version({ info }: Api, exchange: Exchange): void {
  const about = {
    Version: info.version,
    ApiVersion: newest,
    MinAPIVersion: oldest,
    Os: 'linux',
    Arch: info.architecture,
    KernelVersion: info.kernelVersion,
  };
  const { Version, ...Details } = about;
  sendJson(exchange, 200, {
    Platform: { Name: 'dabba' },
    Components: [{ Name: 'Engine', Version, Details: { ...Details, Experimental: 'true' } }],
    ...about,
    GitCommit: '',
    GoVersion: '',
    BuildTime: '',
  });
}

/** GET /info. */
export async function info(api: Api, exchange: Exchange): Promise<void> {
  const machine = api.info;
  const [containers, images] = await Promise.all([api.engine.containers.list(), api.engine.images.list()]);
  const count = (...statuses: readonly string[]) =>
    containers.filter(({ state }) => statuses.includes(state.status)).length;
  sendJson(exchange, 200, {
    ID: machine.id,
    Name: machine.hostName,
    ServerVersion: machine.version,
    Containers: containers.length,
    ContainersRunning: count('running', 'restarting'),
    ContainersPaused: count('paused'),
    ContainersStopped: count('created', 'exited', 'dead', 'removing'),
    Images: images.length,
    Driver: 'overlay',
    DriverStatus: [],
    Plugins: { Volume: ['local'], Network: ['bridge', 'host', 'null'], Authorization: null, Log: ['json-file'] },
    MemoryLimit: true,
    SwapLimit: true,
    CpuCfsPeriod: true,
    CpuCfsQuota: true,
    CPUShares: true,
    CPUSet: true,
    PidsLimit: true,
    IPv4Forwarding: true,
    OomKillDisable: false,
    Debug: false,
    NFd: 0,
    NGoroutines: 0,
    SystemTime: new Date(api.clock.now()).toISOString(),
    LoggingDriver: 'json-file',
    CgroupDriver: 'cgroupfs',
    CgroupVersion: machine.cgroupVersion,
    NEventsListener: 0,
    KernelVersion: machine.kernelVersion,
    OperatingSystem: machine.operatingSystem,
    OSType: 'linux',
    OSVersion: '',
    Architecture: machineArchitectures[machine.architecture] ?? machine.architecture,
    NCPU: machine.cpus,
    MemTotal: machine.memoryBytes,
    IndexServerAddress: 'https://index.docker.io/v1/',
    RegistryConfig: { InsecureRegistryCIDRs: ['127.0.0.0/8'], IndexConfigs: {}, Mirrors: [] },
    GenericResources: null,
    DockerRootDir: machine.rootDirectory,
    HttpProxy: '',
    HttpsProxy: '',
    NoProxy: '',
    Labels: [],
    ExperimentalBuild: true,
    Swarm: {
      NodeID: '',
      NodeAddr: '',
      LocalNodeState: 'inactive',
      ControlAvailable: false,
      Error: '',
      RemoteManagers: null,
    },
    Runtimes: { runc: { path: 'runc' } },
    DefaultRuntime: 'runc',
    LiveRestoreEnabled: true,
    Isolation: '',
    InitBinary: '',
    ContainerdCommit: { ID: '' },
    RuncCommit: { ID: '' },
    InitCommit: { ID: '' },
    SecurityOptions: ['name=seccomp,profile=builtin', ...(api.idMapping ? ['name=userns'] : [])],
    Warnings: null,
  });
}

/** uname(1)'s names, which /info uses where the rest of the API uses Go's. */
const machineArchitectures: { readonly [name: string]: string } = { amd64: 'x86_64', arm64: 'aarch64' };

/** POST /auth: asks the registry whether the credentials are good. */
export async function authenticate({ engine }: Api, exchange: Exchange): Promise<void> {
  const body = await readBody(exchange);
  const username = body.word('username');
  const password = body.word('password');
  if (username === undefined || password === undefined)
    throw new DabbaError('InvalidArgument', 'username and password are required');
  const host = registryHostOf(body.text('serveraddress') ?? '');
  const Status = await engine.images.login(host, { username, password }, exchange.signal);
  sendJson(exchange, 200, { Status, IdentityToken: '' });
}
