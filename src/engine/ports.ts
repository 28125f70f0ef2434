import type { NetworkNamespace } from '#kernel';
import type { RegistryCredentials } from './engine.ts';
import type { NetworkTraffic, PortRequest, PublishedPort } from './networks.ts';

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

/**
 * Networks for containers and build steps in `bridge` mode. `network/` supplies it and says there what each call does; a sandbox is a
 * container, by its id.
 */
export interface ContainerNetworks {
  create(network: BridgeCreate): Promise<BridgeNetwork>;
  remove(id: string): Promise<void>;
  list(): readonly BridgeNetwork[];
  attach(endpoint: {
    readonly sandboxId: string;
    readonly networkId: string;
    readonly address?: string;
    readonly macAddress?: string;
    readonly names: readonly string[];
    readonly nameservers?: readonly string[];
    readonly namespace?: NetworkNamespace;
  }): Promise<BridgeEndpoint>;
  disconnect(sandboxId: string, networkId: string): Promise<void>;
  detach(sandboxId: string): Promise<void>;
  publish(sandboxId: string, ports: readonly PortRequest[]): Promise<readonly PublishedPort[]>;
  endpoints(sandboxId: string): readonly BridgeEndpoint[];
  ports(sandboxId: string): readonly PublishedPort[];
}

export interface BridgeCreate {
  readonly id: string;
  readonly name: string;
  readonly createdAt: number;
  readonly cidr?: string;
  readonly gateway?: string;
  readonly addressRange?: string;
  readonly auxiliaryAddresses?: { readonly [name: string]: string };
  readonly isInternal: boolean;
  readonly traffic?: NetworkTraffic;
  readonly resolvesNames: boolean;
  readonly labels: { readonly [name: string]: string };
  readonly options: { readonly [name: string]: string };
}

export interface BridgeNetwork extends BridgeCreate {
  readonly cidr: string;
  readonly gateway: string;
}

export interface BridgeEndpoint {
  readonly endpointId: string;
  readonly networkId: string;
  readonly network: string;
  readonly netnsPath: string;
  readonly privateIp: string;
  readonly prefixLength: number;
  readonly gateway: string;
  readonly macAddress: string;
  readonly names: readonly string[];
  readonly nameservers: readonly string[];
  readonly searchDomains: readonly string[];
  readonly isWayOut: boolean;
}
