import { mkdir, rm, rmdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { DabbaError } from '#base';
import { forgetMemory, keepInMemory, longestSocketPath, processEnded, signalProcess } from '#kernel';
import { Cgroups } from './cgroups.ts';
import { ContainerSet } from './containers.ts';
import { Limiter } from '../limiter.ts';
import { findMonitors } from './monitors.ts';
import { findProgram } from './programs.ts';
import { Runc } from './runc.ts';
import { sealRunc } from './runc-program.ts';
import type { Runtime } from './runtime.ts';
import { readMachineLimits } from './spec/limits.ts';

const killSignal = 9;

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
  readonly isEnding: boolean;
}

/** The containers of an engine with what only the engine itself may do. */
export interface OpenContainers extends AsyncDisposable {
  readonly containers: ContainerSet;
  /** Ends everything that runs, and removes what it left in the kernel and under /run. Containers stay on disk, exited. */
  destroy(): Promise<void>;
}

/**
 * Opens the containers below a directory and takes charge of those that run. With `isEnding` none is brought back by its restart policy, now or
 * later: only `destroy` is to follow. Disposing lets go: containers run on.
 */
export async function openContainers(options: RuntimeOptions): Promise<OpenContainers> {
  const { directory, runtimeDirectory, instance, isEnding, ...rest } = options;
  const bundlesDirectory = join(runtimeDirectory, 'c');
  checkSocketPath(join(bundlesDirectory, 'f'.repeat(16), 'attach'));
  const cgroups = new Cgroups();
  const runcRoot = join(runtimeDirectory, 'runc');
  using opening = new DisposableStack();
  const runcProgram = opening.use(sealRunc(findProgram('runc'), options.logger));
  const runc = new Runc(runcProgram.path, runcRoot, cgroups);
  const runtime: Runtime = {
    ...rest,
    containersDirectory: directory,
    bundlesDirectory,
    execsDirectory: join(runtimeDirectory, 'e'),
    mappedDirectory: join(runtimeDirectory, 'm'),
    cgroupParent: `/dabba-${instance}`,
    monitor: { conmon: findProgram('conmon'), runc: runcProgram.path, runcRoot },
    runc,
    cgroups,
    limits: readMachineLimits(cgroups.features()),
    starts: new Limiter(2 * availableParallelism()),
    openStreams: new Set(),
  };
  keepInMemory(runtimeDirectory, 0o711);
  for (const path of [directory, bundlesDirectory, runtime.execsDirectory, runtime.mappedDirectory, runcRoot])
    await mkdir(path, { recursive: true, mode: 0o711 });
  const containers = new ContainerSet(runtime);
  if (isEnding) containers.closeForStarts();
  await containers.load();
  const held = opening.move();
  return {
    containers,
    async destroy() {
      containers.closeForStarts();
      await containers.shutDown();
      await containers.close();
      await endMonitors(runcRoot);
      cgroups.remove(runtime.cgroupParent);
      for (const path of [bundlesDirectory, runtime.execsDirectory, runcRoot])
        await rm(path, { recursive: true, force: true });
      await rmdir(runtime.mappedDirectory);
      forgetMemory(runtimeDirectory);
    },
    async [Symbol.asyncDispose]() {
      await containers.close();
      held.dispose();
    },
  };
}

/** Execs end with their containers and their monitors a moment later; one that does not is killed, there is nothing left to monitor. */
async function endMonitors(runcRoot: string): Promise<void> {
  const deadline = AbortSignal.timeout(2_000);
  await Promise.all(findMonitors(runcRoot).map(({ identity }) => processEnded(identity, deadline)));
  for (const { identity } of findMonitors(runcRoot)) signalProcess(identity, killSignal);
}

function checkSocketPath(path: string): void {
  if (Buffer.byteLength(path) > longestSocketPath)
    throw new DabbaError(
      'InvalidArgument',
      `runtime directory is too deep: socket path "${path}" exceeds ${longestSocketPath} bytes`,
    );
}
