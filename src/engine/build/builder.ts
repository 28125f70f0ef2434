import { join } from 'node:path';
import { DabbaError } from '#base';
import type { BuildEvent, Image } from '../engine.ts';
import type { BuildRun } from './build-run.ts';
import { BuildCache } from './cache.ts';
import { openContext } from './context.ts';
import { stepFault, type Location } from './fault.ts';
import { Locks } from './locks.ts';
import { withLabels } from './metadata.ts';
import { parseDockerfile, parseTrigger } from './parse.ts';
import { findStage, planBuild, type Stage } from './plan.ts';
import { machinePlatform, predefinedArgs } from './platform.ts';
import { buildLabel, type BuilderParts, type DockerfileBuilder } from './ports.ts';
import { applyMetadata, buildInstruction } from './stage.ts';
import { defaultPath, emptyState, environmentOf, type StageState } from './state.ts';

/** Makes the builder of an engine. */
export function createBuilder(parts: BuilderParts): DockerfileBuilder {
  const cache = new BuildCache(join(parts.directory, 'steps'), parts.clock);
  const locks = new Locks();
  return {
    build: (request) => build({ parts, cache, locks, request }),
    chainsInUse: () => cache.chains(),
    async start() {
      const left = (await parts.containers.list()).filter(({ create }) => create.labels?.[buildLabel] !== undefined);
      for (const { id } of left) await parts.containers.remove(id, { force: true });
      if ((await cache.sweep()) > 0) await parts.internals.collectGarbage();
    },
  };
}

async function* build(
  shared: Pick<BuildRun, 'parts' | 'cache' | 'locks' | 'request'>,
): AsyncGenerator<BuildEvent, void> {
  const { parts, request } = shared;
  await using context = await openContext(parts, request);
  const dockerfile = parseDockerfile(context.dockerfile.text, context.dockerfile.path);
  const platform = machinePlatform();
  const plan = planBuild(dockerfile, { buildArgs: request.buildArgs, platform, target: request.target ?? '' });
  using _hold = parts.internals.hold();
  const finished = new Map<number, StageState>();
  const run: BuildRun = {
    ...shared,
    plan,
    platform,
    context,
    openSource: (at, name) => openSource(run, finished, at, name),
  };
  const steps = stepCounter(
    plan.preamble.length + plan.needed.reduce((sum, stage) => sum + stage.instructions.length + 1, 0),
  );
  for (const instruction of plan.preamble) yield steps.next(instruction.source);
  for (const stage of plan.needed) finished.set(stage.index, yield* buildStage(run, stage, finished, steps));
  const target = finished.get(plan.target)!;
  const isLabelled = Object.keys(request.labels).length > 0;
  const result = isLabelled ? yield* applyMetadata(run, target, withLabels(target.config, request.labels)) : target;
  const unused = unusedArgs(run);
  if (unused.length > 0)
    yield { kind: 'note', text: `[Warning] One or more build-args [${unused.join(' ')}] were not consumed` };
  const image = await createImage(run, result);
  yield {
    kind: 'result',
    imageId: image.id,
    references: image.references.filter((_, index) => index < request.references.length),
  };
}

interface StepCounter {
  next(text: string): BuildEvent;
}

function stepCounter(count: number): StepCounter {
  let index = 0;
  return { next: (text) => ({ kind: 'step', index: ++index, count, text }) };
}

async function* buildStage(
  run: BuildRun,
  stage: Stage,
  finished: ReadonlyMap<number, StageState>,
  steps: StepCounter,
): AsyncGenerator<BuildEvent, StageState> {
  yield steps.next(stage.from.source);
  let state = yield* startStage(run, stage, finished);
  const triggers = stage.base.kind === 'image' ? (state.config.OnBuild ?? []) : [];
  if (triggers.length > 0) {
    const { OnBuild: _, ...config } = state.config;
    state = { ...state, config };
    yield { kind: 'note', text: `Executing ${triggers.length} build trigger${triggers.length === 1 ? '' : 's'}` };
    for (const trigger of triggers) state = yield* buildInstruction(run, state, parseTrigger(trigger, stage.from.at));
  }
  for (const instruction of stage.instructions) {
    run.request.signal.throwIfAborted();
    yield steps.next(instruction.source);
    state = yield* buildInstruction(run, state, instruction);
  }
  return state;
}

async function* startStage(
  run: BuildRun,
  { base, from }: Stage,
  finished: ReadonlyMap<number, StageState>,
): AsyncGenerator<BuildEvent, StageState> {
  if (base.kind === 'scratch') return { ...emptyState, createdAt: 0 };
  if (base.kind === 'stage') return { ...finished.get(base.index)!, args: new Map(), isCommandSet: false };
  const { reference } = base;
  const found = run.request.isPulledAlways ? undefined : await run.parts.images.find(reference);
  if (!found) yield { kind: 'note', text: `Pulling ${reference}` };
  const image = found ?? (await pull(run, from.at, reference));
  const state = stateOf(run, image);
  if (state.chainId !== undefined) yield { kind: 'layer', id: image.id };
  return state;
}

async function pull(run: BuildRun, at: Location, reference: string): Promise<Image> {
  const { request, parts } = run;
  const host = hostOf(reference);
  const credentials = request.credentials[host];
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

function stateOf(run: BuildRun, image: Image): StageState {
  const environment = environmentOf(image.config);
  const Env = environment.has('PATH') ? (image.config.Env ?? []) : [`PATH=${defaultPath}`, ...(image.config.Env ?? [])];
  return {
    ...emptyState,
    config: { ...image.config, Env },
    diffIds: image.diffIds,
    chainId: run.parts.internals.chainIdsOf(image).at(-1),
    history: image.history,
    cacheKey: image.id,
    createdAt: image.createdAt,
    ...(image.author === undefined ? {} : { author: image.author }),
  };
}

async function openSource(run: BuildRun, finished: ReadonlyMap<number, StageState>, at: Location, name: string) {
  const stage = findStage(name, run.plan.stages);
  const built = stage ? finished.get(stage.index) : undefined;
  const chainId = built
    ? built.chainId
    : stateOf(run, (await run.parts.images.find(name)) ?? (await pull(run, at, name))).chainId;
  const view = await run.parts.internals.snapshots.openView(chainId);
  return {
    path: view.path,
    identity: chainId ?? 'scratch',
    [Symbol.asyncDispose]: () => view[Symbol.asyncDispose](),
  };
}

async function createImage(run: BuildRun, state: StageState): Promise<Image> {
  return run.parts.internals.createImage({
    config: state.config,
    diffIds: state.diffIds,
    history: state.history,
    references: run.request.references,
    architecture: run.platform.architecture,
    createdAt: state.createdAt,
    ...(state.author === undefined ? {} : { author: state.author }),
  });
}

/** Arguments given for a build that no ARG of it takes: most likely misspelt. */
function unusedArgs({ plan, request }: BuildRun): string[] {
  const instructions = [...plan.preamble, ...plan.needed.flatMap((stage) => stage.instructions)];
  const declared = new Set(
    instructions.flatMap((instruction) =>
      instruction.kind === 'ARG' ? instruction.declarations.map(({ name }) => name) : [],
    ),
  );
  return Object.keys(request.buildArgs).filter((name) => !declared.has(name) && !predefinedArgs.has(name));
}
