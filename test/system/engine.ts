import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { silentLogger, systemClock, systemRandom } from '#base';
import {
  createEngine,
  type Container,
  type ContainerCreate,
  type Engine,
  type LogOptions,
  type RegistryResolver,
} from '#engine';
import { busyboxTar } from './busybox.ts';
import { noNetworks } from './no-networks.ts';

export const forever = new AbortController().signal;
export const image = 'busybox';

/** Where one test's engine lives: directories of its own and names of its own in the kernel. */
export interface EngineHome {
  readonly directory: string;
  readonly runtimeDirectory: string;
  readonly instance: string;
}

export function makeHome(): EngineHome {
  const directory = mkdtempSync(join(tmpdir(), 'engine-'));
  const instance = basename(directory).replace('engine-', 'test');
  return { directory, runtimeDirectory: `/run/dabba-${instance}`, instance };
}

/** An engine without networks of its own, that reaches registries as `endpoints` says. */
export function engineAt(home: EngineHome, endpoints: RegistryResolver['endpoints'] = () => []): Engine {
  return createEngine({
    ...home,
    resolver: { endpoints, defaultCredentials: () => undefined, fallback: () => undefined },
    networks: noNetworks,
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
  });
}

export async function importBusybox(engine: Engine): Promise<void> {
  const config = { Cmd: ['sh'], Env: ['FROM_IMAGE=1'], Volumes: {} };
  await engine.images.importRootfs(busyboxTar(), { reference: image, config, signal: forever });
}

/** Creates and starts a container of the busybox image without a network. */
export async function start(
  engine: Engine,
  command: readonly string[],
  more: Partial<ContainerCreate> = {},
): Promise<Container> {
  const container = await engine.containers.create({ image, command, network: { mode: 'none' }, ...more });
  await engine.containers.start(container.id);
  return container;
}

/** Runs a shell line to its end. */
export async function runToEnd(engine: Engine, line: string, more: Partial<ContainerCreate> = {}) {
  const { id } = await start(engine, ['sh', '-c', line], more);
  const { exitCode } = await engine.containers.wait(id, 'not-running', forever);
  return { id, exitCode, ...(await outputOf(engine, id)), state: (await engine.containers.find(id))!.state };
}

/** The recorded output of a container, a string each stream. */
export async function outputOf(engine: Engine, id: string, options: Partial<LogOptions> = {}) {
  const output = { stdout: '', stderr: '' };
  const all = { stdout: true, stderr: true, follow: false, signal: forever };
  for await (const entry of engine.containers.logs(id, { ...all, ...options }))
    output[entry.stream] += entry.data.toString() + (entry.isPartial ? '' : '\n');
  return output;
}

/** What an engine left on the machine: mounts, cgroups, processes, runtime files. Empty when it was clean. */
export function leftovers({ directory, runtimeDirectory, instance }: EngineHome): readonly string[] {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.includes(directory));
  const cgroups = execFileSync('find', ['/sys/fs/cgroup', '-name', `dabba-${instance}`], { encoding: 'utf8' });
  const processes = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => {
      const command = commandOf(pid);
      return command.includes(directory) || command.includes(runtimeDirectory);
    });
  return [...mounts, ...cgroups.split('\n').filter(Boolean), ...processes, ...listIfThere(runtimeDirectory)];
}

/** Ends an engine and proves that nothing is left. */
export async function endCleanly(engine: Engine, home: EngineHome): Promise<readonly string[]> {
  await engine.destroy();
  const left = leftovers(home);
  rmSync(home.runtimeDirectory, { recursive: true, force: true });
  rmSync(home.directory, { recursive: true, force: true });
  return left;
}

/** The command line of a process, its arguments ended by zero bytes; empty when it has ended. */
export function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return ''; // it ended meanwhile
  }
}

function listIfThere(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
