import type { BuildEvent, BuildRequest } from '../engine.ts';
import type { View } from '../image/internals.ts';
import type { Limiter } from '../limiter.ts';
import type { BuildCache, CachedStep } from './cache.ts';
import type { CacheMounts } from './cache-mounts.ts';
import type { BuildContext } from './context.ts';
import type { Location } from './fault.ts';
import type { Locks } from '../locks.ts';
import type { Plan } from './plan.ts';
import type { Platform } from './platform.ts';
import type { BuilderParts } from './ports.ts';
import type { SecretRooms } from './secret-room.ts';

/** What all builds of one builder share. */
export interface BuilderShared {
  readonly parts: BuilderParts;
  readonly cache: BuildCache;
  /** Of steps in the making and of cache mounts, by name. */
  readonly locks: Locks;
  /** So many steps work at once. A step that holds a slot waits for cache mounts alone, whose holders have slots of their own. */
  readonly slots: Limiter;
  readonly cacheMounts: CacheMounts;
  readonly secretRooms: SecretRooms;
}

/** One build under way: what its steps share. */
export interface BuildRun extends BuilderShared {
  readonly request: BuildRequest;
  readonly plan: Plan;
  readonly platform: Platform;
  readonly context: BuildContext;
  /** Steps of the images that were named as sources of the cache, by key. */
  readonly cacheSources: ReadonlyMap<string, CachedStep>;
  /** SOURCE_DATE_EPOCH, in seconds, if the build is to be reproducible. */
  readonly epoch: number | undefined;
  /** Tells what happens in the stage at hand; resolves when there is room for more. */
  emit(event: StageEvent): Promise<void>;
  /** The files of an earlier stage or of an image, read-only. Throws if `name` is neither. */
  openSource(at: Location, name: string): Promise<OpenSource>;
}

/** What a stage may tell. */
export type StageEvent = Exclude<BuildEvent, { readonly kind: 'result' }>;

export interface OpenSource extends View {
  /** Stands for the whole content. */
  readonly identity: string;
  /** What to mount to write above it. */
  readonly chainId: BuildChain;
}

export type BuildChain = Parameters<BuilderParts['internals']['snapshots']['openView']>[0];

/** The time that steps taken now carry. */
export const timeOf = ({ epoch, parts }: BuildRun) => (epoch === undefined ? parts.clock.now() : epoch * 1000);

/** The bound on times in layers, for `commitUpper`. */
export const timestampOf = ({ epoch }: BuildRun) => (epoch === undefined ? {} : { timestamp: epoch });
