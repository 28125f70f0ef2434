import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '#base';
import { namesIn } from '#kernel';
import type { PodRef } from './identity.ts';
import type { Allocation } from './pod/allocation.ts';

/** What has to be undone for a pod even if nothing else remembers it. */
export interface LocalPod extends PodRef {
  readonly serviceAccount: string;
  /** Known once the interface was assigned. */
  readonly networkInterfaceId?: string;
  /** The pod's cgroup, beneath every hierarchy's root. */
  readonly cgroup: string;
  /** It lives in the node's own network. */
  readonly isHostNetwork: boolean;
  /** What of the node it was given; not in notes of earlier versions. */
  readonly allocation?: Allocation;
}

/**
 * What one node holds of its pods on this machine, one folder a pod: the note of what to undo, written before it is made, volumes, and files mounted into containers. Notes
 * need no sync to the disk: what they speak of (namespaces, processes) does not survive the machine either.
 */
export class LocalPods {
  readonly #directory: string;
  readonly #trash: string;

  constructor(nodeDirectory: string) {
    this.#directory = join(nodeDirectory, 'pods');
    this.#trash = join(nodeDirectory, 'trash');
  }

  /** Makes the directories, and empties what an earlier process did not finish emptying. */
  async open(): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o711 });
    await rm(this.#trash, { recursive: true, force: true });
    await mkdir(this.#trash, { recursive: true });
  }

  /** Uids of the pods of which anything is here. */
  async uids(): Promise<readonly string[]> {
    return (await namesIn(this.#directory)).map(decodeURIComponent);
  }

  async find(uid: string): Promise<LocalPod | undefined> {
    try {
      return JSON.parse(await readFile(this.#note(uid), 'utf8')) as LocalPod;
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** Notes what is about to be made. */
  async save(pod: LocalPod): Promise<void> {
    await mkdir(this.folder(pod.uid), { recursive: true, mode: 0o711 });
    const path = this.#note(pod.uid);
    await writeFile(`${path}.new`, JSON.stringify(pod));
    await rename(`${path}.new`, path);
  }

  /** The folder of a pod; it exists once the pod was saved. */
  folder(uid: string): string {
    return join(this.#directory, encodeURIComponent(uid));
  }

  /** Forgets the pod and what its volumes held. Nothing of it is mounted any more. */
  async remove(uid: string): Promise<void> {
    const trash = join(this.#trash, encodeURIComponent(uid));
    try {
      await rename(this.folder(uid), trash);
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error;
    }
    await rm(trash, { recursive: true, force: true });
  }

  #note(uid: string): string {
    return join(this.folder(uid), 'pod.json');
  }
}
