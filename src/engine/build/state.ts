import type { Digest } from '#base';
import type { Image, ImageConfig } from '../engine.ts';
import type { WordScope } from './words.ts';

/** A stage as built so far. Each step gives a new one. */
export interface StageState {
  readonly config: ImageConfig;
  readonly author?: string;
  readonly diffIds: readonly Digest[];
  /** Chain of the layers; undefined while there is none. */
  readonly chainId: Digest | undefined;
  readonly history: Image['history'];
  /** How many layers and history entries came from the base image. */
  readonly base: { readonly layers: number; readonly history: number };
  /** Stands for everything above. */
  readonly cacheKey: string;
  readonly createdAt: number;
  /** Values of the ARGs declared so far. */
  readonly args: ReadonlyMap<string, string>;
  /** CMD came from this Dockerfile, not from the base. */
  readonly isCommandSet: boolean;
}

/** Docker's own PATH, given to images made from scratch. */
export const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export const emptyState: StageState = {
  config: { Env: [`PATH=${defaultPath}`], WorkingDir: '/' },
  diffIds: [],
  chainId: undefined,
  history: [],
  base: { layers: 0, history: 0 },
  cacheKey: 'scratch',
  createdAt: 0,
  args: new Map(),
  isCommandSet: false,
};

/** The image's environment by name. */
export function environmentOf(config: ImageConfig): Map<string, string> {
  return new Map((config.Env ?? []).map((entry) => splitPair(entry)));
}

/** The words' scope at this place of the stage: ENV hides ARG. */
export function scopeOf(state: StageState, escape: string): WordScope {
  const environment = environmentOf(state.config);
  return { escape, lookup: (name) => environment.get(name) ?? state.args.get(name) };
}

export function splitPair(entry: string): [string, string] {
  const equals = entry.indexOf('=');
  return equals < 0 ? [entry, ''] : [entry.slice(0, equals), entry.slice(equals + 1)];
}

/** The comment of history entries; viewers tell by it how to read `created_by`, which we write as BuildKit does. */
export const historyComment = 'buildkit.dockerfile.v0';
