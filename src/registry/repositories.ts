import { DabbaError, type Clock } from '#base';
import type { Store, Versioned } from '#store';
import { RegistryError } from './errors.ts';
import type { BlobPins } from './pins.ts';
import { idOf, nameOfId, type Records, type RepositoryEntry } from './records.ts';
import type { RegistryContent, RepositoryName } from './registry.ts';
import { retryOnConflict } from './retry.ts';

/** What every part of the content works on. */
export interface ContentState {
  readonly store: Store;
  readonly records: Records;
  readonly clock: Clock;
  readonly pins: BlobPins;
}

type RepositoryMethods = Pick<
  RegistryContent,
  'createRepository' | 'deleteRepository' | 'listRepositories' | 'hasRepository'
>;

export function repositoryMethods({ store, records, clock }: ContentState): RepositoryMethods {
  return {
    async createRepository(repository) {
      const id = idOf(repository);
      await store.txn({
        compare: [records.repositories.ifAbsent(id)],
        success: [records.repositories.put(id, { createdAt: clock.now() })],
      });
    },

    async deleteRepository(repository, { force }) {
      const prefix = `${idOf(repository)}/`;
      await retryOnConflict(`repository ${repository.name}`, async () => {
        const seen = await records.repositories.get(idOf(repository));
        if (!seen) return true;
        if (!force && (await records.manifests.list(prefix)).length > 0)
          throw new DabbaError('FailedPrecondition', `repository ${repository.name} still holds images`);
        const { succeeded } = await store.txn({
          // A push in between has changed the repository's own record.
          compare: [records.repositories.ifUnchanged(seen)],
          success: [
            records.repositories.remove(idOf(repository)),
            ...records.belongings.map(({ prefix: kind }) => ({ kind: 'deletePrefix' as const, prefix: kind + prefix })),
          ],
        });
        return succeeded;
      });
    },

    async listRepositories(registry) {
      return (await records.repositories.list(`${registry}/:`)).map(({ id }) => nameOfId(id));
    },

    async hasRepository(repository) {
      return (await records.repositories.get(idOf(repository))) !== undefined;
    },
  };
}

/** The repository's own record. Throws `NAME_UNKNOWN`. */
export async function requireRepository(
  records: Records,
  repository: RepositoryName,
): Promise<Versioned<RepositoryEntry>> {
  const found = await records.repositories.get(idOf(repository));
  if (!found)
    throw new RegistryError(
      'NAME_UNKNOWN',
      `repository ${repository.name} does not exist in registry ${repository.registry}`,
    );
  return found;
}
