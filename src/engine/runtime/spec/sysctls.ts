import { DabbaError } from '#base';
import type { ContainerCreate } from '../../engine.ts';

/** Sysctls that belong to the IPC namespace; all of `fs.mqueue.` and, for the network namespace, of `net.` besides (runc's own list). */
const ipcSysctls = new Set(
  'kernel.msgmax kernel.msgmnb kernel.msgmni kernel.sem kernel.shmall kernel.shmmax kernel.shmmni kernel.shm_rmid_forced'.split(
    ' ',
  ),
);

/** Refuses sysctls that would reach beyond the container. Throws `InvalidArgument` in Docker's words. */
export function checkSysctls({ sysctls = {}, namespaces, network }: ContainerCreate): void {
  for (const name of Object.keys(sysctls)) {
    const isIpc = ipcSysctls.has(name) || name.startsWith('fs.mqueue.');
    if (isIpc && namespaces?.ipc !== 'host') continue;
    if (name.startsWith('net.') && network.mode !== 'host') continue;
    if ((name === 'kernel.hostname' || name === 'kernel.domainname') && namespaces?.uts !== 'host') continue;
    throw new DabbaError('InvalidArgument', `sysctl "${name}" is not in a separate kernel namespace`);
  }
}
