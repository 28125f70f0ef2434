import { readFileSync } from 'node:fs';
import type { ClusterSummary } from '#aws';
import { isDabbaError, systemCode } from '#base';
import { livingProcess } from './process-file.ts';
import { rememberedSettings, resolveSettings, type Layout } from './settings.ts';
import { callSocket } from './socket-api.ts';

/** What `dabba status` tells. Sizes are resident bytes. */
export interface DaemonStatus {
  readonly isRunning: boolean;
  readonly data: string;
  readonly endpoint: string;
  readonly dockerSocket: string;
  /** The control plane. Absent when it does not run. */
  readonly pid?: number;
  readonly hostPid?: number;
  readonly rssBytes: number;
  readonly hostRssBytes?: number;
  readonly startedAt: number;
  readonly sandboxes: readonly { readonly id: string; readonly phase: string; readonly identity: string }[];
  readonly clusters: ControlStatus['clusters'];
  readonly containers?: number;
}

/** What the host process tells of itself. */
export interface HostStatus {
  readonly pid: number;
  readonly startedAt: number;
  /** Running ones. */
  readonly containers: number;
}

/** What the control plane tells of itself. */
export interface ControlStatus {
  readonly startedAt: number;
  readonly sandboxes: DaemonStatus['sandboxes'];
  readonly clusters: readonly ClusterSummary[];
}

/** Asks both processes; works while either is dead. */
export async function statusOf(layout: Layout): Promise<DaemonStatus> {
  const { port } = resolveSettings({}, rememberedSettings(layout));
  const control = livingProcess(layout.controlPidFile);
  const host = livingProcess(layout.hostPidFile);
  const [controlStatus, hostStatus] = await Promise.all([
    control && askOrUndefined(layout.controlSocket),
    host && askOrUndefined(layout.hostSocket),
  ]);
  const hostWord = hostStatus as HostStatus | undefined; // what host.ts answers to GET /status
  const controlWord = controlStatus as ControlStatus | undefined; // what control-plane.ts answers
  return {
    isRunning: control !== undefined,
    data: layout.data,
    endpoint: `http://127.0.0.1:${port}`,
    dockerSocket: layout.dockerSocket,
    ...(control && { pid: control.pid }),
    ...(host && { hostPid: host.pid, hostRssBytes: residentBytes(host.pid) }),
    rssBytes: control ? residentBytes(control.pid) : 0,
    startedAt: controlWord?.startedAt ?? hostWord?.startedAt ?? 0,
    sandboxes: controlWord?.sandboxes ?? [],
    clusters: controlWord?.clusters ?? [],
    ...(hostWord && { containers: hostWord.containers }),
  };
}

async function askOrUndefined(socket: string): Promise<unknown> {
  try {
    return await callSocket(socket, 'GET /status', { signal: AbortSignal.timeout(5000) });
  } catch (error) {
    // A process that is starting, leaving or stuck says nothing; that it lives is told by its pid.
    if (isDabbaError(error, 'Unavailable') || isDabbaError(error, 'Cancelled')) return undefined;
    throw error;
  }
}

/** Resident set of a process (proc(5), /proc/PID/statm); 0 when it is gone. */
function residentBytes(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ')[1]) * 4096;
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ESRCH') return 0;
    throw error;
  }
}
