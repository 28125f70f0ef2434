import { mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { closeSync, constants } from 'node:fs';
import { join } from 'node:path';
import { DabbaError, systemCode, type Clock, type Random } from '#base';
import { openBeneath, run, KernelError } from '#kernel';

/** A directory that outlives the containers it is mounted in. */
export interface Volume {
  readonly name: string;
  readonly createdAt: number;
  readonly labels: { readonly [name: string]: string };
  /** Made for one container without a name of its own, and removed with it when asked. */
  readonly isAnonymous: boolean;
  /** Where its files are. */
  readonly path: string;
}

/** Volumes of one engine: `<directory>/<name>/{volume.json,_data}`. A volume exists once its `volume.json` does. */
export class Volumes {
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #random: Random;

  constructor(directory: string, clock: Clock, random: Random) {
    this.#directory = directory;
    this.#clock = clock;
    this.#random = random;
  }

  /** Makes the volume, or answers the one that is there. Without a name it is anonymous. Throws `InvalidArgument` for an unfit name. */
  async create(name?: string, labels: Volume['labels'] = {}): Promise<Volume> {
    const volumeName = name ?? this.#random.hex(64);
    if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}$/.test(volumeName))
      throw new DabbaError('InvalidArgument', `"${volumeName}" includes invalid characters for a local volume name`);
    const existing = await this.find(volumeName);
    if (existing) return existing;
    const record = { name: volumeName, createdAt: this.#clock.now(), labels, isAnonymous: name === undefined };
    const home = join(this.#directory, volumeName);
    await mkdir(join(home, '_data'), { recursive: true, mode: 0o755 });
    await writeFile(join(home, 'volume.json.new'), JSON.stringify(record), { flush: true });
    await rename(join(home, 'volume.json.new'), join(home, 'volume.json'));
    return { ...record, path: join(home, '_data') };
  }

  async find(name: string): Promise<Volume | undefined> {
    try {
      const record = JSON.parse(await readFile(join(this.#directory, name, 'volume.json'), 'utf8')) as Omit<
        Volume,
        'path'
      >;
      return { ...record, path: join(this.#directory, name, '_data') };
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  async list(): Promise<readonly Volume[]> {
    const names = await readdir(this.#directory).catch((error: unknown) => {
      if (systemCode(error) === 'ENOENT') return [];
      throw error;
    });
    return (await Promise.all(names.map((name) => this.find(name)))).filter((volume) => volume !== undefined);
  }

  /** Removes a volume and its files. Absent succeeds. The caller knows that no container uses it. */
  async remove(name: string): Promise<void> {
    const home = join(this.#directory, name);
    // The record goes first: a volume half removed is no volume, and removing it again finishes the work.
    await rm(join(home, 'volume.json'), { force: true });
    await rm(home, { recursive: true, force: true });
  }

  /**
   * Fills an empty volume with what the image has at `target`, ownership and attributes included, as Docker does when a volume is first
   * mounted over image content. `root` is the container's mounted root; links in it lead nowhere else.
   */
  async fillFrom(volume: Volume, root: string, target: string): Promise<void> {
    if ((await readdir(volume.path)).length > 0) return;
    const source = openDirectory(root, target);
    if (source === undefined) return;
    try {
      const copied = await run('cp', ['-a', '--', '/proc/self/fd/3/.', `${volume.path}/`], {
        descriptors: { 3: source },
      });
      if (copied.status.kind !== 'exited' || copied.status.code !== 0)
        throw new DabbaError(
          'Unavailable',
          `volume ${volume.name} cannot be filled from ${target}: ${copied.stderr.trim()}`,
        );
    } finally {
      closeSync(source);
    }
  }
}

function openDirectory(root: string, path: string): number | undefined {
  try {
    return openBeneath(root, path, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (error) {
    if (error instanceof KernelError && ['ENOENT', 'ENOTDIR', 'ELOOP'].includes(error.code)) return undefined;
    throw error;
  }
}
