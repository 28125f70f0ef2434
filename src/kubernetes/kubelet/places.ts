import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '#base';
import { namesIn } from '#kernel';
import type { ClusterPlaces, NodePlaces } from './context.ts';
import type { MemoryFiles } from './memory-files.ts';
import type { KubeletRecord } from './ports.ts';

const noteName = 'node.json';
const memoryBytes = 256 * 2 ** 20;
/** Beside the folders of nodes, whose names begin with a letter or digit. */
const [storageName, blocksName] = ['.storage', '.blocks'] as const;

export function nodeDirectory(stateDirectory: string, id: string): string {
  return join(stateDirectory, id);
}

export function placesOf(stateDirectory: string, { id, cluster }: KubeletRecord): NodePlaces {
  const directory = nodeDirectory(stateDirectory, id);
  return {
    root: join(directory, 'root'),
    memory: join(directory, 'memory'),
    ...clusterPlacesOf(stateDirectory, cluster.id),
  };
}

export function clusterPlacesOf(stateDirectory: string, clusterId: string): ClusterPlaces {
  return { storage: join(stateDirectory, storageName, clusterId), blocks: join(stateDirectory, blocksName, clusterId) };
}

/** The cgroup that holds every pod of a node. */
export function nodeCgroup(cgroupParent: string, { id }: KubeletRecord): string {
  return `${cgroupParent}/${id}`;
}

/** Makes a node's places; first of all the note that an end of the node needs, whatever was forgotten by then. May be repeated. */
export async function makePlaces(
  directory: string,
  {
    places,
    node,
    memoryFiles,
  }: { readonly places: NodePlaces; readonly node: KubeletRecord; readonly memoryFiles: MemoryFiles },
): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o711 });
  const note = join(directory, noteName);
  await writeFile(`${note}.new`, JSON.stringify(node), { mode: 0o600 });
  await rename(`${note}.new`, note);
  const { root, memory, storage, blocks } = places;
  for (const path of [memory, storage, blocks, join(root, 'var/log'), join(root, 'tmp'), join(root, 'etc')])
    await mkdir(path, { recursive: true, mode: 0o755 });
  await writeFile(join(root, 'etc/hostname'), `${node.nodeName}\n`);
  memoryFiles.ensure(memory, { sizeBytes: memoryBytes, mode: 0o711 });
}

/** Removes a node's places, of which nothing is mounted any more; the note last. May be repeated. */
export async function removePlaces(directory: string): Promise<void> {
  for (const name of await namesIn(directory))
    if (name !== noteName) await rm(join(directory, name), { recursive: true, force: true });
  await rm(directory, { recursive: true, force: true });
}

/** Nodes of which anything is on this machine, as their notes have them. */
export async function notedNodes(stateDirectory: string): Promise<readonly KubeletRecord[]> {
  const nodes: KubeletRecord[] = [];
  for (const id of await namesIn(stateDirectory)) {
    if (id === storageName || id === blocksName) continue;
    try {
      nodes.push(JSON.parse(await readFile(join(stateDirectory, id, noteName), 'utf8')) as KubeletRecord);
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error;
      // Nothing was made of it but the folder.
      await rm(join(stateDirectory, id), { recursive: true, force: true });
    }
  }
  return nodes;
}
