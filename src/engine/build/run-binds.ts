import { chownSync, chmodSync, mkdirSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { digestOf, hexOf } from '#base';
import type { Mount } from '../engine.ts';
import { resolveBeneath, statOf } from './beneath.ts';
import type { BuildRun } from './build-run.ts';
import { stepFault } from './fault.ts';
import type { InstructionOf } from './instruction.ts';
import { mountsOf, type RunMount } from './run-mounts.ts';
import { scopeOf, type StageState } from './state.ts';
import { workOnTrees } from './trees.ts';
import { expand } from './words.ts';

export interface RunMounts {
  readonly mounts: readonly Mount[];
  /** What of them decides the result of the step: not the content of a cache. */
  readonly inputs: readonly unknown[];
  /** Names of caches that nobody else may use meanwhile, in the one order in which everybody takes them. */
  readonly locks: readonly string[];
}

/** The mounts of a RUN for its container. What is opened for them is released with `opened`. */
export async function openRunMounts(
  build: BuildRun,
  state: StageState,
  run: InstructionOf<'RUN'>,
  opened: AsyncDisposableStack,
): Promise<RunMounts> {
  const scope = scopeOf(state, build.plan.escape);
  const mounts: Mount[] = [];
  const inputs: unknown[] = [];
  const locks = new Set<string>();
  for (const written of mountsOf(run)) {
    const target = expand(written.target, scope);
    const mount = { ...written, target: isAbsolute(target) ? target : join(state.config.WorkingDir ?? '/', target) };
    if (mount.type === 'tmpfs')
      mounts.push({
        kind: 'tmpfs',
        target: mount.target,
        ...(mount.sizeBytes === undefined ? {} : { sizeBytes: mount.sizeBytes }),
      });
    else if (mount.type === 'cache') mounts.push(cacheMount(build, run, mount));
    else {
      const { bind, content } = await bindMount(build, run, mount, opened);
      mounts.push(bind);
      inputs.push(content);
    }
    if (mount.sharing === 'locked') locks.add(cacheName(mount));
    inputs.push(mount);
  }
  return { mounts, inputs, locks: [...locks].sort() };
}

const cacheName = (mount: RunMount) => hexOf(digestOf(mount.id ?? mount.target));

/** A directory that outlives the build; its name is what the Dockerfile calls it, or where it is mounted. */
function cacheMount(build: BuildRun, run: InstructionOf<'RUN'>, mount: RunMount): Mount {
  if (mount.sharing === 'private')
    throw stepFault('Unimplemented', run.at, 'RUN --mount=type=cache,sharing=private is not supported yet');
  if (mount.from !== undefined)
    throw stepFault('Unimplemented', run.at, 'RUN --mount=type=cache,from=… is not supported yet');
  const source = join(build.parts.directory, 'mounts', cacheName(mount));
  if (!statOf(source)) {
    mkdirSync(source, { recursive: true });
    chownSync(source, mount.uid, mount.gid);
    chmodSync(source, mount.mode);
  }
  return { kind: 'bind', source, target: mount.target, isReadOnly: mount.isReadOnly };
}

/** A read-only look at the context, another stage or an image, and what stands for its content. */
async function bindMount(
  build: BuildRun,
  run: InstructionOf<'RUN'>,
  mount: RunMount,
  opened: AsyncDisposableStack,
): Promise<{ readonly bind: Mount; readonly content: string | undefined }> {
  if (!mount.isReadOnly)
    throw stepFault('Unimplemented', run.at, 'RUN --mount=type=bind,readwrite is not supported yet');
  const from = mount.from === undefined ? undefined : opened.use(await build.openSource(run.at, mount.from));
  const root = from?.path ?? build.context.root;
  const path = resolveBeneath(root, mount.source);
  if (!statOf(join(root, path)))
    throw stepFault(
      'InvalidArgument',
      run.at,
      `RUN --mount: "${mount.source}" not found in ${mount.from ?? 'the build context'}`,
    );
  const bind = { kind: 'bind', source: join(root, path), target: mount.target, isReadOnly: true } as const;
  const content =
    from?.identity ??
    (await workOnTrees(
      { kind: 'digest', sources: [{ root, path, name: '' }], hasOwners: false },
      build.request.signal,
    ));
  return { bind, content };
}
