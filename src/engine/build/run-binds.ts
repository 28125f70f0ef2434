import { isAbsolute, join } from 'node:path';
import type { Mount } from '../engine.ts';
import { resolveBeneath, statOf } from './beneath.ts';
import type { BuildRun, OpenSource } from './build-run.ts';
import { stepFault } from './fault.ts';
import type { InstructionOf } from './instruction.ts';
import { mountsOf, type RunMount } from './run-mounts.ts';
import { RunSecrets } from './run-secrets.ts';
import { scopeOf, type StageState } from './state.ts';
import { workOnTrees } from './trees.ts';
import { expand } from './words.ts';

/** The mounts of a RUN, read and looked at. */
export interface RunMounts {
  /** What of them decides the result of the step: not the content of a cache, and of a secret or an agent nothing but its name. */
  readonly inputs: readonly unknown[];
  /** Makes them for the container. What they hold is let go with `held` and `opened`. */
  open(held: DisposableStack, opened: AsyncDisposableStack): Promise<OpenMounts>;
}

export interface OpenMounts {
  readonly mounts: readonly Mount[];
  /** `SSH_AUTH_SOCK` */
  readonly environment: readonly string[];
  /** Files whose contents become variables before the command runs, by name of the variable. */
  readonly variables: ReadonlyMap<string, string>;
}

type Opener = (held: DisposableStack, opened: AsyncDisposableStack) => Promise<readonly Mount[]>;

/** Reads the mounts of a RUN and waits for the stages that they show. What is opened for that is released with `opened`. */
export async function prepareRunMounts(
  build: BuildRun,
  state: StageState,
  run: InstructionOf<'RUN'>,
  opened: AsyncDisposableStack,
): Promise<RunMounts> {
  const scope = scopeOf(state, build.plan.escape);
  const inputs: unknown[] = [];
  const openers: Opener[] = [];
  const secrets = new RunSecrets(build, run);
  const caches: { readonly mount: RunMount; readonly from: Place | undefined }[] = [];
  for (const written of mountsOf(run)) {
    const target = expand(written.target, scope);
    const isPlaced = target === '' || isAbsolute(target);
    const mount = { ...written, target: isPlaced ? target : join(state.config.WorkingDir ?? '/', target) };
    inputs.push(mount);
    if (mount.type === 'tmpfs') openers.push(() => Promise.resolve([tmpfsMount(mount)]));
    else if (mount.type === 'secret' || mount.type === 'ssh') secrets.add(mount);
    else {
      const from = mount.from === undefined ? undefined : opened.use(await build.openSource(run.at, mount.from));
      const place = { mount, from, path: '' };
      if (mount.type === 'cache') caches.push({ mount, from: from && placeOf(build, run, place) });
      else {
        const found = placeOf(build, run, place);
        inputs.push(from?.identity ?? (await digestOf(build, found)));
        openers.push((_, stack) => bindMount(build, found, stack));
      }
    }
  }
  await secrets.announceMissing();
  return {
    inputs,
    async open(held, stack) {
      const mounts = await openCaches(build, caches, held);
      for (const opener of openers) mounts.push(...(await opener(held, stack)));
      const given = await secrets.open(stack);
      return { ...given, mounts: [...mounts, ...given.mounts] };
    },
  };
}

/** Where a bind shows something of, or a cache gets its first content from. */
interface Place {
  readonly mount: RunMount;
  /** The context when absent. */
  readonly from: OpenSource | undefined;
  /** Resolved, relative to the root of `from`. */
  readonly path: string;
}

const rootOf = (build: BuildRun, { from }: Place) => from?.path ?? build.context.root;

function placeOf(build: BuildRun, run: InstructionOf<'RUN'>, place: Place): Place {
  const root = rootOf(build, place);
  const path = resolveBeneath(root, place.mount.source);
  if (statOf(join(root, path))) return { ...place, path };
  const { from = 'the build context', source } = place.mount;
  throw stepFault('InvalidArgument', run.at, `RUN --mount: "${source}" not found in ${from}`);
}

const digestOf = (build: BuildRun, place: Place) =>
  workOnTrees(
    { kind: 'digest', sources: [{ root: rootOf(build, place), path: place.path, name: '' }], hasOwners: false },
    build.request.signal,
  );

const tmpfsMount = ({ target, sizeBytes }: RunMount): Mount => ({
  kind: 'tmpfs',
  target,
  ...(sizeBytes === undefined ? {} : { sizeBytes }),
});

/** A look at the context, another stage or an image. What is written to one that is not read-only is seen by nobody else, and lost. */
async function bindMount(build: BuildRun, place: Place, opened: AsyncDisposableStack): Promise<readonly Mount[]> {
  const { mount, path } = place;
  const root = mount.isReadOnly ? rootOf(build, place) : await openCopy(build, place, opened);
  const { target, isReadOnly } = mount;
  return [{ kind: 'bind', source: join(root, path), target, isReadOnly, isMapped: true }];
}

/** A root of our own with the same files: another overlay of the stage or image, or a copy of the context. */
async function openCopy(build: BuildRun, place: Place, opened: AsyncDisposableStack): Promise<string> {
  const { snapshots } = build.parts.internals;
  const directory = await snapshots.makeTemporary();
  opened.defer(() => snapshots.discard(directory));
  const [target, upper, work] = ['root', 'upper', 'work'].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ];
  if (place.from) {
    await snapshots.mount({ chainId: place.from.chainId, target, writable: { upper, work } });
    opened.defer(() => snapshots.unmount(target));
    return target;
  }
  await copyTree(build, place, directory);
  return directory;
}

/** Copies what is at a place, below the same path of a directory. */
async function copyTree(build: BuildRun, place: Place, directory: string, destination = place.path): Promise<void> {
  const { signal } = build.request;
  const source = { root: rootOf(build, place), path: place.path, name: '' };
  const look = { madeAtNs: BigInt(build.parts.clock.now()) * 1_000_000n };
  const copies = [{ source, destination }];
  const job = { kind: 'copy', upper: directory, view: directory, look, directories: [], copies, texts: [] } as const;
  await workOnTrees(job, signal);
}

/** Directories that outlive the build. */
async function openCaches(
  build: BuildRun,
  caches: readonly { readonly mount: RunMount; readonly from: Place | undefined }[],
  held: DisposableStack,
): Promise<Mount[]> {
  const mounts = caches.map(({ mount }) => mount);
  const paths = await build.cacheMounts.take(mounts, held, {
    signal: build.request.signal,
    fill: async (mount, directory) => {
      const from = caches.find((cache) => cache.mount === mount)?.from;
      if (from) await copyTree(build, from, directory, '');
    },
  });
  return caches.map(({ mount: { target, isReadOnly } }, index) => ({
    kind: 'bind',
    source: paths[index]!,
    target,
    isReadOnly,
    isMapped: true,
  }));
}
