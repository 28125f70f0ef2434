/** A network that containers may join. */
export interface Network {
  readonly id: string;
  readonly name: string;
  /** `host`: the machine's own; `null`: loopback alone. These two, and the `bridge` of that name, are always there. */
  readonly driver: 'bridge' | 'host' | 'null';
  readonly createdAt: number;
  readonly isPredefined: boolean;
  /** Of `bridge`. */
  readonly subnet?: {
    readonly cidr: string;
    readonly gateway: string;
    readonly addressRange?: string;
    readonly auxiliaryAddresses?: { readonly [name: string]: string };
  };
  readonly isInternal: boolean;
  readonly labels: { readonly [name: string]: string };
  readonly options: { readonly [name: string]: string };
}

export interface NetworkCreate {
  readonly name: string;
  /** Absent: a private range that is free on this machine. */
  readonly cidr?: string;
  readonly gateway?: string;
  readonly addressRange?: string;
  /** Addresses of the range that no container is given by itself, by names of the asker's own. */
  readonly auxiliaryAddresses?: { readonly [name: string]: string };
  readonly isInternal?: boolean;
  readonly traffic?: NetworkTraffic;
  readonly labels?: Network['labels'];
  readonly options?: Network['options'];
}

/** How packets of a network go, where it differs from the usual. */
export interface NetworkTraffic {
  /** Of its containers' interfaces, in bytes. Absent: that of the machine's link to the world. */
  readonly mtu?: number;
  /** Its containers do not reach one another, but by ports they publish. */
  readonly isApart?: boolean;
  /** The world sees the containers' own addresses; its answers must be routed here. */
  readonly isUntranslated?: boolean;
  /** Address of the machine for published ports that name none. */
  readonly hostIp?: string;
}

/** The networks of one engine, and who is in them. They outlive the machine's uptime. */
export interface Networks {
  /** Throws `AlreadyExists` (name), `InvalidArgument` (name or ranges), `PermissionDenied` (the range overlaps another network's). */
  create(request: NetworkCreate): Promise<Network>;
  /** By name, id, or unambiguous id prefix. */
  find(nameOrId: string): Promise<Network | undefined>;
  list(): Promise<readonly Network[]>;
  /** Throws `NotFound`, and `PermissionDenied` while a running container is in it or for a predefined one. */
  remove(nameOrId: string): Promise<void>;
  /** Puts a container into a network, at once if it runs and from its next start on. Throws `PermissionDenied` if it is in it already. */
  connect(containerId: string, endpoint: EndpointCreate): Promise<void>;
  /** Takes a container out of a network. Throws `PermissionDenied` if it is not in it. */
  disconnect(containerId: string, network: string): Promise<void>;
}

/** A container's place in a network, as asked for. */
export interface EndpointCreate {
  /** Name or id. */
  readonly network: string;
  /** Further names by which others in the network find it. */
  readonly aliases?: readonly string[];
  readonly address?: string;
  readonly macAddress?: string;
}

/** A container's place in a network. */
export interface ContainerEndpoint {
  readonly create: EndpointCreate;
  /** Absent when there is no such network. */
  readonly network?: Pick<Network, 'id' | 'name'>;
  /** While it runs. */
  readonly joined?: {
    readonly endpointId: string;
    readonly address: string;
    readonly prefixLength: number;
    readonly gateway: string;
    readonly macAddress: string;
    readonly names: readonly string[];
    /** Its default route leads here. */
    readonly isWayOut: boolean;
  };
}

export type PortProtocol = 'tcp' | 'udp';

/** A port of the machine that is to lead to a port of a container. */
export interface PortRequest {
  readonly containerPort: number;
  readonly protocol: PortProtocol;
  /** `0.0.0.0` for every address of the machine. Absent: as the network says, which usually is every address. */
  readonly hostIp?: string;
  /** The first free one of these, `last` included; absent: any free one. */
  readonly hostPorts?: { readonly first: number; readonly last: number };
}

export interface PublishedPort {
  readonly containerPort: number;
  readonly protocol: PortProtocol;
  readonly hostIp: string;
  readonly hostPort: number;
}
