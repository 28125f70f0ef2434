import { closeSync, constants, openSync, readSync, rmSync } from 'node:fs';
import { DabbaError, systemCode } from '#base';
import { processEnded, watchDescriptor, type ProcessIdentity } from '#kernel';

/**
 * Lets a created container's first process go on: it waits to write to the fifo `exec.fifo` in runc's record of the container, and whoever reads
 * that byte and removes the fifo has started it (runc, libcontainer/container_linux.go, `exec`). False when there is no such fifo. Throws
 * `FailedPrecondition` when the process ends instead of starting.
 */
export async function openStartGate(path: string, process: ProcessIdentity): Promise<boolean> {
  let gate: number;
  try {
    gate = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw error;
  }
  const watch = watchDescriptor(gate);
  const settled = new AbortController();
  try {
    // Until the process has opened its end, a read would see the end of the fifo; readiness tells the two apart.
    await Promise.race([watch.readable(), processEnded(process, settled.signal)]);
    if (readByte(gate) === 0) throw new DabbaError('FailedPrecondition', 'container process is already dead');
    rmSync(path, { force: true });
    return true;
  } finally {
    settled.abort();
    watch[Symbol.dispose]();
    closeSync(gate);
  }
}

function readByte(fd: number): number {
  try {
    return readSync(fd, Buffer.alloc(1));
  } catch (error) {
    if (systemCode(error) === 'EAGAIN') return 0;
    throw error;
  }
}
