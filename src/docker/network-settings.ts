import type { Container, ContainerCreate, ContainerEndpoint } from '#engine';

/** `NetworkSettings` of GET /containers/{id}/json. */
export function networkSettingsJson(container: Container): object {
  const isRunning = ['running', 'paused'].includes(container.state.status);
  // These members are older than networks with names, and tell of the default one alone.
  const onDefault = container.endpoints.find(({ network }) => network?.name === 'bridge')?.joined;
  return {
    Bridge: '',
    SandboxID: isRunning ? container.id : '',
    SandboxKey: '',
    Ports: isRunning ? portMapJson(container) : {},
    HairpinMode: false,
    LinkLocalIPv6Address: '',
    LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    EndpointID: onDefault?.endpointId ?? '',
    Gateway: onDefault?.gateway ?? '',
    GlobalIPv6Address: '',
    GlobalIPv6PrefixLen: 0,
    IPAddress: onDefault?.address ?? '',
    IPPrefixLen: onDefault?.prefixLength ?? 0,
    IPv6Gateway: '',
    MacAddress: onDefault?.macAddress ?? '',
    Networks: endpointsJson(container),
  };
}

/** The networks of a container by name, also in GET /containers/json. */
export function endpointsJson({ create, endpoints }: Container): object {
  const { mode } = create.network;
  const links = create.links?.map(({ container, alias }) => `${container}:${alias}`) ?? null;
  if (mode === 'host' || mode === 'none') return { [mode]: endpointJson({ create: { network: mode } }, null) };
  return Object.fromEntries(
    endpoints.map((each) => {
      const name = each.network?.name ?? each.create.network;
      return [name, endpointJson(each, name === 'bridge' ? null : links)];
    }),
  );
}

/** An EndpointSettings object. */
function endpointJson({ create, network, joined }: ContainerEndpoint, links: readonly string[] | null): object {
  return {
    IPAMConfig: create.address === undefined ? null : { IPv4Address: create.address },
    Links: links,
    Aliases: create.aliases ?? null,
    MacAddress: joined?.macAddress ?? create.macAddress ?? '',
    DriverOpts: null,
    GwPriority: 0,
    NetworkID: network?.id ?? '',
    EndpointID: joined?.endpointId ?? '',
    Gateway: joined?.gateway ?? '',
    IPAddress: joined?.address ?? '',
    IPPrefixLen: joined?.prefixLength ?? 0,
    IPv6Gateway: '',
    GlobalIPv6Address: '',
    GlobalIPv6PrefixLen: 0,
    DNSNames: joined ? [...new Set(joined.names)] : null,
  };
}

/** Exposed and published ports: `{"80/tcp": [{"HostIp": …, "HostPort": …}], "81/tcp": null}`. */
function portMapJson({ exposedPorts, publishedPorts }: Container): object {
  const bindings = exposedPorts.map(({ containerPort, protocol }) => {
    const published = publishedPorts.filter(
      (port) => port.containerPort === containerPort && port.protocol === protocol,
    );
    const json = published.map(({ hostIp, hostPort }) => ({ HostIp: hostIp, HostPort: String(hostPort) }));
    return [`${containerPort}/${protocol}`, json.length === 0 ? null : json];
  });
  return Object.fromEntries(bindings);
}

/** `Ports` of GET /containers/json. */
export function portsJson({ exposedPorts, publishedPorts, state }: Container): readonly object[] {
  if (!['running', 'paused'].includes(state.status)) return [];
  return exposedPorts.flatMap(({ containerPort: PrivatePort, protocol: Type }): object[] => {
    const published = publishedPorts.filter((port) => port.containerPort === PrivatePort && port.protocol === Type);
    if (published.length === 0) return [{ PrivatePort, Type }];
    return published.map(({ hostIp, hostPort }) => ({ IP: hostIp, PrivatePort, PublicPort: hostPort, Type }));
  });
}

/** `PortBindings` and `PublishAllPorts` of a HostConfig, as asked for. */
export function portBindingsJson({ publishedPorts = [], isEveryPortPublished = false }: ContainerCreate): object {
  const keyOf = (port: (typeof publishedPorts)[number]) => `${port.containerPort}/${port.protocol}`;
  const grouped = Object.groupBy(publishedPorts, keyOf);
  const bindings = Object.entries(grouped).map(([port, requests = []]) => [
    port,
    requests.map(({ hostIp, hostPorts }) => ({
      HostIp: hostIp ?? '',
      HostPort: hostPorts ? [...new Set([hostPorts.first, hostPorts.last])].join('-') : '',
    })),
  ]);
  return { PortBindings: Object.fromEntries(bindings), PublishAllPorts: isEveryPortPublished };
}

/** `ExposedPorts` of a Config; absent without any. */
export function exposedPortsJson({ exposedPorts }: Container): { readonly ExposedPorts?: object } {
  if (exposedPorts.length === 0) return {};
  return {
    ExposedPorts: Object.fromEntries(
      exposedPorts.map(({ containerPort, protocol }) => [`${containerPort}/${protocol}`, {}]),
    ),
  };
}
