import { DabbaError } from '#base';
import type { RegistryCredentials } from '../engine.ts';
import type { RegistryResolver } from '../ports.ts';
import { RepositoryClient } from './registry-client.ts';
import { RegistryRefusal, RegistryUnreachable } from './registry-errors.ts';
import type { RegistryHttp } from './registry-http.ts';

/** Asks a registry whether it knows these credentials. Returns Docker's word for success; throws `Unauthenticated`. */
export async function loginTo(
  host: string,
  credentials: RegistryCredentials,
  {
    http,
    resolver,
    signal,
  }: { readonly http: RegistryHttp; readonly resolver: RegistryResolver; readonly signal: AbortSignal },
): Promise<string> {
  let unreachable: unknown;
  for (const endpoint of resolver.endpoints(host))
    try {
      // No repository is named: the scope is empty, and a token server then only checks who asks.
      await new RepositoryClient({ http, endpoint, repository: '', credentials, access: 'pull' }).ping(signal);
      return 'Login Succeeded';
    } catch (error) {
      if (error instanceof RegistryRefusal && (error.status === 401 || error.status === 403))
        throw new DabbaError('Unauthenticated', `login attempt to ${host} failed: ${error.message}`, { cause: error });
      if (!(error instanceof RegistryUnreachable)) throw error;
      unreachable ??= error;
    }
  throw unreachable ?? new RegistryUnreachable(`no endpoint is known for registry ${host}`);
}
