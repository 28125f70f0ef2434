import type { RepositoryName } from '#registry';
import type { Versioned } from '#store';
import type { CallContext } from '../service.ts';
import { requireAccess } from './access.ts';
import { repositoryIn, type RegistryScope } from './hosts.ts';
import { findRepository, repositoryNotFound, type EcrState, type RepositoryRecord } from './repository.ts';
import { registryScope, repositoryName } from './validation.ts';

/** A repository that the caller has been found to be allowed to do this to. */
export interface Target {
  readonly scope: RegistryScope;
  readonly repository: RepositoryName;
  readonly seen: Versioned<RepositoryRecord>;
  readonly record: RepositoryRecord;
  /** `registryId` and `repositoryName`, which most answers repeat. */
  readonly names: { readonly registryId: string; readonly repositoryName: string };
}

interface Naming {
  readonly registryId?: string | undefined;
  readonly repositoryName: string | undefined;
}

/**
 * Finds the repository of a call and decides whether the caller may. A repository's own policy takes part in that, so the operations ask
 * here and not at the edge. Throws `AccessDeniedException`, then `RepositoryNotFoundException`.
 */
export async function openRepository(
  state: EcrState,
  action: string,
  { registryId, repositoryName: name }: Naming,
  context: CallContext,
): Promise<Target> {
  const scope = registryScope(registryId, context);
  const repository = repositoryIn(scope, repositoryName(name));
  const seen = await findRepository(state, repository);
  await requireAccess(state, {
    principal: context.principal,
    action: `ecr:${action}`,
    repository,
    record: seen?.value,
    context: {
      'aws:SourceIp': context.sourceIp,
      'aws:UserAgent': context.userAgent,
      'aws:RequestedRegion': context.region,
    },
  });
  if (!seen) throw repositoryNotFound(repository);
  return {
    scope,
    repository,
    seen,
    record: seen.value,
    names: { registryId: scope.account, repositoryName: repository.name },
  };
}
