import type { Digest } from '#base';
import type { CachePrune, CachePruned, CacheRecord } from '../engine.ts';
import type { BuilderShared } from './build-run.ts';
import { sizeOfTree } from './cache-mounts.ts';
import type { CacheLimits } from './ports.ts';

const defaultLimits: CacheLimits = { mostBytes: 10e9, mostUnusedMs: 14 * 24 * 3600_000 };
/** Cache mounts are measured file by file, which is not done for every build. */
const measuredForMs = 10 * 60_000;

type Measured = CacheRecord & { readonly chainId?: Digest };

/** Keeps the build cache within its limits: cached steps with their layers, and cache mounts. */
export class Housekeeping {
  readonly #shared: BuilderShared;
  readonly #mountSizes = new Map<string, { readonly bytes: number; readonly at: number }>();

  constructor(shared: BuilderShared) {
    this.#shared = shared;
  }

  /** What there is. A layer that several steps ended in counts for the first of them. */
  async usage(): Promise<readonly CacheRecord[]> {
    return await this.#usage(0);
  }

  /** Removes what the request names, the least recently used first. A build that goes on keeps its layers until it ends. */
  async prune(request: CachePrune, knownForMs = 0): Promise<CachePruned> {
    const { parts, cache, cacheMounts } = this.#shared;
    const records = await this.#usage(knownForMs);
    let leftBytes = records.reduce((sum, record) => sum + weightOf(record), 0);
    const going = records.filter(isNamed(request)).sort((a, b) => a.lastUsedAt - b.lastUsedAt);
    const gone: Measured[] = [];
    for (const record of going) {
      if (request.keepBytes !== undefined && leftBytes <= request.keepBytes) break;
      if (record.type === 'step') await cache.remove(record.id);
      else if (!(await cacheMounts.remove(record.id, (path) => parts.internals.snapshots.discard(path)))) continue;
      leftBytes -= weightOf(record);
      gone.push(record);
    }
    if (gone.some(({ chainId }) => chainId !== undefined)) await parts.internals.collectGarbage();
    let reclaimedBytes = 0;
    for (const { chainId, sizeBytes } of gone)
      if (chainId === undefined || !(await parts.internals.findLayer(chainId))) reclaimedBytes += sizeBytes;
    return { ids: gone.map(({ id }) => id), reclaimedBytes };
  }

  /** Drops what was unused for too long, then what is beyond the size. */
  async enforceLimits(): Promise<void> {
    const { limits = defaultLimits, clock } = this.#shared.parts;
    await this.prune({ unusedSince: clock.now() - limits.mostUnusedMs }, measuredForMs);
    await this.prune({ keepBytes: limits.mostBytes }, measuredForMs);
  }

  async #usage(knownForMs: number): Promise<readonly Measured[]> {
    const { cache, cacheMounts, parts } = this.#shared;
    const ofImages = new Set((await parts.images.list()).flatMap((image) => parts.internals.chainIdsOf(image)));
    const counted = new Set<string>();
    const records: Measured[] = [];
    for (const { key, step, lastUsedAt } of await cache.list()) {
      const chainId = step.layer?.chainId;
      const layer =
        chainId === undefined || counted.has(chainId) ? undefined : await parts.internals.findLayer(chainId);
      if (chainId !== undefined) counted.add(chainId);
      records.push({
        id: key,
        type: 'step',
        description: step.createdBy ?? '',
        isInUse: false,
        isShared: chainId !== undefined && ofImages.has(chainId),
        sizeBytes: layer?.sizeBytes ?? 0,
        createdAt: step.createdAt,
        lastUsedAt,
        ...(chainId === undefined ? {} : { chainId }),
      });
    }
    for (const { path, ...mount } of cacheMounts.list())
      records.push({ ...mount, type: 'mount', isShared: false, sizeBytes: await this.#sizeOf(path, knownForMs) });
    return records;
  }

  async #sizeOf(path: string, knownForMs: number): Promise<number> {
    const now = this.#shared.parts.clock.now();
    const known = this.#mountSizes.get(path);
    if (known && known.at > now - knownForMs) return known.bytes;
    const bytes = await sizeOfTree(path);
    this.#mountSizes.set(path, { bytes, at: now });
    return bytes;
  }
}

/** What counts for the limit: removing a layer that an image keeps frees nothing. */
const weightOf = ({ isShared, sizeBytes }: CacheRecord) => (isShared ? 0 : sizeBytes);

const isNamed =
  ({ unusedSince, ids, types }: CachePrune) =>
  ({ id, type, isInUse, lastUsedAt }: CacheRecord) =>
    !isInUse &&
    (unusedSince === undefined || lastUsedAt < unusedSince) &&
    (ids === undefined || ids.some((wanted) => id.startsWith(wanted))) &&
    (types === undefined || types.includes(type));
