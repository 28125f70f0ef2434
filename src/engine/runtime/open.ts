import { mkdir, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { DabbaError } from '#base';
import { longestSocketPath, processEnded } from '#kernel';
import { Cgroups } from './cgroups.ts';
import { ContainerSet } from './containers.ts';
import { Limiter } from './limiter.ts';
import { findMonitors } from './monitors.ts';
import { findProgram } from './programs.ts';
import { Runc } from './runc.ts';
import type { Runtime } from './runtime.ts';
import { readMachineLimits } from './spec/limits.ts';

export interface RuntimeOptions extends Pick<
  Runtime,
  'images' | 'volumes' | 'networks' | 'events' | 'clock' | 'random' | 'logger'
> {
  /** Must last: container folders. On the file system of the layers. */
  readonly directory: string;
  /** For sockets and runc's records; its path must be short, and it may vanish with a reboot. */
  readonly runtimeDirectory: string;
  /** Tells this engine from others on the machine, in names the kernel keeps. */
  readonly instance: string;
}

/** The containers of an engine with what only the engine itself may do. */
export interface OpenContainers {
  readonly containers: ContainerSet;
  start(): Promise<void>;
  stop(): Promise<void>;
  destroy(): Promise<void>;
}

/** Sets up the runtime; nothing is touched before `start`. */
export function openContainers(options: RuntimeOptions): OpenContainers {
  const { directory, runtimeDirectory, instance, ...rest } = options;
  const bundlesDirectory = join(runtimeDirectory, 'c');
  checkSocketPath(join(bundlesDirectory, 'f'.repeat(16), 'attach'));
  const cgroups = new Cgroups();
  const runcRoot = join(runtimeDirectory, 'runc');
  const runcProgram = findProgram('runc');
  const runc = new Runc(runcProgram, runcRoot);
  const runtime: Runtime = {
    ...rest,
    containersDirectory: directory,
    bundlesDirectory,
    execsDirectory: join(runtimeDirectory, 'e'),
    cgroupParent: `/dabba-${instance}`,
    monitor: { conmon: findProgram('conmon'), runc: runcProgram, runcRoot },
    runc,
    cgroups,
    limits: readMachineLimits(cgroups.hasSwapAccounting),
    starts: new Limiter(2 * availableParallelism()),
    openAttachments: new Set(),
  };
  const containers = new ContainerSet(runtime);
  return {
    containers,
    async start() {
      for (const path of [directory, bundlesDirectory, runtime.execsDirectory, runcRoot])
        await mkdir(path, { recursive: true, mode: 0o711 });
      await containers.load();
    },
    stop: () => containers.close(),
    async destroy() {
      await containers.shutDown();
      await containers.close();
      // Execs end with their containers; their monitors a moment later.
      await Promise.all(
        findMonitors(runcRoot).map(({ identity }) => processEnded(identity, AbortSignal.timeout(5_000))),
      );
      cgroups.remove(runtime.cgroupParent);
      for (const path of [bundlesDirectory, runtime.execsDirectory, runcRoot])
        await rm(path, { recursive: true, force: true });
    },
  };
}

function checkSocketPath(path: string): void {
  if (Buffer.byteLength(path) > longestSocketPath)
    throw new DabbaError(
      'InvalidArgument',
      `runtime directory is too deep: socket path "${path}" exceeds ${longestSocketPath} bytes`,
    );
}
