import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Logger, messageOf } from '#base';
import type { Informer } from '../../client/informer.ts';
import type * as types from '../../types.ts';
import { untilAborted } from '../../until-aborted.ts';
import type { BlockDevices } from '../block-devices.ts';
import type { ClusterPlaces } from '../context.ts';
import { directoryOf } from './claims.ts';

export interface StorageOptions {
  /** Where the volumes of a cluster lie on this machine, each in a directory or a file of its own. */
  readonly places: ClusterPlaces;
  readonly blockDevices: BlockDevices;
  readonly volumes: Informer<types.PersistentVolume>;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** Removes the files of volumes that are no more, and those that lost their volume while nobody looked. Ends with the signal. */
export async function keepStorage({ places, blockDevices, volumes, logger, signal }: StorageOptions): Promise<void> {
  const remove = async (name: string) => {
    try {
      const block = join(places.blocks, name);
      blockDevices.release(block);
      for (const path of [block, join(places.storage, name)]) await rm(path, { recursive: true, force: true });
      logger.info('a volume was removed', { volume: name });
    } catch (error) {
      logger.warn('a volume was not removed', { volume: name, error: messageOf(error) });
    }
  };
  const ended = untilAborted(signal);
  // Read first: what is there by now belongs to a volume that the copy below knows, if it belongs to any.
  const found = new Set<string>();
  for (const directory of [places.storage, places.blocks]) {
    await mkdir(directory, { recursive: true });
    for (const name of await readdir(directory)) found.add(name);
  }
  await Promise.race([volumes.synced(), ended]);
  if (signal.aborted) return;
  const known = new Set(volumes.list().map(directoryOf));
  await Promise.all([...found].filter((name) => !known.has(name)).map(remove));
  const end = volumes.onChange(({ now, before }) => {
    const name = now ? undefined : before && directoryOf(before);
    if (name !== undefined) void remove(name);
  });
  await ended;
  end();
}
