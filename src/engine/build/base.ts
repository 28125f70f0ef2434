import { DabbaError } from '#base';
import type { Image } from '../engine.ts';
import type { BuildRun, OpenSource } from './build-run.ts';
import { stepFault, type Location } from './fault.ts';
import { findStage, type Stage } from './plan.ts';
import { defaultPath, emptyState, environmentOf, type StageState } from './state.ts';

/** Stages by number, once they are asked for; each is there when it has been built. */
export type StageResults = ReadonlyMap<number, Promise<StageState>>;

/** The stage as its FROM leaves it. */
export async function startStage(build: BuildRun, { base, from }: Stage, results: StageResults): Promise<StageState> {
  if (base.kind === 'scratch') return { ...emptyState, createdAt: (build.epoch ?? 0) * 1000 };
  if (base.kind === 'stage') return { ...(await results.get(base.index)!), args: new Map(), isCommandSet: false };
  const image = await findImage(build, from.at, base.reference);
  const state = stateOf(build, image);
  if (state.chainId !== undefined) await build.emit({ kind: 'layer', id: image.id });
  return state;
}

/** The files that `--from=NAME` in stage number `index` means: an earlier stage, once it is built, or an image. */
export async function openSource(
  build: BuildRun,
  { results, index }: { readonly results: StageResults; readonly index: number },
  at: Location,
  name: string,
): Promise<OpenSource> {
  // A stage that waited for itself would wait for ever.
  const stage = findStage(name, build.plan.stages.slice(0, index));
  const built = stage ? await results.get(stage.index) : undefined;
  const chainId = built ? built.chainId : stateOf(build, await findImage(build, at, name)).chainId;
  const view = await build.parts.internals.snapshots.openView(chainId);
  return {
    path: view.path,
    identity: chainId ?? 'scratch',
    chainId,
    [Symbol.asyncDispose]: () => view[Symbol.asyncDispose](),
  };
}

/** The image, fetched if it is not here or if a newer one is wanted: once, however many stages ask for it. */
async function findImage(build: BuildRun, at: Location, reference: string): Promise<Image> {
  const { request, parts, locks } = build;
  const isWanted = request.isPulledAlways === true;
  const found = isWanted ? undefined : await parts.images.find(reference);
  if (found) return found;
  using _turn = await locks.hold(`pull ${reference}`, request.signal);
  const meanwhile = isWanted ? undefined : await parts.images.find(reference);
  if (meanwhile) return meanwhile;
  await build.emit({ kind: 'note', text: `Pulling ${reference}` });
  return await pull(build, at, reference);
}

async function pull(build: BuildRun, at: Location, reference: string): Promise<Image> {
  const { request, parts } = build;
  const credentials = request.credentials[hostOf(reference)];
  try {
    return await parts.images.pull(reference, { signal: request.signal, ...(credentials ? { credentials } : {}) });
  } catch (error) {
    if (error instanceof DabbaError) throw stepFault(error.kind, at, `${reference}: ${error.message}`, error);
    throw error;
  }
}

/** The registry of a reference: its first part if that looks like a host, else Docker Hub. */
function hostOf(reference: string): string {
  const [first, ...rest] = reference.split('/');
  return rest.length > 0 && (/[.:]/.test(first!) || first === 'localhost') ? first! : 'docker.io';
}

function stateOf(build: BuildRun, image: Image): StageState {
  const environment = environmentOf(image.config);
  const Env = environment.has('PATH') ? (image.config.Env ?? []) : [`PATH=${defaultPath}`, ...(image.config.Env ?? [])];
  return {
    ...emptyState,
    config: { ...image.config, Env },
    diffIds: image.diffIds,
    chainId: build.parts.internals.chainIdsOf(image).at(-1),
    history: image.history,
    base: { layers: image.diffIds.length, history: image.history.length },
    cacheKey: image.id,
    createdAt: image.createdAt,
    ...(image.author === undefined ? {} : { author: image.author }),
  };
}
