import { existsSync, mkdirSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { DabbaError, systemCode } from '#base';
import type { IdMapping } from '#engine';
import { namesInSync } from '#kernel';

/** As many ids as a pod has to have (KEP-127): 0 to 65535 inside. */
const rangeSize = 65_536;
/**
 * The machine's ids of pods: above those that distributions give to users and to containers of theirs, below those that no 32-bit signed number holds ("Users, Groups, UIDs and GIDs
 * on systemd Systems").
 */
const [firstId, rangeCount] = [0x7000_0000, 4_094] as const;

/**
 * Ranges of the machine's ids for pods with a user namespace of their own, of which no two are given to two pods at once, whichever daemon of the machine they are of. A claim is a link to the
 * pod's folder, named by the number of the range, and lies where a reboot takes it, as it does the pod's namespaces: nothing on disk has these ids.
 */
export class IdRanges {
  readonly #directory: string;

  constructor(directory = '/run/dabba/id-ranges') {
    this.#directory = directory;
  }

  /** The range of the pod with that folder. It gets the same one as long as it has not released it. Throws `ResourceExhausted`. */
  claim(podFolder: string): IdMapping {
    mkdirSync(this.#directory, { recursive: true, mode: 0o755 });
    const claims = this.#claims();
    const own = claims.find(({ folder }) => folder === podFolder);
    if (own) return mappingOf(own.index);
    const taken = new Set(claims.map(({ index }) => index));
    for (let index = 0; index < rangeCount; index++)
      if (!taken.has(index) && this.#take(index, podFolder)) return mappingOf(index);
    throw new DabbaError('ResourceExhausted', `all ${rangeCount} ranges of user ids are in use`);
  }

  /** Lets go of the range of the pod with that folder, or of those of all pods beneath it. May be repeated. */
  release(path: string): void {
    for (const { index, folder } of this.#claims())
      if (folder === path || folder.startsWith(`${path}/`)) this.#forget(index);
  }

  /** Lets go of those of pods beneath a directory that are gone. */
  sweep(directory: string): void {
    for (const { index, folder } of this.#claims())
      if (folder.startsWith(`${directory}/`) && !existsSync(folder)) this.#forget(index);
  }

  #claims(): readonly { readonly index: number; readonly folder: string }[] {
    return namesInSync(this.#directory).flatMap((name) => {
      try {
        return [{ index: Number(name), folder: readlinkSync(join(this.#directory, name)) }];
      } catch (error) {
        if (systemCode(error) === 'ENOENT') return []; // released meanwhile
        throw error;
      }
    });
  }

  /** False if another process was quicker. */
  #take(index: number, podFolder: string): boolean {
    try {
      symlinkSync(podFolder, join(this.#directory, String(index)));
      return true;
    } catch (error) {
      if (systemCode(error) === 'EEXIST') return false;
      throw error;
    }
  }

  #forget(index: number): void {
    rmSync(join(this.#directory, String(index)), { force: true });
  }
}

function mappingOf(index: number): IdMapping {
  const range = { inside: 0, outside: firstId + index * rangeSize, count: rangeSize };
  return { users: [range], groups: [range] };
}
