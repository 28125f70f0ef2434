import { isDabbaError } from '#base';
import type { RegistryCredentials } from '../engine.ts';
import type { RegistryResolver } from '../ports.ts';
import type { ImageReference } from './reference.ts';
import { RepositoryClient } from './registry-client.ts';
import { RegistryUnreachable } from './registry-errors.ts';
import type { RegistryHttp } from './registry-http.ts';

export interface ReachOptions {
  readonly http: RegistryHttp;
  readonly resolver: RegistryResolver;
  readonly credentials: RegistryCredentials | undefined;
  readonly access: 'pull' | 'pull,push';
  /** Repositories of the same host to mount blobs from. */
  readonly sources?: readonly string[];
}

/**
 * Runs `use` against each place that may hold the repository, in the resolver's order, until one does not lack it and can be reached.
 * A pull goes on to the resolver's other repository. The caller's credentials are for the host it named and go nowhere else.
 */
export async function atFirstEndpoint<Result>(
  reference: ImageReference,
  options: ReachOptions,
  use: (client: RepositoryClient) => Promise<Result>,
): Promise<Result> {
  let firstLack: unknown;
  for (const client of clientsFor(reference, options))
    try {
      return await use(client);
    } catch (error) {
      if (!(error instanceof RegistryUnreachable) && !isDabbaError(error, 'NotFound')) throw error;
      // "Not here" says more than "could not be asked".
      if (firstLack === undefined || (firstLack instanceof RegistryUnreachable && isDabbaError(error, 'NotFound')))
        firstLack = error;
    }
  throw firstLack ?? new RegistryUnreachable(`no endpoint is known for registry ${reference.host}`);
}

function* clientsFor(reference: ImageReference, options: ReachOptions): Generator<RepositoryClient, void> {
  const { http, resolver, access, sources } = options;
  const { host, repository } = reference;
  const own = options.credentials ?? resolver.defaultCredentials(host);
  for (const endpoint of resolver.endpoints(host))
    yield new RepositoryClient({ http, endpoint, repository, credentials: own, access, ...(sources && { sources }) });
  const other = access === 'pull' ? resolver.fallback(host, repository) : undefined;
  if (!other) return;
  const credentials = resolver.defaultCredentials(other.host);
  for (const endpoint of resolver.endpoints(other.host))
    yield new RepositoryClient({ http, endpoint, repository: other.repository, credentials, access });
}
