import { isAccountId, type AccountId } from '#base';
import type { RepositoryName } from '#registry';
import { GALLERY, isGalleryHost } from '../ecr-public/index.ts';

/** Whose private registry, where. A `CallContext` is one. */
export interface RegistryScope {
  readonly account: AccountId;
  readonly region: string;
}

/** `<account>.dkr.ecr.<region>.amazonaws.com` with its FIPS, dual-stack and China forms (ECR User Guide, "Private registry"). */
const privateHost = /^(\d{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|on\.aws)$/;
const loopbackHost = /^(?:localhost|.+\.localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;
const pathStyle = /^(\d{12})\/([a-z]{2,}(?:-[a-z]+)+-\d)\/(.+)$/;

/** The host name of a `Host` header, without port. */
export function hostnameOf(host: string): string {
  return host.toLowerCase().replace(/:\d+$/, '');
}

/**
 * The repository that a host and the name in a path mean. On loopback, where no name service is set up, the path may begin with account and
 * region; without them it means `home`.
 */
export function resolveRepository(host: string, name: string, home: RegistryScope): RepositoryName | undefined {
  const hostname = hostnameOf(host);
  if (isGalleryHost(hostname)) return { registry: GALLERY, name };
  const [, account, region] = privateHost.exec(hostname) ?? [];
  if (account && region && isAccountId(account)) return repositoryIn({ account, region }, name);
  if (!loopbackHost.test(hostname)) return undefined;
  const [, pathAccount, pathRegion, rest] = pathStyle.exec(name) ?? [];
  if (pathAccount && pathRegion && rest && isAccountId(pathAccount))
    return repositoryIn({ account: pathAccount, region: pathRegion }, rest);
  return repositoryIn(home, name);
}

/** A private repository as the registry names it. */
export function repositoryIn({ account, region }: RegistryScope, name: string): RepositoryName {
  return { registry: `${account}/${region}`, name };
}

/** The account and region of a private repository. */
export function scopeOf({ registry }: RepositoryName): RegistryScope {
  const [account, region] = registry.split('/');
  if (!account || !region || !isAccountId(account)) throw new Error(`${registry} is no private registry`);
  return { account, region };
}

/** What `repositoryUri` and docker call the registry. */
export function registryHost({ account, region }: RegistryScope): string {
  return `${account}.dkr.ecr.${region}.amazonaws.com`;
}
