import { readFile, writeFile } from 'node:fs/promises';
import { isIPv4 } from 'node:net';
import type { Container } from '../engine.ts';
import { join, leaveAll, publishPorts, wantedEndpoints } from './endpoints.ts';
import { joinResolution, type JoinedResolution } from './resolution.ts';
import type { ContainerFolder, ContainerRecord } from './record.ts';
import type { Runtime } from './runtime.ts';
import type { SpecInput } from './spec/spec.ts';

/** A container's place in a network: where runc puts it, and what others see of it. */
export interface PreparedNetwork {
  readonly namespace: SpecInput['networkNamespace'];
  readonly address?: NonNullable<Container['address']>;
}

/** What a network says of names. */
type NetworkNames = Omit<JoinedResolution, 'options'> & { readonly gateway?: string };

/** Attaches the container to its network and writes the files that name its neighbours. May be repeated. */
export async function prepareNetwork(
  runtime: Pick<Runtime, 'networks' | 'events'>,
  record: ContainerRecord,
  folder: ContainerFolder,
): Promise<PreparedNetwork> {
  const { network } = record.create;
  if (network.mode === 'bridge' && wantedEndpoints(record).length > 0)
    return await joinBridges(runtime, record, folder);
  if (network.mode === 'namespace') {
    await writeFiles(folder, record, network);
    return { namespace: { path: network.path } };
  }
  if (network.mode !== 'host') {
    await writeFiles(folder, record, { nameservers: [], searchDomains: [], hosts: [] });
    return { namespace: 'own' };
  }
  await copyHostFiles(record, folder);
  return { namespace: 'host' };
}

/** Undoes `prepareNetwork`. May be repeated. */
export async function releaseNetwork(
  runtime: Pick<Runtime, 'networks' | 'events'>,
  record: ContainerRecord,
): Promise<void> {
  if (record.create.network.mode === 'bridge') await leaveAll(runtime, record);
}

/** Writes the files that name a container's neighbours anew, for the networks it is in now. */
export async function rewriteNames(
  { networks }: Pick<Runtime, 'networks'>,
  record: ContainerRecord,
  folder: ContainerFolder,
): Promise<void> {
  const endpoints = networks.endpoints(record.id);
  await writeFiles(folder, record, {
    nameservers: endpoints.flatMap(({ nameservers }) => nameservers),
    searchDomains: endpoints.flatMap(({ searchDomains }) => searchDomains),
    hosts: endpoints.map(({ privateIp }) => ({ address: privateIp, names: namesOf(record) })),
    ...(endpoints[0] && { gateway: endpoints[0].gateway }),
  });
}

/** In the machine's own network its names are the machine's, but for what was asked. */
async function copyHostFiles({ hostname, create }: ContainerRecord, folder: ContainerFolder): Promise<void> {
  const [hosts, resolvConf] = await Promise.all([readFile('/etc/hosts', 'utf8'), readFile('/etc/resolv.conf', 'utf8')]);
  const joined = joinResolution(create.resolution, { ...parseResolvConf(resolvConf), hosts: [] }, '127.0.0.1');
  const { nameservers, searchDomains, options } = create.resolution ?? {};
  await writeTexts(folder, {
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
  runtime: Pick<Runtime, 'networks' | 'events'>,
  record: ContainerRecord,
  folder: ContainerFolder,
): Promise<PreparedNetwork> {
  for (const wanted of wantedEndpoints(record)) await join(runtime, record, wanted);
  await Promise.all([publishPorts(runtime, record), rewriteNames(runtime, record, folder)]);
  const endpoints = runtime.networks.endpoints(record.id);
  const { netnsPath, network, privateIp, prefixLength, gateway } =
    endpoints.find(({ isWayOut }) => isWayOut) ?? endpoints[0]!;
  return { namespace: { path: netnsPath }, address: { network, ip: privateIp, prefixLength, gateway } };
}

async function writeFiles(folder: ContainerFolder, record: ContainerRecord, names: NetworkNames): Promise<void> {
  const joined = joinResolution(record.create.resolution, names, names.gateway);
  await writeTexts(folder, {
    hosts: hostsText(namesOf(record), joined.hosts),
    resolvConf: resolvConfText(joined),
    hostname: `${record.hostname}\n`,
  });
}

/** How a container is called in its own hosts file: with its domain first, then without. */
function namesOf({ hostname, create }: ContainerRecord): readonly string[] {
  return create.domainname === undefined ? [hostname] : [`${hostname}.${create.domainname}`, hostname];
}

async function writeTexts(
  { files }: ContainerFolder,
  texts: { readonly hosts: string; readonly resolvConf: string; readonly hostname: string },
): Promise<void> {
  await Promise.all([
    writeFile(files.hosts, texts.hosts),
    writeFile(files.resolvConf, texts.resolvConf),
    writeFile(files.hostname, texts.hostname),
  ]);
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
