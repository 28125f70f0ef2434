import { DabbaError } from '#base';
import type {
  ContainerCreate,
  ContainerLink,
  ContainerNetwork,
  EndpointCreate,
  ExposedPort,
  PortProtocol,
  PortRequest,
} from '#engine';
import type { Fields } from './fields.ts';

type Networking = Pick<
  ContainerCreate,
  'network' | 'links' | 'publishedPorts' | 'isEveryPortPublished' | 'exposedPorts'
>;

/** Reads what a container's body says of its networks and ports. What is not honoured yet throws `Unimplemented`. */
export function readNetworking(body: Fields, host: Fields): Networking {
  const links = readLinks(body, host);
  return {
    network: readNetwork(body, host),
    ...(links.length > 0 && { links }),
    publishedPorts: readPortBindings(host),
    isEveryPortPublished: host.flag('PublishAllPorts'),
    exposedPorts: body.set('ExposedPorts').map(readExposedPort),
  };
}

function readNetwork(body: Fields, host: Fields): ContainerNetwork {
  const mode = host.word('NetworkMode') ?? 'default';
  const [, container] = /^container:(.*)$/.exec(mode) ?? [];
  if (container !== undefined) {
    refuseConflicts(body, host);
    if (container === '')
      throw new DabbaError('InvalidArgument', 'Invalid network mode: invalid container format container:<name|id>');
    return { mode: 'container', container };
  }
  if (mode === 'host' && host.isGiven('Links'))
    throw conflicting("host type networking can't be used with links. This would result in undefined behavior");
  const config = body.object('NetworkingConfig').object('EndpointsConfig');
  if (mode === 'host' || mode === 'none') {
    const other = config.keys().find((name) => name !== mode);
    if (other !== undefined)
      throw new DabbaError('InvalidArgument', `conflicting options: network mode ${mode} and network ${other}`);
    return { mode };
  }
  const network = ['default', 'bridge'].includes(mode) ? 'bridge' : mode;
  // Clients write `default` in both places, and before 1.44 the hardware address beside the networks.
  const named = new Map(config.keys().map((name) => [name === 'default' ? 'bridge' : name, config.object(name)]));
  const first = readEndpoint(network, named.get(network), body.word('MacAddress'));
  named.delete(network);
  return {
    mode: 'bridge',
    network,
    endpoints: [first, ...Array.from(named, ([name, each]) => readEndpoint(name, each))],
  };
}

/** What belongs to the container whose network is shared cannot be asked of the one that shares it; Docker's words. */
function refuseConflicts(body: Fields, host: Fields): void {
  const conflicts: readonly (readonly [boolean, string])[] = [
    [body.isGiven('Hostname'), 'hostname and the network mode'],
    [host.isGiven('Links'), "container type network can't be used with links. This would result in undefined behavior"],
    [host.isGiven('Dns'), 'dns and the network mode'],
    [host.isGiven('ExtraHosts'), 'custom host-to-IP mapping and the network mode'],
    [body.isGiven('MacAddress'), 'mac-address and the network mode'],
    [
      host.isGiven('PortBindings') || host.flag('PublishAllPorts'),
      'port publishing and the container type network mode',
    ],
    [body.isGiven('ExposedPorts'), 'port exposing and the container type network mode'],
  ];
  const found = conflicts.find(([isGiven]) => isGiven);
  if (found) throw conflicting(found[1]);
}

const conflicting = (what: string) => new DabbaError('InvalidArgument', `conflicting options: ${what}`);

/** `name:alias` or `name`, as `--link` has them: for the whole container, and for each of its networks, where compose puts them. */
function readLinks(body: Fields, host: Fields): readonly ContainerLink[] {
  const config = body.object('NetworkingConfig').object('EndpointsConfig');
  const texts = [
    ...(host.texts('Links') ?? []),
    ...config.keys().flatMap((name) => config.object(name).texts('Links') ?? []),
  ];
  return [...new Set(texts)].map((text) => {
    const [, container = '', alias = container] = /^\/?([^:/]+)(?::(?:\/?[^:/]+\/)?([^:/]+))?$/.exec(text) ?? [];
    if (container === '') throw new DabbaError('InvalidArgument', `bad format for links: ${text}`);
    return { container, alias };
  });
}

/** An EndpointSettings object of a client. */
export function readEndpoint(network: string, settings?: Fields, macAddress?: string): EndpointCreate {
  const ipam = settings?.object('IPAMConfig');
  const refuse = (what: string) => {
    throw new DabbaError('Unimplemented', `network ${network}: ${what} is not supported`);
  };
  if (settings?.isGiven('DriverOpts')) refuse('DriverOpts');
  if (ipam?.isGiven('IPv6Address')) refuse('IPv6Address');
  if (ipam?.isGiven('LinkLocalIPs')) refuse('LinkLocalIPs');
  const address = ipam?.word('IPv4Address');
  const hardware = settings?.word('MacAddress') ?? macAddress;
  if (hardware !== undefined && !/^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/i.test(hardware))
    throw new DabbaError('InvalidArgument', `invalid MAC address: ${hardware}`);
  const aliases = settings?.texts('Aliases') ?? [];
  return {
    network,
    ...(aliases.length > 0 && { aliases }),
    ...(address !== undefined && { address }),
    ...(hardware !== undefined && { macAddress: hardware }),
  };
}

/** `{"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}` */
function readPortBindings(host: Fields): readonly PortRequest[] {
  const bindings = host.object('PortBindings');
  return bindings.keys().flatMap((text) => {
    const port = readExposedPort(text);
    const wanted = bindings.objects(text);
    if (wanted.length === 0) return [port];
    return wanted.map((binding) => readBinding(port, binding.text('HostIp') ?? '', binding.text('HostPort') ?? ''));
  });
}

function readBinding(port: ExposedPort, hostIp: string, hostPort: string): PortRequest {
  if (hostIp.includes(':'))
    throw new DabbaError('Unimplemented', `publishing at IPv6 address ${hostIp} is not supported`);
  if (hostIp !== '' && !/^\d{1,3}(\.\d{1,3}){3}$/.test(hostIp))
    throw new DabbaError('InvalidArgument', `invalid IP address in port binding: ${hostIp}`);
  const [, first = '0', last = first] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(hostPort || '0') ?? ['', 'x'];
  const hostPorts = { first: Number(first), last: Number(last) };
  if (!(hostPorts.first <= hostPorts.last && hostPorts.last < 65_536))
    throw new DabbaError('InvalidArgument', `invalid port specification: "${hostPort}"`);
  return { ...port, ...(hostIp !== '' && { hostIp }), ...(hostPorts.last > 0 && { hostPorts }) };
}

function readExposedPort(text: string): ExposedPort {
  const [, port = '', protocol = 'tcp'] = /^(\d{1,5})(?:\/([a-z]+))?$/.exec(text) ?? [];
  const containerPort = Number(port);
  if (port === '' || containerPort < 1 || containerPort > 65_535)
    throw new DabbaError('InvalidArgument', `invalid port specification: "${text}"`);
  if (!isProtocol(protocol))
    throw new DabbaError('Unimplemented', `port ${text}: protocol ${protocol} is not supported`);
  return { containerPort, protocol };
}

function isProtocol(text: string): text is PortProtocol {
  return text === 'tcp' || text === 'udp';
}
