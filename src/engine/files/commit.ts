import { digestOf } from '#base';
import { applyChanges, containerConfig } from './config.ts';
import type { CommitRequest, Image } from '../engine.ts';
import type { ImageInternals } from '../image/internals.ts';
import type { ContainerRecord } from '../runtime/record.ts';

/** A tar without members: two zero blocks. */
const emptyLayer = digestOf(Buffer.alloc(1024));

export interface CommitParts {
  readonly images: ImageInternals;
  readonly record: ContainerRecord;
  /** The container's read/write layer; it stays as it is. */
  readonly upper: string;
  /** Mount points in it. */
  readonly stubs: readonly string[];
  readonly now: number;
}

/** Makes an image of a container as it stands (`docker commit`). */
export async function commitContainer(parts: CommitParts, request: CommitRequest): Promise<Image> {
  const { images, record, upper, stubs, now } = parts;
  using _ = images.hold();
  const { image } = await images.resolveForRun(record.imageId);
  const { signal } = request;
  const layer = await images.commitUpper({ parent: record.chainId, upper, isCopied: true, except: stubs, signal });
  const isEmpty = layer.diffId === emptyLayer;
  const entry = {
    created: new Date(now).toISOString(),
    created_by: record.process.args.join(' '),
    ...(request.comment && { comment: request.comment }),
  };
  return images.createImage({
    config: applyChanges({ ...containerConfig(image.config, record), ...request.config }, request.changes),
    diffIds: isEmpty ? image.diffIds : [...image.diffIds, layer.diffId],
    history: [...image.history, isEmpty ? { ...entry, empty_layer: true } : entry],
    references: request.reference === undefined ? [] : [request.reference],
    architecture: image.architecture,
    ...(request.author && { author: request.author }),
    createdAt: now,
  });
}
