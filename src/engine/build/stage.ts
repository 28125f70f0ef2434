import { isAbsolute, join, normalize } from 'node:path';
import type { Layer } from '../image/internals.ts';
import { resolveBeneath, statOf } from './beneath.ts';
import { timeOf, timestampOf, type BuildRun } from './build-run.ts';
import { stepKey, type CachedStep } from './cache.ts';
import { UpperWriter } from './copy-tree.ts';
import { executeCopy, prepareCopy } from './copy.ts';
import type { Instruction, InstructionOf } from './instruction.ts';
import { changeMetadata, type MetadataChange } from './metadata.ts';
import { prepareRunMounts } from './run-binds.ts';
import { executeRun, prepareRun } from './run.ts';
import { historyComment, scopeOf, type StageState } from './state.ts';
import { expand } from './words.ts';

/** Carries out one instruction of a stage and gives the stage after it. */
export async function buildInstruction(
  build: BuildRun,
  state: StageState,
  instruction: Instruction,
): Promise<StageState> {
  switch (instruction.kind) {
    case 'FROM':
      throw new Error('FROM starts a stage and is none of its instructions');
    case 'ARG':
      return declareArgs(build, state, instruction);
    case 'WORKDIR':
      return await changeDirectory(build, state, instruction);
    case 'COPY':
    case 'ADD':
      return await copyFiles(build, state, instruction);
    case 'RUN':
      return await runCommand(build, state, instruction);
    default:
      return await applyMetadata(build, state, changeMetadata(state, instruction, scopeOf(state, build.plan.escape)));
  }
}

/** A change of the config alone is a step too: its time is kept, so that a cached build gives the same image. */
export async function applyMetadata(build: BuildRun, state: StageState, change: MetadataChange): Promise<StageState> {
  const { author, isCommandSet } = change;
  const next = {
    ...state,
    config: change.config ?? state.config,
    ...(author === undefined ? {} : { author }),
    ...(isCommandSet === undefined ? {} : { isCommandSet }),
  };
  return await takeStep(build, next, { inputs: ['config', change.createdBy], createdBy: change.createdBy });
}

/** ARG makes no step of the cache: what is declared counts where it is used. */
function declareArgs(build: BuildRun, state: StageState, { declarations }: InstructionOf<'ARG'>): StageState {
  let next = state;
  for (const { name, value } of declarations) {
    const given =
      build.request.buildArgs[name] ??
      (value === undefined ? build.plan.globalArgs.get(name) : expand(value, scopeOf(next, build.plan.escape)));
    const args = new Map(next.args);
    if (given !== undefined) args.set(name, given);
    next = {
      ...next,
      args,
      history: [...next.history, entryOf(next.createdAt, `ARG ${name}${given === undefined ? '' : `=${given}`}`)],
    };
  }
  return next;
}

async function changeDirectory(
  build: BuildRun,
  state: StageState,
  { text }: InstructionOf<'WORKDIR'>,
): Promise<StageState> {
  const wanted = expand(text, scopeOf(state, build.plan.escape));
  const path = isAbsolute(wanted) ? wanted : join('/', state.config.WorkingDir ?? '/', wanted);
  const WorkingDir = normalize(path).replace(/(.)\/+$/, '$1');
  const next = { ...state, config: { ...state.config, WorkingDir } };
  return await takeStep(build, next, {
    inputs: ['WORKDIR', WorkingDir],
    createdBy: `WORKDIR ${WorkingDir}`,
    make: () => makeWorkingDirectory(build, state, WorkingDir),
  });
}

/** A layer with the directory, or none if the image has it. */
async function makeWorkingDirectory(build: BuildRun, state: StageState, path: string): Promise<Layer | undefined> {
  const { internals } = build.parts;
  const { snapshots } = internals;
  await using view = await snapshots.openView(state.chainId);
  const resolved = resolveBeneath(view.path, path);
  if (resolved === '' || statOf(join(view.path, resolved))?.isDirectory()) return undefined;
  await using cleanup = new AsyncDisposableStack();
  const upper = await snapshots.makeTemporary();
  cleanup.defer(() => snapshots.discard(upper));
  const writer = new UpperWriter(upper, view.path, { madeAtNs: BigInt(timeOf(build)) * 1_000_000n });
  writer.makeDirectory(resolved);
  writer.finish();
  return await internals.commitUpper({
    parent: state.chainId,
    upper,
    ...timestampOf(build),
    signal: build.request.signal,
  });
}

async function copyFiles(build: BuildRun, state: StageState, copy: InstructionOf<'COPY' | 'ADD'>): Promise<StageState> {
  await using step = await prepareCopy(build, state, copy);
  return await takeStep(build, state, {
    inputs: [step.digest],
    createdBy: step.display,
    make: () => executeCopy(build, state, step),
  });
}

async function runCommand(build: BuildRun, state: StageState, run: InstructionOf<'RUN'>): Promise<StageState> {
  const step = prepareRun(build, state, run);
  await using opened = new AsyncDisposableStack();
  const mounts = await prepareRunMounts(build, state, run, opened);
  const args = step.buildArgs.length === 0 ? '' : `|${step.buildArgs.length} ${step.buildArgs.join(' ')} `;
  return await takeStep(build, state, {
    inputs: ['RUN', step.args, step.script?.text, step.buildArgs, step.network, mounts.inputs],
    createdBy: `RUN ${args}${step.display} # buildkit`,
    make: async () => {
      using held = new DisposableStack();
      return await executeRun(build, state, step, await mounts.open(held, opened));
    },
  });
}

interface Step {
  /** What decides the result, besides the stage so far. */
  readonly inputs: readonly unknown[];
  readonly createdBy: string;
  /** Makes the layer, if the step may have one. */
  readonly make?: () => Promise<Layer | undefined>;
}

/** Takes a step's result from the cache or makes it, and adds it to the stage. */
async function takeStep(build: BuildRun, state: StageState, { inputs, createdBy, make }: Step): Promise<StageState> {
  const { signal, isCacheDisabled } = build.request;
  const cacheKey = stepKey(state.cacheKey, [...inputs, build.epoch]);
  // Two stages that begin alike, or two builds: the second waits for what the first makes.
  using _turn = make && !isCacheDisabled ? await build.locks.hold(`step ${cacheKey}`, signal) : undefined;
  const cached = await findCached(build, state, cacheKey);
  if (cached) await build.emit({ kind: 'cached' });
  const layer = cached ? cached.layer : make ? await build.slots.run(make, signal) : undefined;
  const createdAt = cached?.createdAt ?? timeOf(build);
  if (!cached) {
    const kept = layer ? { layer: { chainId: layer.chainId, diffId: layer.diffId } } : {};
    await build.cache.write(cacheKey, { createdAt, createdBy, ...kept });
  }
  if (layer) await build.emit({ kind: 'layer', id: layer.chainId });
  const entry = { ...entryOf(createdAt, createdBy), cache_key: cacheKey };
  if (!layer) return { ...state, cacheKey, createdAt, history: [...state.history, entry] };
  const { empty_layer: _, ...full } = entry;
  return {
    ...state,
    cacheKey,
    createdAt,
    chainId: layer.chainId,
    diffIds: [...state.diffIds, layer.diffId],
    history: [...state.history, full],
  };
}

/** The step's result from this machine's cache, else from an image that was named as a source; the cache knows it then too. */
async function findCached(build: BuildRun, state: StageState, key: string): Promise<CachedStep | undefined> {
  const { request, cache, cacheSources, parts } = build;
  if (request.isCacheDisabled) return undefined;
  const known = await cache.read(key);
  if (known && (!known.layer || (await parts.internals.findLayer(known.layer.chainId)))) return known;
  const given = cacheSources.get(key);
  if (!given) return undefined;
  // Whoever made the image wrote the key into it: what stands beneath its layer is checked all the same.
  if (given.layer) {
    const layer = await parts.internals.findLayer(given.layer.chainId);
    if (!layer || layer.parent !== state.chainId) return undefined;
  }
  await cache.write(key, given);
  return given;
}

const entryOf = (createdAt: number, createdBy: string) => ({
  created: new Date(createdAt).toISOString(),
  created_by: createdBy,
  empty_layer: true,
  comment: historyComment,
});
