import { DabbaError } from '#base';
import type { RegistryAction, RegistryContent, RegistryOperation, RepositoryName } from '#registry';
import type { Principal } from '../auth/index.ts';

/** The registry that `public.ecr.aws` means. */
export const GALLERY = 'public';

/** The service principal that publishes base images; only the daemon can act as it. */
export const PUBLISHER = 'gallery.dabba';

const HOSTS = new Set(['public.ecr.aws', 'ecr-public.aws.com']);

/** True for the names of the public gallery, without port. */
export function isGalleryHost(hostname: string): boolean {
  return HOSTS.has(hostname);
}

const pulls: ReadonlySet<RegistryOperation> = new Set([
  'blob-head',
  'blob-get',
  'manifest-head',
  'manifest-get',
  'tags-list',
  'referrers-list',
]);

/** Everybody may pull; only the daemon may push. Throws `Unauthenticated` or `PermissionDenied`. */
export function authorizeGallery(
  principal: Principal | undefined,
  repository: RepositoryName,
  operation: RegistryOperation,
): void {
  if (pulls.has(operation)) return;
  if (principal?.kind === 'service' && principal.service === PUBLISHER) return;
  if (!principal) throw new DabbaError('Unauthenticated', 'Not Authorized');
  const who = principal.kind === 'anonymous' ? 'anonymous' : principal.arn;
  throw new DabbaError('PermissionDenied', `${who} may not publish to the gallery's repository ${repository.name}`);
}

/** Throws `NotFound` unless the repository exists; a push, which only the daemon can come this far with, makes it. */
export async function requireGalleryRepository(
  content: RegistryContent,
  repository: RepositoryName,
  action: RegistryAction,
): Promise<void> {
  if (action === 'push') return await content.createRepository(repository);
  if (!(await content.hasRepository(repository)))
    throw new DabbaError(
      'NotFound',
      `The repository with name '${repository.name}' does not exist in the public gallery`,
    );
}
