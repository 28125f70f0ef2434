import { layoutOf, statusOf, type DaemonStatus } from '#daemon';
import { flag, text, type Command } from './command.ts';

export const status: Command = {
  summary: 'what runs, where, how big',
  usage: '[--data DIR] [--json]',
  options: {},
  async run(invocation) {
    const layout = layoutOf(text(invocation, 'data'));
    const status = await statusOf(layout);
    if (flag(invocation, 'json')) process.stdout.write(`${JSON.stringify(status, undefined, 2)}\n`);
    else process.stdout.write(describe(status));
    return status.isRunning ? 0 : 3;
  },
};

function describe(status: DaemonStatus): string {
  if (!status.isRunning) return `dabba is not running on ${status.data}\n`;
  const rows: readonly (readonly [string, string])[] = [
    ['endpoint', status.endpoint],
    ['docker', `unix://${status.dockerSocket}`],
    ['data', status.data],
    ['control plane', `process ${status.pid}, ${mebibytes(status.rssBytes)}`],
    [
      'host',
      status.hostPid === undefined
        ? 'not running'
        : `process ${status.hostPid}, ${mebibytes(status.hostRssBytes ?? 0)}`,
    ],
    ['up since', new Date(status.startedAt).toISOString()],
    ['tasks', `${status.sandboxes.length} on this machine`],
    ...status.sandboxes.map(
      (sandbox) => ['', `${sandbox.id}  ${sandbox.phase.padEnd(9)} ${sandbox.identity}`] as const,
    ),
    ...(status.clusters.length ? [['clusters', `${status.clusters.length} of Kubernetes`] as const] : []),
    ...status.clusters.map(
      ({ name, status: state, endpoint = '', nodes, readyNodes, pods }) =>
        ['', `${name}  ${state}  ${endpoint}  ${readyNodes}/${nodes} nodes ready, ${pods} pods running`] as const,
    ),
    ['containers', `${status.containers ?? 0} running`],
  ];
  return `${rows.map(([name, value]) => `${name.padEnd(14)} ${value}`).join('\n')}\n`;
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(0)} MiB`;
}
