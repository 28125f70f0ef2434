import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode, type Digest } from '#base';
import type { ProcessIdentity } from '#kernel';
import { replaceFile } from '../durable.ts';
import type { Container, ContainerCreate, EndpointCreate, ExposedPort, ImageConfig, Mount } from '../engine.ts';

/** What a container is: `config.json`. It changes by renaming, and by joining and leaving networks. */
export interface ContainerRecord {
  readonly id: string;
  readonly name: string;
  readonly createdAt: number;
  readonly create: ContainerCreate;
  readonly imageId: Digest;
  /** Layers beneath its own; absent for an image without any. */
  readonly chainId?: Digest;
  readonly process: Container['process'];
  readonly hostname: string;
  readonly stopSignal: string;
  readonly healthCheck?: NonNullable<ImageConfig['Healthcheck']>;
  readonly mounts: readonly RecordedMount[];
  /** By its image and by request. */
  readonly exposedPorts?: readonly ExposedPort[];
  /** Its networks, once they are no longer those of `create`. */
  readonly endpoints?: readonly EndpointCreate[];
  readonly warnings: readonly string[];
}

/** A mount with its volume named, be it anonymous, and its image found, whatever its name means later. */
export type RecordedMount =
  | Exclude<Mount, { readonly kind: 'volume' | 'image' }>
  | (Extract<Mount, { readonly kind: 'image' }> & { readonly imageId: Digest; readonly chainId?: Digest })
  | (Omit<Extract<Mount, { readonly kind: 'volume' }>, 'labels' | 'options'> & { readonly isAnonymous: boolean });

/**
 * Where a container stands: `state.json`, written before each step is taken. `starting` and `removing` found at start-up mean that the step
 * was cut off: the first is undone, the second finished.
 */
export interface StateRecord {
  readonly phase: 'created' | 'starting' | 'running' | 'restarting' | 'exited' | 'removing';
  /** Its processes are frozen, or are about to be; of a running container alone. */
  readonly isPaused?: boolean;
  /** How often it was started. */
  readonly runs: number;
  readonly restartCount: number;
  /** Stopped by a person, so that no restart policy brings it back. */
  readonly isStoppedByHand: boolean;
  readonly isOutOfMemory: boolean;
  /** conmon, and the container's first process. */
  readonly monitor?: ProcessIdentity;
  readonly process?: ProcessIdentity;
  readonly address?: NonNullable<Container['address']>;
  readonly exitCode?: number;
  readonly error?: string;
  readonly startedAt?: number;
  readonly finishedAt?: number;
}

export const initialState: StateRecord = {
  phase: 'created',
  runs: 0,
  restartCount: 0,
  isStoppedByHand: false,
  isOutOfMemory: false,
};

/** What `state.json` may grow to before it is written anew. */
const mostStateBytes = 64 * 1024;

/** Where containers have their places; see `Runtime`. */
export interface ContainerDirectories {
  readonly containersDirectory: string;
  readonly bundlesDirectory: string;
  readonly mappedDirectory: string;
}

/** The places of one container: what must last under the data directory, and under /run what must have a short path. */
export class ContainerFolder {
  readonly path: string;
  /** All that belongs to one run: config.json for runc, conmon's sockets, and what it leaves in the end, `exit` and `oom`. */
  readonly bundle: string;
  /** Where mounts with mapped ids are while it starts. */
  readonly mapped: string;
  /** About how long `state.json` is; undefined until it is looked at. */
  #stateBytes: number | undefined;

  constructor({ containersDirectory, bundlesDirectory, mappedDirectory }: ContainerDirectories, id: string) {
    this.path = join(containersDirectory, id);
    // Socket paths are short (unix(7)); sixteen digits of the id are as good as unique on one machine.
    this.bundle = join(bundlesDirectory, id.slice(0, 16));
    this.mapped = join(mappedDirectory, id.slice(0, 16));
  }

  get upper(): string {
    return join(this.path, 'upper');
  }
  get work(): string {
    return join(this.path, 'work');
  }
  get merged(): string {
    return join(this.path, 'merged');
  }
  /** Where /dev/shm of one that shares its IPC is mounted. */
  get sharedMemory(): string {
    return join(this.path, 'shm');
  }
  get log(): string {
    return join(this.path, 'container.log');
  }
  /** What a container finds at those places in /etc; written anew for each run. */
  get files() {
    const file = (name: string) => join(this.bundle, name);
    return { hosts: file('hosts'), hostname: file('hostname'), resolvConf: file('resolv.conf') };
  }
  get attachSocket(): string {
    return join(this.bundle, 'attach');
  }
  get control(): string {
    return join(this.bundle, 'ctl');
  }

  async make(): Promise<void> {
    await mkdir(this.path, { recursive: true, mode: 0o710 });
    await mkdir(this.merged);
    // Followers watch the log from before the first start on.
    await writeFile(this.log, '', { flag: 'a', mode: 0o640 });
    await writeFile(this.#state, '', { flag: 'a', mode: 0o600 });
  }

  readConfig(): Promise<ContainerRecord | undefined> {
    return readJson<ContainerRecord>(join(this.path, 'config.json'));
  }

  writeConfig(record: ContainerRecord): Promise<void> {
    return replaceFile(join(this.path, 'config.json'), JSON.stringify(record));
  }

  get #state(): string {
    return join(this.path, 'state.json');
  }

  readState(): Promise<StateRecord | undefined> {
    return readLastLine<StateRecord>(this.#state);
  }

  /**
   * A run survives us but not the machine, so its own marks need only be atomic; what was answered to somebody (an exit code, a removal)
   * must outlast a power cut too. Each state is one more line, for a new file costs more than all else a start writes.
   */
  async writeState(state: StateRecord): Promise<void> {
    const text = JSON.stringify(state);
    this.#stateBytes ??= await sizeOf(this.#state);
    if (this.#stateBytes > mostStateBytes) {
      this.#stateBytes = undefined;
      return await replaceFile(this.#state, text);
    }
    const flush = state.phase !== 'starting' && state.phase !== 'running';
    await writeFile(this.#state, `\n${text}`, { flag: 'a', mode: 0o600, flush });
    this.#stateBytes += text.length;
  }
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return 0;
    throw error;
  }
}

/** The last line that is whole: a power cut may have cut one short. */
async function readLastLine<Value>(path: string): Promise<Value | undefined> {
  const lines = (await readOptional(path))?.split('\n') ?? [];
  for (const line of lines.toReversed())
    try {
      if (line !== '') return JSON.parse(line) as Value;
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
  return undefined;
}

/** Undefined for a file that is absent, or that a power cut left empty. */
async function readJson<Value>(path: string): Promise<Value | undefined> {
  const text = await readOptional(path);
  return text ? (JSON.parse(text) as Value) : undefined;
}

async function readOptional(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
