import type { RegistryCredentials } from './engine.ts';

/** How the engine reaches a registry by the host name in a reference. The composition root supplies it. */
export interface RegistryResolver {
  /**
   * Endpoints to try in order, e.g. for `public.ecr.aws` first the local gallery over plain HTTP, then the real one. `hostHeader` is sent as
   * `Host`, so that one local listener can serve many registries. `NotFound` or refusal to connect moves on to the next; other errors do not.
   */
  endpoints(host: string): readonly RegistryEndpoint[];
  /** Credentials the machine itself has for a host, used when the caller gave none. */
  defaultCredentials(host: string): RegistryCredentials | undefined;
  /**
   * Another repository to try when every endpoint of `repository` on `host` is out of reach or lacks it; `docker.io` + `library/debian` gives the
   * local gallery's `public.ecr.aws` + `docker/library/debian`.
   */
  fallback(host: string, repository: string): { readonly host: string; readonly repository: string } | undefined;
}

export interface RegistryEndpoint {
  /** `http://127.0.0.1:4566` or `https://registry-1.docker.io`; no trailing slash, no `/v2`. */
  readonly url: string;
  readonly hostHeader?: string;
}

/** Networks for containers and build steps in `bridge` mode. `network/` supplies it. */
export interface ContainerNetworks {
  attach(network: string, endpointId: string): Promise<ContainerEndpoint>;
  detach(endpointId: string): Promise<void>;
}

export interface ContainerEndpoint {
  readonly netnsPath: string;
  readonly privateIp: string;
  readonly prefixLength: number;
  readonly gateway: string;
  readonly nameservers: readonly string[];
  readonly searchDomains: readonly string[];
}
