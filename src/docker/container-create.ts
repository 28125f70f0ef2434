import { DabbaError } from '#base';
import type { ContainerCreate, ImageConfig } from '#engine';
import { readUlimits } from './container-ulimits.ts';
import { readHostOptions } from './container-host.ts';
import { readMounts, readMountsFrom } from './container-mounts.ts';
import { readNetworking } from './container-network.ts';
import { readResources } from './container-resources.ts';
import { present, type Fields } from './fields.ts';

/** Reads the body of POST /containers/create. What would change the container and is not here yet throws `Unimplemented`. */
export function readCreate(body: Fields, name: string | undefined): ContainerCreate {
  const host = body.object('HostConfig');
  const image = body.word('Image');
  if (image === undefined) throw new DabbaError('InvalidArgument', 'no command specified: Image is required');
  refuseMissing(host);
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
    mountsFrom: readMountsFrom(host),
    resources: readResources(host),
    ...readHostOptions(host),
    capabilities: { add: host.texts('CapAdd') ?? [], drop: host.texts('CapDrop') ?? [] },
    ulimits: readUlimits(host),
    ...present({
      name,
      // `[""]` is how clients say "none", as against "the image's".
      entrypoint: entrypoint?.length === 1 && entrypoint[0] === '' ? [] : entrypoint,
      command: body.texts('Cmd'),
      environment: body.texts('Env'),
      workingDirectory: body.word('WorkingDir'),
      user: body.word('User'),
      hostname: body.word('Hostname'),
      domainname: body.word('Domainname'),
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
const missing = ['DeviceRequests', 'StorageOpt'] as const;

/** Members whose ordinary values mean the default. */
const ordinary: { readonly [name: string]: readonly string[] } = {
  VolumeDriver: ['', 'local'],
  Isolation: ['', 'default'],
};

function refuseMissing(host: Fields): void {
  const refuse = (what: string) => {
    throw new DabbaError('Unimplemented', `${what} is not supported yet`);
  };
  for (const name of missing) if (host.isGiven(name)) refuse(`HostConfig.${name}`);
  for (const [name, values] of Object.entries(ordinary)) {
    const value = host.text(name) ?? '';
    if (!values.includes(value)) refuse(`HostConfig.${name} "${value}"`);
  }
  const runtime = host.text('Runtime') ?? '';
  if (!['', 'runc'].includes(runtime))
    throw new DabbaError('InvalidArgument', `unknown or invalid runtime name: ${runtime}`);
  const log = host.object('LogConfig');
  if (!['', 'json-file', 'local', 'none'].includes(log.text('Type') ?? '')) refuse(`log driver "${log.text('Type')}"`);
}

const policies = ['no', 'always', 'unless-stopped', 'on-failure'] as const;

/** `RestartPolicy`; undefined for `no`. */
export function readRestartPolicy(host: Fields): ContainerCreate['restartPolicy'] {
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
    StartInterval: check.amount('StartInterval'),
    Retries: check.amount('Retries'),
  });
}

const milliseconds = (seconds: number | undefined) => (seconds === undefined ? undefined : seconds * 1000);
