import type { BuildRequest } from '../engine.ts';
import type { View } from '../image/internals.ts';
import type { BuildCache } from './cache.ts';
import type { BuildContext } from './context.ts';
import type { Location } from './fault.ts';
import type { Locks } from './locks.ts';
import type { Plan } from './plan.ts';
import type { Platform } from './platform.ts';
import type { BuilderParts } from './ports.ts';

/** One build under way: what its steps share. */
export interface BuildRun {
  readonly parts: BuilderParts;
  readonly request: BuildRequest;
  readonly plan: Plan;
  readonly platform: Platform;
  readonly context: BuildContext;
  readonly cache: BuildCache;
  /** Of cache mounts that one step at a time may use; shared by all builds. */
  readonly locks: Locks;
  /** The files of an earlier stage or of an image, read-only. Throws if `name` is neither. */
  openSource(at: Location, name: string): Promise<OpenSource>;
}

export interface OpenSource extends View {
  /** Stands for the whole content. */
  readonly identity: string;
}
