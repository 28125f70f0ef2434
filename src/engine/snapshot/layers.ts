import { mkdir, readdir, readFile, readlink, rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, hexOf, isDigest, type Logger, messageOf, systemCode } from '#base';
import { syncDirectory, writeDurably } from '../durable.ts';
import type { Layer } from '../image/internals.ts';
import { Locks } from '../locks.ts';
import { chainIdOf } from './chain.ts';
import type { Trash } from './trash.ts';

/** A layer as its file has it. */
export interface StoredLayer extends Layer {
  /** Short name of its directory, for mount options. */
  readonly link: string;
  /** The timestamp its diff ID was made with; needed to make the same tar again. */
  readonly timestamp?: number;
}

/**
 * Unpacked layers: `layers/<chain ID>/{diff/, layer.json}`, and `l/<short> → ../layers/<chain ID>/diff`. A layer appears by one rename of
 * a directory that is complete, so what is there is whole whenever the process dies. (Should the machine lose power within seconds of it,
 * contents the kernel had not written yet are gone: syncing every file would make unpacking several times slower.) All layers are known
 * in memory; the files are the truth at the next start.
 */
export class LayerStore {
  readonly #layers: string;
  readonly #trash: Trash;
  readonly #logger: Logger;
  readonly #byChain = new Map<Digest, StoredLayer>();
  /** Who makes or removes a layer, by the shortest link that it could have. */
  readonly #locks = new Locks();
  readonly linkDirectory: string;

  constructor(directory: string, parts: { readonly trash: Trash; readonly logger: Logger }) {
    this.#layers = join(directory, 'layers');
    this.linkDirectory = join(directory, 'l');
    this.#trash = parts.trash;
    this.#logger = parts.logger;
  }

  /** Reads what is there, and drops links and directories that are no whole layer. */
  async start(): Promise<void> {
    for (const directory of [this.#layers, this.linkDirectory])
      await mkdir(directory, { recursive: true, mode: 0o700 });
    for (const name of await readdir(this.#layers)) await this.#load(name);
    const links = new Set([...this.#byChain.values()].map(({ link }) => link));
    for (const name of await readdir(this.linkDirectory))
      if (!links.has(name)) await rm(join(this.linkDirectory, name), { force: true });
    for (const layer of this.#byChain.values()) await this.#makeLink(layer);
  }

  find(chainId: Digest): StoredLayer | undefined {
    return this.#byChain.get(chainId);
  }

  list(): readonly Layer[] {
    return [...this.#byChain.values()];
  }

  /** The files of a layer. */
  diffOf(chainId: Digest): string {
    return join(this.#layers, hexOf(chainId), 'diff');
  }

  /** A chain and everything beneath it, topmost first. Undefined if a layer of it is missing. */
  chain(chainId: Digest | undefined): readonly StoredLayer[] | undefined {
    const layers: StoredLayer[] = [];
    for (let next = chainId; next !== undefined;) {
      const layer = this.#byChain.get(next);
      if (!layer) return undefined;
      layers.push(layer);
      next = layer.parent;
    }
    return layers;
  }

  /** Takes the directory `staging`, whose `diff/` holds the files, as a layer. If there is one already, `staging` is thrown away. */
  async commit(staging: string, layer: Omit<StoredLayer, 'chainId' | 'link'>): Promise<Layer> {
    const chainId = chainIdOf(layer.parent, layer.diffId);
    using _turn = await this.#locks.hold(shortestLink(chainId));
    const existing = this.#byChain.get(chainId);
    if (existing) {
      await this.#trash.discard(staging);
      return existing;
    }
    const stored = { ...layer, chainId, link: await this.#freeLink(chainId) };
    await writeDurably(join(staging, 'layer.json'), JSON.stringify(stored));
    await syncDirectory(staging);
    await this.#makeLink(stored);
    await rename(staging, join(this.#layers, hexOf(chainId)));
    await syncDirectory(this.#layers);
    this.#byChain.set(chainId, stored);
    return stored;
  }

  /** Throws a layer away. Nothing may be mounted on it. */
  async remove(chainId: Digest): Promise<void> {
    using _turn = await this.#locks.hold(shortestLink(chainId));
    const layer = this.#byChain.get(chainId);
    if (!layer) return;
    this.#byChain.delete(chainId);
    await this.#trash.discard(join(this.#layers, hexOf(chainId)));
    await rm(join(this.linkDirectory, layer.link), { force: true });
  }

  async #load(name: string): Promise<void> {
    const directory = join(this.#layers, name);
    try {
      const stored = JSON.parse(await readFile(join(directory, 'layer.json'), 'utf8')) as StoredLayer; // our own file
      if (!isDigest(stored.chainId) || hexOf(stored.chainId) !== name) throw new Error('it is another layer');
      this.#byChain.set(stored.chainId, stored);
    } catch (error) {
      this.#logger.warn('dropped a damaged layer', { layer: name, reason: messageOf(error) });
      await this.#trash.discard(directory);
    }
  }

  /** The fewest digits, from ten up, that no other layer has. */
  async #freeLink(chainId: Digest): Promise<string> {
    const hex = hexOf(chainId);
    for (let { length } = shortestLink(chainId); length < hex.length; length += 2) {
      const link = hex.slice(0, length);
      const target = await targetOf(join(this.linkDirectory, link));
      if (target === undefined || target === linkTarget(chainId)) return link;
    }
    return hex;
  }

  async #makeLink({ link, chainId }: StoredLayer): Promise<void> {
    const path = join(this.linkDirectory, link);
    if ((await targetOf(path)) === linkTarget(chainId)) return;
    await rm(path, { force: true });
    await symlink(linkTarget(chainId), path);
  }
}

function shortestLink(chainId: Digest): string {
  return hexOf(chainId).slice(0, 10);
}

function linkTarget(chainId: Digest): string {
  return `../layers/${hexOf(chainId)}/diff`;
}

async function targetOf(path: string): Promise<string | undefined> {
  try {
    return await readlink(path);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
