import type { RegistryResolver } from '#engine';

/** `000000000000.dkr.ecr.us-east-1.amazonaws.com`, with the partitions' suffixes. */
const privateRegistry = /^\d{12}\.dkr[.-]ecr(-fips)?\.[a-z0-9-]+\.(amazonaws\.com(\.cn)?|on\.aws)$/;
const PUBLIC_GALLERY = 'public.ecr.aws';
const DOCKER_HUB = 'docker.io';

/**
 * Where the registries are that image references name: every ECR is the local one; the public gallery is the local one first, then the
 * real one; loopback registries speak plain HTTP, as Docker has it; the rest is the internet's. `debian`, when Docker Hub does not
 * answer, is the local gallery's `docker/library/debian`.
 */
export function localRegistries(port: number): RegistryResolver {
  const local = `http://127.0.0.1:${port}`;
  return {
    endpoints(host) {
      if (privateRegistry.test(host)) return [{ url: local, hostHeader: host }];
      if (host === PUBLIC_GALLERY) return [{ url: local, hostHeader: host }, { url: `https://${host}` }];
      if (host === DOCKER_HUB) return [{ url: 'https://registry-1.docker.io' }];
      if (isLoopback(host)) return [{ url: `http://${host}` }];
      return [{ url: `https://${host}` }];
    },
    defaultCredentials: () => undefined,
    fallback: (host, repository) =>
      host === DOCKER_HUB ? { host: PUBLIC_GALLERY, repository: `docker/${repository}` } : undefined,
  };
}

function isLoopback(host: string): boolean {
  const name = host.replace(/:\d+$/, '');
  return name === 'localhost' || name === '[::1]' || name.startsWith('127.');
}
