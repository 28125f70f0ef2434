import type { Image } from '../engine.ts';
import type { CachedStep } from './cache.ts';
import type { BuilderParts } from './ports.ts';

/** What images give to a build's cache. */
export interface CacheSources {
  readonly steps: ReadonlyMap<string, CachedStep>;
  /** What to tell of the references that give nothing. */
  readonly notes: readonly string[];
}

/**
 * Reads the steps that images were built with (`docker build --cache-from`). Each entry of an image's history carries the key of its step,
 * which stands for all that decided its result, copied files included: BuildKit's idea of an inline cache, told entry by entry. As with
 * Docker's classic builder an image must be here already, and one that is not is passed over.
 */
export async function readCacheSources(
  { images, internals }: Pick<BuilderParts, 'images' | 'internals'>,
  references: readonly string[],
): Promise<CacheSources> {
  const steps = new Map<string, CachedStep>();
  const notes: string[] = [];
  for (const reference of references) {
    const image = await images.find(reference);
    const found = image ? stepsOf(image, internals.chainIdsOf(image)) : [];
    for (const [key, step] of found) if (!steps.has(key)) steps.set(key, step);
    if (!image) notes.push(`cache source ${reference} is not here: pull it before the build`);
    else if (found.length === 0)
      notes.push(`cache source ${reference} carries no keys of steps: it was not built by dabba`);
  }
  return { steps, notes };
}

/** Entries that do not fit the layers are left out: the history is what the image's maker wrote. */
function stepsOf({ history, diffIds }: Image, chainIds: readonly Image['id'][]): (readonly [string, CachedStep])[] {
  let layers = 0;
  return history.flatMap((entry) => {
    const { cache_key: key, created_by: createdBy, empty_layer: isEmpty } = entry;
    if (!isEmpty) layers++;
    const createdAt = Date.parse(entry.created ?? '');
    if (!isKey(key) || Number.isNaN(createdAt)) return [];
    const [chainId, diffId] = [chainIds[layers - 1], diffIds[layers - 1]];
    if (!isEmpty && (!chainId || !diffId)) return [];
    const layer = isEmpty || !chainId || !diffId ? {} : { layer: { chainId, diffId } };
    return [[key, { createdAt, ...(createdBy === undefined ? {} : { createdBy }), ...layer }] as const];
  });
}

/** The key becomes a file's name. */
const isKey = (key: string | undefined): key is string => key !== undefined && /^[0-9a-f]{64}$/.test(key);
