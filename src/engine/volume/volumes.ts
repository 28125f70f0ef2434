import { mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { closeSync, constants } from 'node:fs';
import { join } from 'node:path';
import { DabbaError, systemCode, type Clock, type Random } from '#base';
import { KernelError, namesIn, openBeneath, run } from '#kernel';
import { treeBytes } from '../disk-usage.ts';
import type { Volume, VolumeCreate, Volumes } from '../engine.ts';
import type { EventHub } from '../events.ts';
import { Locks } from '../locks.ts';
import { checkOptions, mountDevice, unmountDevice } from './device.ts';

export interface VolumeParts {
  readonly directory: string;
  readonly events: EventHub;
  readonly clock: Clock;
  readonly random: Random;
}

export interface VolumeUser {
  readonly id: string;
  /** Running, or about to. */
  readonly isRunning: boolean;
}

const namePattern = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}$/;

/** Volumes of one engine: `<directory>/<name>/{volume.json,_data}`. A volume exists once its `volume.json` does. */
export class VolumeSet implements Volumes {
  readonly #parts: VolumeParts;
  readonly #directory: string;
  /** Who makes, fills or removes a volume, by its name. */
  readonly #locks = new Locks();
  #usersOf: (name: string) => readonly VolumeUser[] = () => [];

  constructor(parts: VolumeParts) {
    this.#parts = parts;
    this.#directory = parts.directory;
  }

  /** Who answers which containers name a volume, in any state: the containers, once they are there. */
  askForUsers(usersOf: (name: string) => readonly VolumeUser[]): void {
    this.#usersOf = usersOf;
  }

  async create({ name, labels = {}, options = {} }: VolumeCreate): Promise<Volume> {
    const volumeName = name ?? this.#parts.random.hex(64);
    if (!namePattern.test(volumeName))
      throw new DabbaError('InvalidArgument', `"${volumeName}" includes invalid characters for a local volume name`);
    checkOptions(options);
    using _turn = await this.#locks.hold(volumeName);
    const existing = await this.find(volumeName);
    if (existing) return sameVolume(existing, options);
    const createdAt = this.#parts.clock.now();
    const record = { name: volumeName, createdAt, labels, options, isAnonymous: name === undefined };
    const home = join(this.#directory, volumeName);
    await mkdir(join(home, '_data'), { recursive: true, mode: 0o755 });
    await writeFile(join(home, 'volume.json.new'), JSON.stringify(record), { flush: true });
    await rename(join(home, 'volume.json.new'), join(home, 'volume.json'));
    this.publish('create', volumeName);
    return { ...record, path: join(home, '_data') };
  }

  async find(name: string): Promise<Volume | undefined> {
    if (!namePattern.test(name)) return undefined;
    try {
      const text = await readFile(join(this.#directory, name, 'volume.json'), 'utf8');
      // Volumes of earlier versions have no options.
      const record = { options: {}, ...(JSON.parse(text) as Omit<Volume, 'path' | 'options'>) };
      return { ...record, path: join(this.#directory, name, '_data') };
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** Where the files of a volume are, or would be. */
  pathOf(name: string): string {
    return join(this.#directory, name, '_data');
  }

  usersOf(name: string): readonly string[] {
    return this.#usersOf(name).map(({ id }) => id);
  }

  async sizeOf(name: string): Promise<number> {
    return await treeBytes(join(this.#directory, name, '_data'));
  }

  /** Mounts what the volume's options name, for a container that is about to start. May be repeated. */
  open(volume: Volume): void {
    if (volume.options['type'] !== undefined || volume.options['device'] !== undefined) mountDevice(volume);
  }

  /** Lets go of it for one container; the last that runs unmounts it. */
  async close(name: string, containerId: string): Promise<void> {
    const volume = await this.find(name);
    // Asked only now: a container that starts may have opened it while it was looked up.
    const isOpen = this.#usersOf(name).some(({ id, isRunning }) => isRunning && id !== containerId);
    if (volume && !isOpen) unmountDevice(volume);
  }

  publish(action: string, name: string, attributes: { readonly [name: string]: string } = {}): void {
    this.#parts.events.publish({ type: 'volume', action, id: name, attributes: { driver: 'local', ...attributes } });
  }

  async list(): Promise<readonly Volume[]> {
    const names = await namesIn(this.#directory);
    return (await Promise.all(names.map((name) => this.find(name)))).filter((volume) => volume !== undefined);
  }

  async remove(name: string, options: { readonly force?: boolean } = {}): Promise<void> {
    using _turn = await this.#locks.hold(name);
    const volume = await this.find(name);
    if (!volume) {
      if (options.force) return;
      throw new DabbaError('NotFound', `get ${name}: no such volume`);
    }
    const users = this.usersOf(name);
    if (users.length > 0) throw new DabbaError('Conflict', `remove ${name}: volume is in use - [${users.join(', ')}]`);
    await this.#discard(volume);
  }

  /** Removes a volume and its files. The caller knows that no container uses it. */
  async discard(volume: Volume): Promise<void> {
    using _turn = await this.#locks.hold(volume.name);
    await this.#discard(volume);
  }

  async #discard(volume: Volume): Promise<void> {
    const home = join(this.#directory, volume.name);
    unmountDevice(volume);
    // The record goes first: a volume half removed is no volume, and removing it again finishes the work.
    await rm(join(home, 'volume.json'), { force: true });
    await rm(home, { recursive: true, force: true });
    this.publish('destroy', volume.name);
  }

  /**
   * Fills an empty volume with what the image has at `target`, ownership and attributes included, as Docker does when a volume is first
   * mounted over image content. `root` is the container's mounted root; links in it lead nowhere else.
   */
  async fillFrom(volume: Volume, root: string, target: string): Promise<void> {
    using _turn = await this.#locks.hold(volume.name);
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

function sameVolume(volume: Volume, options: Volume['options']): Volume {
  const asked = Object.keys(options);
  const isSame = asked.every((name) => volume.options[name] === options[name]);
  if (asked.length > 0 && !(isSame && asked.length === Object.keys(volume.options).length))
    throw new DabbaError('Conflict', `a volume named "${volume.name}" exists already with other options`);
  return volume;
}

function openDirectory(root: string, path: string): number | undefined {
  try {
    return openBeneath(root, path, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (error) {
    if (error instanceof KernelError && ['ENOENT', 'ENOTDIR', 'ELOOP'].includes(error.code)) return undefined;
    throw error;
  }
}
