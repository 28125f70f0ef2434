import { renameSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { isDabbaError, systemClock, systemCode } from '#base';
import { isSameProcess, livingProcess, type ProcessRecord } from './process-file.ts';
import type { Layout } from './settings.ts';
import { callSocket } from './socket-api.ts';

/** How long a process may take to leave once it has answered. */
const LEAVE_MS = 30_000;

/**
 * Stops what runs on a data directory and removes every kernel object it made. Works with either process dead, and with both: then the
 * leftovers of a crash are removed by this process itself. Returns `nothing` when there was nothing to stop.
 */
export async function takeDown(layout: Layout): Promise<'stopped' | 'nothing'> {
  const control = livingProcess(layout.controlPidFile);
  if (control) await askToLeave(layout.controlSocket, control);
  const host = livingProcess(layout.hostPidFile);
  if (host) await askToLeave(layout.hostSocket, host);
  if (control && host === undefined) return 'stopped';
  const { removeLeftovers } = await import('./leftovers.ts');
  const hadLeftovers = await removeLeftovers(layout);
  return control || host || hadLeftovers ? 'stopped' : 'nothing';
}

/** Forgets a data directory that nothing runs on. */
export async function forgetState(layout: Layout): Promise<void> {
  const trash = `${layout.data}.trash-${process.pid}`;
  try {
    // Renamed away first, so that a reset cut short never leaves half a state behind.
    renameSync(layout.data, trash);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return;
    throw error;
  }
  await rm(trash, { recursive: true, force: true });
}

async function askToLeave(socket: string, process: ProcessRecord): Promise<void> {
  try {
    await callSocket(socket, 'POST /down', { signal: AbortSignal.timeout(120_000) });
  } catch (error) {
    // It may be starting, or leaving already; a process that lives and does not listen is ended the hard way.
    if (!isDabbaError(error, 'Unavailable')) throw error;
    signal(process, 'SIGTERM');
  }
  const deadline = systemClock.now() + LEAVE_MS;
  // The end of a process that is not our child announces itself to nobody but its parent.
  while (isSameProcess(process) && systemClock.now() < deadline)
    await new Promise((resolve) => setTimeout(resolve, 20));
  signal(process, 'SIGKILL');
}

function signal(record: ProcessRecord, name: NodeJS.Signals): void {
  if (!isSameProcess(record)) return;
  try {
    process.kill(record.pid, name);
  } catch (error) {
    if (systemCode(error) !== 'ESRCH') throw error;
  }
}
