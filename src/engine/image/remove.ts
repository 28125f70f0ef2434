import { DabbaError, type Digest, hexOf } from '#base';
import type { RemovedImage } from '../engine.ts';
import type { ImageUsers } from './internals.ts';
import {
  familiarReference,
  familiarRepository,
  formatReference,
  parseReference,
  repositoryOf,
  tryParseReference,
} from './reference.ts';
import type { ImageIndex, ImageStore } from './store.ts';

/**
 * Forgets a reference, and the image with its last one, as `docker rmi` does. Given an ID, all references go if they are of one
 * repository. Throws `Conflict` in Docker's words while containers use the image; `force` overrides stopped ones alone. The layers go
 * with the next collection.
 */
export async function removeImage(
  store: ImageStore,
  users: ImageUsers,
  nameOrId: string,
  isForced: boolean,
): Promise<readonly RemovedImage[]> {
  const id = store.find(nameOrId);
  if (!id) throw noSuchImage(nameOrId);
  const containers = await users.containersOf(id);
  let removed: readonly RemovedImage[] | undefined;
  await store.update((index) => {
    // Another image may have taken the name since.
    if (store.find(nameOrId) !== id) return index;
    const removal = removalOf(index, { nameOrId, id, references: store.referencesOf(id), containers, isForced });
    removed = removal.removed;
    return removal.index;
  });
  return removed ?? (await removeImage(store, users, nameOrId, isForced));
}

/** An image that is to be removed, and who uses it. */
interface RemovedName {
  readonly nameOrId: string;
  readonly id: Digest;
  readonly references: readonly string[];
  readonly containers: readonly { readonly id: string; readonly isRunning: boolean }[];
  readonly isForced: boolean;
}

interface Removal {
  readonly index: ImageIndex;
  readonly removed: readonly RemovedImage[];
}

function removalOf(index: ImageIndex, image: RemovedName): Removal {
  const { nameOrId, id, references, containers, isForced } = image;
  const named = referenceAmong(references, nameOrId);
  if (named === undefined) {
    const conflict = conflictOf(image);
    if (conflict) throw conflict;
    return forget(index, id, references);
  }
  const isLast = references.length === 1;
  const user = containers[0];
  if (isLast && user && !isForced)
    throw new DabbaError(
      'Conflict',
      `conflict: unable to remove repository reference "${nameOrId}" (must force) - container ${user.id.slice(0, 12)} is using its referenced image ${hexOf(id).slice(0, 12)}`,
    );
  const isKept = !isLast || containers.some(({ isRunning }) => isRunning);
  return isKept ? untag(index, id, references, named) : forget(index, id, references);
}

function untag(index: ImageIndex, id: Digest, references: readonly string[], named: string): Removal {
  const record = index.images[id]!; // it has a reference
  const repository = repositoryOf(parseReference(named));
  const isRepositoryLeft = references.some(
    (each) => each !== named && repositoryOf(parseReference(each)) === repository,
  );
  const repoDigests = isRepositoryLeft
    ? record.repoDigests
    : record.repoDigests.filter((each) => !each.startsWith(`${repository}@`));
  return {
    index: { ...withoutReferences(index, [named]), images: { ...index.images, [id]: { ...record, repoDigests } } },
    removed: [{ untagged: familiar(named) }],
  };
}

function forget(index: ImageIndex, id: Digest, references: readonly string[]): Removal {
  const { [id]: record, ...images } = index.images;
  const names = [...references, ...(record?.repoDigests ?? [])];
  return {
    index: { ...withoutReferences(index, references), images },
    removed: [...names.map((each): RemovedImage => ({ untagged: familiar(each) })), { deleted: id }],
  };
}

function conflictOf(image: RemovedName): DabbaError | undefined {
  const { references, containers, isForced } = image;
  const short = hexOf(image.id).slice(0, 12);
  const conflict = (how: string, why: string) =>
    new DabbaError('Conflict', `conflict: unable to delete ${short} (${how}) - ${why}`);
  const running = containers.find(({ isRunning }) => isRunning);
  if (running)
    return conflict('cannot be forced', `image is being used by running container ${running.id.slice(0, 12)}`);
  if (isForced) return undefined;
  const repositories = new Set(references.map((each) => repositoryOf(parseReference(each))));
  if (repositories.size > 1) return conflict('must be forced', 'image is referenced in multiple repositories');
  const stopped = containers[0];
  if (stopped) return conflict('must be forced', `image is being used by stopped container ${stopped.id.slice(0, 12)}`);
  return undefined;
}

/** The reference that `nameOrId` spells, unless it is an ID. */
function referenceAmong(references: readonly string[], nameOrId: string): string | undefined {
  const reference = tryParseReference(nameOrId);
  const whole = reference && formatReference(reference);
  return references.find((each) => each === whole);
}

function withoutReferences(index: ImageIndex, gone: readonly string[]): ImageIndex {
  return {
    ...index,
    references: Object.fromEntries(Object.entries(index.references).filter(([reference]) => !gone.includes(reference))),
  };
}

function familiar(reference: string): string {
  return familiarReference(parseReference(reference));
}

/** Docker's words for an image that is not here. */
export function noSuchImage(nameOrId: string): DabbaError {
  return new DabbaError('NotFound', `No such image: ${nameWithTag(nameOrId)}`);
}

/** The name as Docker repeats it: with its tag. */
function nameWithTag(nameOrId: string): string {
  const reference = tryParseReference(nameOrId);
  if (!reference || /^(sha256:)?[0-9a-f]{12,64}$/.test(nameOrId)) return nameOrId;
  return `${familiarRepository(reference)}${reference.digest ? `@${reference.digest}` : `:${reference.tag}`}`;
}
