import { DabbaError } from '#base';
import type { Container, Image } from '#engine';
import type { Api } from './api.ts';
import { queryFilters, sendJson, type Exchange } from './exchange.ts';
import { familiarName, isUserOf } from './image-json.ts';
import { instantOf } from './instant.ts';

const known = ['dangling', 'until', 'label', 'label!'];

/** POST /images/prune: untagged images that no container uses; with the filter `dangling=false`, tagged ones too. */
export async function pruneImages({ engine, clock }: Api, exchange: Exchange): Promise<void> {
  const filters = queryFilters(exchange);
  const unknown = [...filters.keys()].find((name) => !known.includes(name));
  if (unknown !== undefined) throw new DabbaError('InvalidArgument', `invalid filter '${unknown}'`);
  const [images, containers] = await Promise.all([engine.images.list(), engine.containers.list()]);
  const before = await layerBytes(engine.images, images);
  const deleted: object[] = [];
  for (const image of images.filter((each) => isPruned(each, containers, filters, clock.now())))
    for (const entry of await engine.images.remove(image.id, { force: true }))
      deleted.push('untagged' in entry ? { Untagged: familiarName(entry.untagged) } : { Deleted: entry.deleted });
  const after = await layerBytes(engine.images, await engine.images.list());
  sendJson(exchange, 200, {
    ImagesDeleted: deleted.length === 0 ? null : deleted,
    SpaceReclaimed: Math.max(0, before - after),
  });
}

function isPruned(
  image: Image,
  containers: readonly Container[],
  filters: ReadonlyMap<string, readonly string[]>,
  now: number,
): boolean {
  if (containers.some((container) => isUserOf(container, image))) return false;
  const isDanglingOnly = !(filters.get('dangling') ?? []).some((word) => ['0', 'false'].includes(word));
  if (isDanglingOnly && image.references.length > 0) return false;
  if (!(filters.get('until') ?? []).every((until) => image.createdAt < instantOf(until, now))) return false;
  return (
    (filters.get('label') ?? []).every((label) => hasLabel(image, label)) &&
    !(filters.get('label!') ?? []).some((label) => hasLabel(image, label))
  );
}

/** `name` or `name=value`. */
function hasLabel({ config }: Image, wanted: string): boolean {
  const [name = '', ...value] = wanted.split('=');
  const label = config.Labels?.[name];
  return label !== undefined && (value.length === 0 || label === value.join('='));
}

/** Bytes of all layers of these images, each counted once. */
async function layerBytes(images: Api['engine']['images'], all: readonly Image[]): Promise<number> {
  const sizes = new Map<string, number>();
  for (const image of all)
    for (const [index, size] of (await images.layerSizes(image)).entries()) sizes.set(image.diffIds[index]!, size);
  return [...sizes.values()].reduce((sum, size) => sum + size, 0);
}
