import { chownSync, readFileSync, writeFileSync } from 'node:fs';
import { isIPv4 } from 'node:net';
import type { NetworkNamespace } from '#kernel';
import type { Container, ContainerCreate } from '../engine.ts';
import { rootOf } from '../mapped-owner.ts';
import { join, leaveAll, publishPorts, wantedEndpoints } from './endpoints.ts';
import type { Instance } from './instance.ts';
import type { Neighbours } from './lifecycle.ts';
import { linkedHosts, networkDonor } from './links.ts';
import { joinResolution, type JoinedResolution } from './resolution.ts';
import type { ContainerFolder, ContainerRecord } from './record.ts';
import type { Runtime } from './runtime.ts';
import type { ContainerFiles } from './spec/mounts.ts';
import type { SpecInput } from './spec/spec.ts';
import { mappingOf } from './user-namespace.ts';

type NetworkRuntime = Pick<Runtime, 'networks' | 'events'>;
type Finding = Pick<Neighbours, 'find'>;

/** A container's place in a network: where runc puts it, and what others see of it. */
export interface PreparedNetwork {
  readonly namespace: SpecInput['networkNamespace'];
  /** The files that name its neighbours. */
  readonly files: ContainerFiles;
  readonly address?: NonNullable<Container['address']>;
}

/** What a network says of names. */
type NetworkNames = Omit<JoinedResolution, 'options'> & {
  readonly gateway?: string;
  /** Its name servers know its containers, and ask those a container was given for the rest. */
  readonly resolvesNames?: boolean;
};

/**
 * Attaches the container to its network, in the namespace prepared for it if there is one, and writes the files that name its neighbours. May be
 * repeated.
 */
export async function prepareNetwork(
  runtime: NetworkRuntime,
  instance: Instance,
  neighbours: Finding,
  prepared?: NetworkNamespace,
): Promise<PreparedNetwork> {
  const { record, folder } = instance;
  const { files } = folder;
  const { network } = record.create;
  if (network.mode === 'bridge' && wantedEndpoints(record).length > 0)
    return await joinBridges(runtime, instance, neighbours, prepared);
  if (network.mode === 'namespace') {
    writeFiles(folder, record, network);
    return { namespace: { path: network.path }, files };
  }
  const donor = networkDonor(instance, neighbours);
  if (donor) return { namespace: { path: namespaceOf(donor), isOthers: true }, files: filesOf(donor, neighbours) };
  if (network.mode !== 'host') {
    writeFiles(folder, record, { nameservers: [], searchDomains: [], hosts: [] });
    return { namespace: 'own', files };
  }
  copyHostFiles(record, folder);
  return { namespace: 'host', files };
}

const namespaceOf = ({ state }: Instance) => `/proc/${state.process!.pid}/ns/net`; // it runs, as `networkDonor` saw

/** The files of the container whose network it is in the end. */
function filesOf(instance: Instance, neighbours: Finding): ContainerFiles {
  const donor = networkDonor(instance, neighbours);
  return donor ? filesOf(donor, neighbours) : instance.folder.files;
}

/** Undoes `prepareNetwork`. May be repeated. */
export async function releaseNetwork(runtime: NetworkRuntime, record: ContainerRecord): Promise<void> {
  if (record.create.network.mode === 'bridge') await leaveAll(runtime, record);
}

/** Writes the files that name a container's neighbours anew, for the networks it is in now. */
export function rewriteNames(runtime: Pick<Runtime, 'networks'>, instance: Instance, neighbours: Finding): void {
  const { record, folder, isRunning } = instance;
  const endpoints = runtime.networks.endpoints(record.id);
  const own = endpoints.map(({ privateIp }) => ({ address: privateIp, names: namesOf(record) }));
  writeFiles(folder, record, {
    nameservers: endpoints.flatMap(({ nameservers }) => nameservers),
    searchDomains: endpoints.flatMap(({ searchDomains }) => searchDomains),
    hosts: [...own, ...linkedHosts(runtime, instance, neighbours, { isRunning })],
    ...(endpoints[0] && { gateway: endpoints[0].gateway }),
    resolvesNames: endpoints.some(({ networkId }) =>
      runtime.networks.list().some(({ id, resolvesNames }) => id === networkId && resolvesNames),
    ),
  });
}

/** In the machine's own network its names are the machine's, but for what was asked. */
function copyHostFiles({ hostname, create }: ContainerRecord, folder: ContainerFolder): void {
  const [hosts, resolvConf] = [readFileSync('/etc/hosts', 'utf8'), readFileSync('/etc/resolv.conf', 'utf8')];
  const joined = joinResolution(create.resolution, { ...parseResolvConf(resolvConf), hosts: [] }, '127.0.0.1');
  const { nameservers, searchDomains, options } = create.resolution ?? {};
  writeTexts(folder, create, {
    hosts: [hosts.trimEnd(), ...joined.hosts.map(hostLine), ''].join('\n'),
    resolvConf: nameservers || searchDomains || options ? resolvConfText(joined) : resolvConf,
    hostname: `${hostname}\n`,
  });
}

function parseResolvConf(text: string): Pick<JoinedResolution, 'nameservers' | 'searchDomains'> {
  const values = (name: string) =>
    [...text.matchAll(new RegExp(`^${name}\\s+(.+)$`, 'gm'))].map(([, value]) => value!.trim());
  return { nameservers: values('nameserver'), searchDomains: values('search').at(-1)?.split(/\s+/) ?? [] };
}

async function joinBridges(
  runtime: NetworkRuntime,
  instance: Instance,
  neighbours: Finding,
  prepared: NetworkNamespace | undefined,
): Promise<PreparedNetwork> {
  const { record, folder } = instance;
  for (const wanted of wantedEndpoints(record)) await join(runtime, record, wanted, prepared);
  rewriteNames(runtime, instance, neighbours);
  await publishPorts(runtime, record);
  const endpoints = runtime.networks.endpoints(record.id);
  const { netnsPath, network, privateIp, prefixLength, gateway } =
    endpoints.find(({ isWayOut }) => isWayOut) ?? endpoints[0]!;
  return {
    namespace: { path: netnsPath },
    files: folder.files,
    address: { network, ip: privateIp, prefixLength, gateway },
  };
}

function writeFiles(folder: ContainerFolder, record: ContainerRecord, names: NetworkNames): void {
  const asked = record.create.resolution;
  const { nameservers: _, ...others } = asked ?? {};
  const joined = joinResolution(names.resolvesNames ? others : asked, names, names.gateway);
  writeTexts(folder, record.create, {
    hosts: hostsText(namesOf(record), joined.hosts),
    resolvConf: resolvConfText(joined),
    hostname: `${record.hostname}\n`,
  });
}

/** How a container is called in its own hosts file: with its domain first, then without. */
function namesOf({ hostname, create }: ContainerRecord): readonly string[] {
  return create.domainname === undefined ? [hostname] : [`${hostname}.${create.domainname}`, hostname];
}

/** At once, not by turns of the thread pool: they lie in memory. */
function writeTexts(
  { files }: ContainerFolder,
  create: ContainerCreate,
  texts: { readonly hosts: string; readonly resolvConf: string; readonly hostname: string },
): void {
  writeFileSync(files.hosts, texts.hosts);
  writeFileSync(files.resolvConf, texts.resolvConf);
  writeFileSync(files.hostname, texts.hostname);
  const ids = mappingOf(create);
  if (!ids) return;
  const { uid, gid } = rootOf(ids);
  for (const file of Object.values(files)) chownSync(file, uid, gid);
}

/** hosts(5): loopback as Docker writes it, then the container's own name and its neighbours. */
export function hostsText(ownNames: readonly string[], hosts: JoinedResolution['hosts']): string {
  const isNamed = hosts.some(({ names }) => names.includes(ownNames.at(-1)!));
  const own = isNamed ? [] : [hostLine({ address: '127.0.0.1', names: ownNames })];
  return [
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::0\tip6-localnet',
    'ff00::0\tip6-mcastprefix',
    'ff02::1\tip6-allnodes',
    'ff02::2\tip6-allrouters',
    ...hosts.map(hostLine),
    ...own,
    '',
  ].join('\n');
}

const hostLine = ({ address, names }: JoinedResolution['hosts'][number]) => `${address}\t${names.join(' ')}`;

/** resolv.conf(5). */
function resolvConfText({ nameservers, searchDomains, options }: Omit<JoinedResolution, 'hosts'>): string {
  const search = searchDomains.length ? [`search ${searchDomains.join(' ')}`] : [];
  const servers = nameservers.map((server) => `nameserver ${isIPv4(server) ? server : server.replace(/^\[|\]$/g, '')}`);
  const words = options.length ? [`options ${options.join(' ')}`] : [];
  return [...search, ...servers, ...words, ''].join('\n');
}
