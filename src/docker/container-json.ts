import type { Container, ContainerCreate, Image } from '#engine';
import { humanDuration } from './duration.ts';
import { configJson, familiarName } from './image-json.ts';
import {
  endpointsJson,
  exposedPortsJson,
  networkSettingsJson,
  portBindingsJson,
  portsJson,
} from './network-settings.ts';
import { hostConfigJson } from './host-config-json.ts';
import { mountsJson } from './volumes.ts';

const zeroTime = '0001-01-01T00:00:00Z';
const timeOf = (at: number | undefined) => (at === undefined ? zeroTime : new Date(at).toISOString());

/** GET /containers/{id}/json. */
export function containerJson(container: Container, image: Image | undefined): object {
  const { create, process, files } = container;
  const { args, workingDirectory, user } = process;
  return {
    Id: container.id,
    Created: timeOf(container.createdAt),
    Path: args[0] ?? '',
    Args: args.slice(1),
    State: stateJson(container),
    Image: container.imageId,
    ResolvConfPath: files.resolvConf,
    HostnamePath: files.hostname,
    HostsPath: files.hosts,
    LogPath: create.log?.isOff ? '' : files.log,
    Name: `/${container.name}`,
    RestartCount: container.restartCount,
    Driver: 'overlay',
    Platform: 'linux',
    MountLabel: '',
    ProcessLabel: '',
    AppArmorProfile: '',
    ExecIDs: null,
    HostConfig: {
      ...hostConfigJson(container),
      NetworkMode: networkModeOf(create),
      ...portBindingsJson(create),
    },
    GraphDriver: { Name: 'overlay', Data: null },
    Mounts: mountsJson(container),
    Config: {
      ...(image ? configJson(image.config) : {}),
      ...exposedPortsJson(container),
      Hostname: create.hostname ?? container.id.slice(0, 12),
      Domainname: '',
      User: user,
      AttachStdin: create.isStdinOpen ?? false,
      AttachStdout: true,
      AttachStderr: true,
      Tty: create.isTty ?? false,
      OpenStdin: create.isStdinOpen ?? false,
      StdinOnce: create.isStdinOnce ?? false,
      Env: environmentOf(container, image),
      Cmd: create.command ?? image?.config.Cmd ?? null,
      Entrypoint: create.entrypoint ?? image?.config.Entrypoint ?? null,
      Image: familiarName(create.image),
      WorkingDir: workingDirectory,
      Labels: { ...image?.config.Labels, ...create.labels },
      ...(create.healthCheck ? { Healthcheck: create.healthCheck } : {}),
      ...(create.stopSignal === undefined ? {} : { StopSignal: create.stopSignal }),
      ...(create.stopTimeoutMs === undefined ? {} : { StopTimeout: Math.round(create.stopTimeoutMs / 1000) }),
    },
    NetworkSettings: networkSettingsJson(container),
  };
}

/** What was asked and what the image says, without what every container is given at its start: clients make new ones from it. */
function environmentOf({ create, process }: Container, image: Image | undefined): readonly string[] {
  const told = [...(image?.config.Env ?? []), ...(create.environment ?? [])].map(nameOf);
  return process.environment.filter(
    (variable) => !['HOSTNAME', 'TERM'].includes(nameOf(variable)) || told.includes(nameOf(variable)),
  );
}

const nameOf = (variable: string) => variable.split('=', 1).join();

function stateJson({ state }: Container): object {
  return {
    Status: state.status,
    Running: ['running', 'paused', 'restarting'].includes(state.status),
    Paused: state.status === 'paused',
    Restarting: state.status === 'restarting',
    OOMKilled: state.isOutOfMemory,
    Dead: state.status === 'dead',
    Pid: state.pid ?? 0,
    ExitCode: state.exitCode ?? 0,
    Error: state.error ?? '',
    StartedAt: timeOf(state.startedAt),
    FinishedAt: timeOf(state.finishedAt),
    ...(state.health
      ? {
          Health: {
            Status: state.health.status,
            FailingStreak: state.health.failingStreak,
            Log: state.health.log.map(({ startAt, endAt, exitCode, output }) => ({
              Start: timeOf(startAt),
              End: timeOf(endAt),
              ExitCode: exitCode,
              Output: output,
            })),
          },
        }
      : {}),
  };
}

const networkModeOf = ({ network }: ContainerCreate) => {
  if (network.mode === 'bridge') return network.network;
  if (network.mode === 'container') return `container:${network.container}`;
  return network.mode === 'namespace' ? `ns:${network.path}` : network.mode;
};

/** One entry of GET /containers/json. */
export function containerSummary(container: Container, now: number): object {
  const { create, state } = container;
  return {
    Id: container.id,
    Names: [`/${container.name}`],
    Image: familiarName(create.image),
    ImageID: container.imageId,
    Command: container.process.args.join(' '),
    Created: Math.floor(container.createdAt / 1000),
    Ports: portsJson(container),
    Labels: create.labels ?? {},
    State: state.status,
    Status: statusText(container, now),
    HostConfig: { NetworkMode: networkModeOf(create) },
    NetworkSettings: { Networks: endpointsJson(container) },
    Mounts: mountsJson(container),
  };
}

/** The STATUS column: `Up 5 seconds (healthy)`, `Exited (0) 2 minutes ago`, `Created`. */
export function statusText({ state }: Container, now: number): string {
  const since = (at: number | undefined) => humanDuration(now - (at ?? now));
  const exitCode = state.exitCode ?? 0;
  switch (state.status) {
    case 'running':
    case 'paused': {
      const health = state.health
        ? state.health.status === 'starting'
          ? 'health: starting'
          : state.health.status
        : undefined;
      const note = state.status === 'paused' ? 'Paused' : health;
      return `Up ${since(state.startedAt)}${note === undefined ? '' : ` (${note})`}`;
    }
    case 'restarting':
      return `Restarting (${exitCode}) ${since(state.finishedAt)} ago`;
    case 'exited':
      return `Exited (${exitCode}) ${since(state.finishedAt)} ago`;
    case 'created':
      return 'Created';
    case 'removing':
      return 'Removal In Progress';
    case 'dead':
    default:
      return 'Dead';
  }
}
