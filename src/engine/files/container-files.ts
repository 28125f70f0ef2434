import { posix } from 'node:path';
import { type Clock, DabbaError, isDabbaError } from '#base';
import type { CommitRequest, ContainerFiles, FileChange, Image, PathStat, WriteOptions } from '../engine.ts';
import type { ImageInternals } from '../image/internals.ts';
import type { Archives } from '../layer/archives.ts';
import { openPack } from '../layer/open-pack.ts';
import { readAccounts } from '../runtime/accounts.ts';
import type { ContainerSet } from '../runtime/containers.ts';
import { resolveUser } from '../runtime/spec/user.ts';
import { commitContainer } from './commit.ts';
import { findStubs } from './stubs.ts';

export interface ContainerFilesParts {
  readonly archives: Archives;
  readonly containers: ContainerSet;
  readonly images: ImageInternals;
  readonly clock: Clock;
}

/** What a container's file system looks like never depends on this process alone, so every look is on a thread confined to it (`Archives`). */
export class LocalContainerFiles implements ContainerFiles {
  readonly #parts: ContainerFilesParts;

  constructor(parts: ContainerFilesParts) {
    this.#parts = parts;
  }

  async changes(id: string): Promise<readonly FileChange[]> {
    const { archives, containers, images } = this.#parts;
    await using root = await containers.openRoot(id, 'own');
    const { record, upper } = root;
    await using lower = await images.snapshots.openView(record.chainId);
    const except = findStubs(upper, lower.path, targetsOf(record));
    return await archives.compare({ upper, lower: lower.path, except, signal: never });
  }

  async export(id: string, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    const { archives, containers } = this.#parts;
    await containers.find(id).then((found) => found ?? absent(id));
    return (async function* () {
      await using root = await containers.openRoot(id, 'own');
      root.publish('export');
      yield* openPack(archives, { root: root.path, content: 'tree', signal });
    })();
  }

  async commit(id: string, request: CommitRequest): Promise<Image> {
    const { containers, images, clock } = this.#parts;
    await using root = await containers.openRoot(id, 'own');
    await using _ = request.isPaused ? await frozen(containers, id) : undefined;
    const { record, upper } = root;
    await using lower = await images.snapshots.openView(record.chainId);
    const stubs = findStubs(upper, lower.path, targetsOf(record));
    const image = await commitContainer({ images, record, upper, stubs, now: clock.now() }, request);
    root.publish('commit', { comment: request.comment ?? '', imageID: image.id, imageRef: request.reference ?? '' });
    return image;
  }

  async stat(id: string, path: string): Promise<PathStat> {
    await using root = await this.#parts.containers.openRoot(id, 'whole');
    return await this.#stat(root.path, id, path);
  }

  async read(
    id: string,
    path: string,
    signal: AbortSignal,
  ): Promise<{ readonly stat: PathStat; readonly tar: AsyncIterable<Uint8Array> }> {
    const { archives, containers } = this.#parts;
    const stat = await this.stat(id, path);
    const whole = cleanPath(path);
    const content = { path: whole, name: archiveName(whole) };
    const tar = (async function* () {
      await using root = await containers.openRoot(id, 'whole');
      root.publish('archive-path');
      yield* openPack(archives, { root: root.path, content, ...(root.ids && { ids: root.ids }), signal });
    })();
    return { stat, tar };
  }

  async write(id: string, path: string, tar: AsyncIterable<Uint8Array>, options: WriteOptions): Promise<void> {
    const { archives, containers } = this.#parts;
    const { isKindKept, isOwnedByUser, signal } = options;
    await using root = await containers.openRoot(id, 'whole');
    const directory = posix.resolve('/', path);
    const { mode } = await this.#stat(root.path, id, path, `${directory}/.`);
    if ((mode & fileTypeMask) !== directoryType)
      throw new DabbaError('InvalidArgument', `extraction point "${path}" is not a directory`);
    const user = root.record.process.user;
    const owner = isOwnedByUser && user !== '' ? resolveUser(user, readAccounts(root.path)) : undefined;
    const onto = {
      isKindKept,
      ...(owner && { owner: { uid: owner.uid, gid: owner.gid } }),
      ...(root.ids && { ids: root.ids }),
    };
    await archives.unpack({ source: tar, root: root.path, directory, form: 'archive', onto, signal });
    root.publish('extract-to-dir');
  }

  async #stat(root: string, id: string, path: string, whole = cleanPath(path)): Promise<PathStat> {
    const stat = await this.#parts.archives.stat({ root, path: whole, signal: never });
    if (stat) return stat;
    throw new DabbaError('NotFound', `Could not find the file ${path} in container ${id}`);
  }
}

const fileTypeMask = 0o170000;
const directoryType = 0o040000;
/** For what is over in a moment. */
const never = new AbortController().signal;

/** Absolute and without `..`; a `/` or `/.` at the end stays, for it follows a link and asks for a directory. */
export function cleanPath(path: string): string {
  const clean = posix.resolve('/', path);
  if (clean === '/') return '/';
  if (path.endsWith('/.')) return `${clean}/.`;
  return path.endsWith('/') ? `${clean}/` : clean;
}

/** The name the first member carries: the last of the path, `.` for the content of a directory, `/` for the root. */
function archiveName(path: string): string {
  return path === '/' ? '/' : path.endsWith('/.') ? '.' : posix.basename(path);
}

/** Freezes a container that runs until disposed. One that does not run, or is paused already, stays as it is. */
async function frozen(containers: ContainerSet, id: string): Promise<AsyncDisposable | undefined> {
  if ((await containers.find(id))?.state.status !== 'running') return undefined;
  try {
    await containers.pause(id);
  } catch (error) {
    if (isDabbaError(error, 'Conflict')) return undefined; // it ended at this moment
    throw error;
  }
  return {
    async [Symbol.asyncDispose]() {
      try {
        await containers.unpause(id);
      } catch (error) {
        // It was killed meanwhile, or somebody else let it go.
        if (!isDabbaError(error, 'Conflict') && !isDabbaError(error, 'NotFound')) throw error;
      }
    },
  };
}

function targetsOf({ mounts }: { readonly mounts: readonly { readonly target: string }[] }): readonly string[] {
  return mounts.map(({ target }) => target);
}

function absent(id: string): never {
  throw new DabbaError('NotFound', `No such container: ${id}`);
}
