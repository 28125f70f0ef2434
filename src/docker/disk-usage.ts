import type { CacheRecord, Container, Image } from '#engine';
import type { Api } from './api.ts';
import { containerSummary } from './container-json.ts';
import { sendJson, type Exchange } from './exchange.ts';
import { imageSummary, isUserOf } from './image-json.ts';
import { volumeJson } from './volumes.ts';

const kinds = ['image', 'container', 'volume', 'build-cache'] as const;

/** GET /system/df: what images, containers, volumes and the build cache take; `type` asks for some of them alone. */
export async function diskUsage(api: Api, exchange: Exchange): Promise<void> {
  const { engine } = api;
  const asked = exchange.query.getAll('type');
  const isAsked = (kind: (typeof kinds)[number]) => asked.length === 0 || asked.includes(kind);
  const [images, containers] = await Promise.all([engine.images.list(), engine.containers.list()]);
  const bytesOf = await layerBytes(engine, images);
  sendJson(exchange, 200, {
    ...(isAsked('image') && imageUsage(images, containers, bytesOf)),
    ...(isAsked('container') && { Containers: await containerUsage(api, containers, images) }),
    ...(isAsked('volume') && { Volumes: await volumeUsage(engine) }),
    ...(isAsked('build-cache') && cacheUsage(await engine.builder.cacheUsage())),
    BuilderSize: 0,
  });
}

/** Bytes of each layer that images have, by the digests of it and of all beneath it. */
async function layerBytes(
  { images: port }: Api['engine'],
  images: readonly Image[],
): Promise<ReadonlyMap<string, number>> {
  const sizes = new Map<string, number>();
  for (const image of images)
    for (const [index, size] of (await port.layerSizes(image)).entries()) sizes.set(chainOf(image, index), size);
  return sizes;
}

const chainOf = ({ diffIds }: Image, index: number) => diffIds.slice(0, index + 1).join(' ');

function imageUsage(
  images: readonly Image[],
  containers: readonly Container[],
  bytesOf: ReadonlyMap<string, number>,
): object {
  const users = Map.groupBy(
    images.flatMap((image) => image.diffIds.map((_, index) => chainOf(image, index))),
    (chain) => chain,
  );
  const shared = (image: Image) =>
    image.diffIds
      .map((_, index) => chainOf(image, index))
      .filter((chain) => users.get(chain)!.length > 1)
      .reduce((sum, chain) => sum + (bytesOf.get(chain) ?? 0), 0);
  return {
    LayersSize: [...bytesOf.values()].reduce((sum, size) => sum + size, 0),
    Images: images.map((image) => ({
      ...imageSummary(image, containers.filter((container) => isUserOf(container, image)).length),
      SharedSize: shared(image),
    })),
  };
}

async function containerUsage(
  { engine, clock }: Api,
  containers: readonly Container[],
  images: readonly Image[],
): Promise<readonly object[]> {
  const usages: object[] = [];
  for (const container of containers) {
    const SizeRw = await engine.containers.sizeOf(container.id);
    const imageBytes = images.find(({ id }) => id === container.imageId)?.sizeBytes ?? 0;
    usages.push({ ...containerSummary(container, clock.now()), SizeRw, SizeRootFs: SizeRw + imageBytes });
  }
  return usages;
}

async function volumeUsage({ volumes }: Api['engine']): Promise<readonly object[]> {
  const usages: object[] = [];
  for (const volume of await volumes.list()) {
    const UsageData = { Size: await volumes.sizeOf(volume.name), RefCount: volumes.usersOf(volume.name).length };
    usages.push({ ...volumeJson(volume), UsageData });
  }
  return usages;
}

function cacheUsage(records: readonly CacheRecord[]): object {
  const time = (at: number) => new Date(at).toISOString();
  return {
    BuildCache: records.map((record) => ({
      ID: record.id,
      Type: record.type === 'mount' ? 'exec.cachemount' : 'regular',
      Description: record.description,
      InUse: record.isInUse,
      Shared: record.isShared,
      Size: record.sizeBytes,
      CreatedAt: time(record.createdAt),
      LastUsedAt: time(record.lastUsedAt),
      UsageCount: 1,
    })),
  };
}
