import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { BuildEvent, Image } from '../engine.ts';
import { formatReference, parseReference } from '../image/reference.ts';
import { Limiter } from '../limiter.ts';
import type { BuildRun, BuilderShared } from './build-run.ts';
import { BuildCache } from './cache.ts';
import { CacheMounts } from './cache-mounts.ts';
import { readCacheSources } from './cache-sources.ts';
import { checkDockerfile } from './check.ts';
import { openContext } from './context.ts';
import { readEpoch } from './epoch.ts';
import { Housekeeping } from './housekeeping.ts';
import { Locks } from '../locks.ts';
import { withLabels } from './metadata.ts';
import { parseDockerfile } from './parse.ts';
import { planBuild } from './plan.ts';
import { machinePlatform, predefinedArgs } from './platform.ts';
import { buildLabel, type BuilderParts, type DockerfileBuilder } from './ports.ts';
import { SecretRooms } from './secret-room.ts';
import { squash } from './squash.ts';
import { applyMetadata } from './stage.ts';
import { buildStages, countSteps } from './stages.ts';
import type { StageState } from './state.ts';

/** Makes the builder of an engine. */
export function createBuilder(parts: BuilderParts): DockerfileBuilder {
  const cache = new BuildCache(join(parts.directory, 'steps'), parts.clock);
  const locks = new Locks();
  const shared: BuilderShared = {
    parts,
    cache,
    locks,
    slots: new Limiter(Math.max(4, 2 * availableParallelism())),
    cacheMounts: new CacheMounts(join(parts.directory, 'mounts'), parts.clock, locks),
    secretRooms: new SecretRooms(join(parts.directory, 'secrets'), parts.random),
  };
  const housekeeping = new Housekeeping(shared);
  return {
    async *build(request) {
      yield* build(shared, request);
      await housekeeping.enforceLimits();
    },
    cacheUsage: () => housekeeping.usage(),
    prune: (request) => housekeeping.prune(request),
    chainsInUse: () => cache.chains(),
    release: () => shared.secretRooms.sweep(),
    async start() {
      await shared.secretRooms.sweep();
      const left = (await parts.containers.list()).filter(({ create }) => create.labels?.[buildLabel] !== undefined);
      for (const { id } of left) await parts.containers.remove(id, { force: true });
      await cache.sweep();
      await housekeeping.enforceLimits();
    },
  };
}

async function* build(
  shared: BuilderShared,
  request: Parameters<DockerfileBuilder['build']>[0],
): AsyncGenerator<BuildEvent, void> {
  const { parts } = shared;
  await using context = await openContext(parts, request);
  const dockerfile = parseDockerfile(context.dockerfile.text, context.dockerfile.path);
  for (const text of checkDockerfile(dockerfile)) yield { kind: 'warning', text };
  const platform = machinePlatform();
  const plan = planBuild(dockerfile, { buildArgs: request.buildArgs, platform, target: request.target ?? '' });
  using _hold = parts.internals.hold();
  const epoch = readEpoch(request.buildArgs);
  const { steps: cacheSources, notes } = await readCacheSources(parts, request.cacheSources ?? []);
  for (const text of notes) yield { kind: 'note', text };
  for (const [index, { source }] of plan.preamble.entries())
    yield { kind: 'step', index: index + 1, count: countSteps(plan), text: source };
  const target = yield* buildStages({ ...shared, request, plan, platform, context, cacheSources, epoch });
  const events: BuildEvent[] = [];
  const run: BuildRun = { ...target.run, emit: (event) => Promise.resolve(void events.push(event)) };
  const isLabelled = Object.keys(request.labels).length > 0;
  let result = isLabelled
    ? await applyMetadata(run, target.state, withLabels(target.state.config, request.labels))
    : target.state;
  if (request.isSquashed) result = await squash(run, result);
  yield* events;
  const unused = unusedArgs(run);
  if (unused.length > 0)
    yield { kind: 'warning', text: `One or more build-args [${unused.join(' ')}] were not consumed` };
  if (request.onFiles) {
    await writeFiles(run, result);
    return;
  }
  const image = await createImage(run, result);
  yield {
    kind: 'result',
    imageId: image.id,
    references: request.references.map((text) => formatReference(parseReference(text))),
  };
}

/** The files of the result as a tar (`--output type=tar`). */
async function writeFiles({ parts, request, epoch }: BuildRun, { chainId }: StageState): Promise<void> {
  await using view = await parts.internals.snapshots.openView(chainId);
  await parts.archives.pack({
    root: view.path,
    content: 'tree',
    ...(epoch === undefined ? {} : { timestamp: epoch }),
    ...(request.onFiles ? { write: request.onFiles } : {}),
    signal: request.signal,
  });
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
