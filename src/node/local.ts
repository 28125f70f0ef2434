import { mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '#base';

/** What has to be undone for a sandbox even if its spec is gone. */
export interface LocalSandbox {
  readonly key: string;
  readonly networkInterfaceId?: string;
}

/**
 * What this machine holds of each sandbox, one folder a sandbox: the record of what to undo, shared volumes, positions in logs. A record needs
 * no sync to the disk: what it speaks of (namespaces, processes) does not survive the machine either.
 */
export class LocalSandboxes {
  readonly #directory: string;
  readonly #trash: string;

  constructor(stateDirectory: string) {
    this.#directory = join(stateDirectory, 'sandboxes');
    this.#trash = join(stateDirectory, 'trash');
  }

  /** Makes the directories, and empties what an earlier process did not finish emptying. */
  async open(): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o711 });
    await rm(this.#trash, { recursive: true, force: true });
    await mkdir(this.#trash, { recursive: true });
  }

  /** Keys of the sandboxes that are here in any state. */
  async keys(): Promise<string[]> {
    return (await readdir(this.#directory)).map(decodeURIComponent);
  }

  async find(key: string): Promise<LocalSandbox | undefined> {
    try {
      return JSON.parse(await readFile(this.#record(key), 'utf8')) as LocalSandbox;
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** Records what is about to be made. */
  async save(record: LocalSandbox): Promise<void> {
    await mkdir(join(this.#folder(record.key), 'logs'), { recursive: true, mode: 0o711 });
    const path = this.#record(record.key);
    await writeFile(`${path}.new`, JSON.stringify(record));
    await rename(`${path}.new`, path);
  }

  /** The directory of a shared volume; made when absent. */
  async volume(key: string, name: string): Promise<string> {
    const path = join(this.#folder(key), 'volumes', encodeURIComponent(name));
    await mkdir(path, { recursive: true, mode: 0o755 });
    return path;
  }

  /** Where the position in a container's log is kept. */
  logPosition(key: string, container: string): string {
    return join(this.#folder(key), 'logs', encodeURIComponent(container));
  }

  /** Forgets the sandbox and what its volumes held. */
  async remove(key: string): Promise<void> {
    const trash = join(this.#trash, encodeURIComponent(key));
    try {
      await rename(this.#folder(key), trash);
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error;
    }
    await rm(trash, { recursive: true, force: true });
  }

  #folder(key: string): string {
    return join(this.#directory, encodeURIComponent(key));
  }

  #record(key: string): string {
    return join(this.#folder(key), 'record.json');
  }
}
