import { DabbaError } from '#base';
import type { Container, Volume } from '#engine';
import type { Api } from './api.ts';
import { queryFilters, queryFlag, readBody, sendJson, sendStatus, type Exchange } from './exchange.ts';
import { hasPair } from './filters.ts';

/** GET /volumes. */
export async function listVolumes({ engine }: Api, exchange: Exchange): Promise<void> {
  const isWanted = volumeFilter(engine.volumes, queryFilters(exchange));
  const volumes = (await engine.volumes.list()).filter(isWanted).sort((a, b) => (a.name < b.name ? -1 : 1));
  sendJson(exchange, 200, { Volumes: volumes.map(volumeJson), Warnings: null });
}

/** POST /volumes/create. Creating what is there answers it. */
export async function createVolume({ engine }: Api, exchange: Exchange): Promise<void> {
  const body = await readBody(exchange);
  const driver = body.word('Driver') ?? 'local';
  if (driver !== 'local')
    throw new DabbaError('NotFound', `create ${body.text('Name') ?? ''}: plugin "${driver}" not found`);
  if (body.isGiven('ClusterVolumeSpec')) throw new DabbaError('Unimplemented', 'cluster volumes are not supported');
  const name = body.word('Name');
  const volume = await engine.volumes.create({
    ...(name !== undefined && { name }),
    labels: body.textMap('Labels') ?? {},
    options: body.textMap('DriverOpts') ?? {},
  });
  sendJson(exchange, 201, volumeJson(volume));
}

/** GET /volumes/{name}. */
export async function inspectVolume({ engine }: Api, exchange: Exchange): Promise<void> {
  const name = exchange.params['name']!;
  const volume = await engine.volumes.find(name);
  if (!volume) throw new DabbaError('NotFound', `get ${name}: no such volume`);
  sendJson(exchange, 200, volumeJson(volume));
}

/** DELETE /volumes/{name}. */
export async function removeVolume({ engine }: Api, exchange: Exchange): Promise<void> {
  await engine.volumes.remove(exchange.params['name']!, { force: queryFlag(exchange, 'force') });
  sendStatus(exchange, 204);
}

/** POST /volumes/prune: anonymous volumes that no container names; with the filter `all`, those with a name too. */
export async function pruneVolumes({ engine }: Api, exchange: Exchange): Promise<void> {
  const filters = new Map(queryFilters(exchange));
  // Before API 1.42 all unused volumes went.
  const isAll = exchange.minorVersion < 42 || (filters.get('all') ?? []).some((word) => ['1', 'true'].includes(word));
  filters.delete('all');
  const unknown = [...filters.keys()].find((name) => name !== 'label' && name !== 'label!');
  if (unknown !== undefined) throw new DabbaError('InvalidArgument', `invalid filter '${unknown}'`);
  const isWanted = volumeFilter(engine.volumes, filters);
  const unused = (await engine.volumes.list()).filter(
    (volume) => (isAll || volume.isAnonymous) && isWanted(volume) && engine.volumes.usersOf(volume.name).length === 0,
  );
  let SpaceReclaimed = 0;
  for (const { name } of unused) {
    SpaceReclaimed += await engine.volumes.sizeOf(name);
    await engine.volumes.remove(name, { force: true });
  }
  sendJson(exchange, 200, { VolumesDeleted: unused.map(({ name }) => name), SpaceReclaimed });
}

function volumeFilter(
  volumes: Api['engine']['volumes'],
  filters: ReadonlyMap<string, readonly string[]>,
): (volume: Volume) => boolean {
  const tests = [...filters].map(([name, values]) => {
    switch (name) {
      case 'name':
        return (volume: Volume) => values.some((value) => volume.name.includes(value));
      case 'driver':
        return () => values.includes('local');
      case 'label':
        return ({ labels }: Volume) => values.every((value) => hasPair(labels, value));
      case 'label!':
        return ({ labels }: Volume) => !values.some((value) => hasPair(labels, value));
      case 'dangling': {
        const isDangling = values.some((value) => ['1', 'true'].includes(value));
        return (volume: Volume) => (volumes.usersOf(volume.name).length === 0) === isDangling;
      }
      default:
        throw new DabbaError('InvalidArgument', `invalid filter '${name}'`);
    }
  });
  return (volume) => tests.every((test) => test(volume));
}

/** A volume in Docker's shape. */
export function volumeJson({ name, path, labels, options, createdAt, isAnonymous }: Volume): object {
  const anonymous = isAnonymous ? { 'com.docker.volume.anonymous': '' } : {};
  const shown = { ...labels, ...anonymous };
  return {
    Name: name,
    Driver: 'local',
    Mountpoint: path,
    CreatedAt: new Date(createdAt).toISOString(),
    Scope: 'local',
    Labels: Object.keys(shown).length === 0 ? null : shown,
    Options: Object.keys(options).length === 0 ? null : options,
  };
}

/** A container's mounts in Docker's shape, anonymous volumes by their names; images by their IDs, for they lie nowhere between two starts. */
export function mountsJson({ mounts }: Pick<Container, 'mounts'>): readonly object[] {
  return mounts.map((mount) => {
    const { target } = mount;
    if (mount.kind === 'tmpfs')
      return { Type: 'tmpfs', Source: '', Destination: target, Mode: '', RW: true, Propagation: '' };
    if (mount.kind === 'image') {
      const from = { Type: 'image', Name: mount.image, Source: mount.imageId };
      return { ...from, Destination: target, Mode: '', RW: false, Propagation: 'rprivate' };
    }
    const RW = mount.isReadOnly !== true;
    if (mount.kind === 'bind') {
      const Propagation = mount.propagation ?? 'rprivate';
      return { Type: 'bind', Source: mount.source, Destination: target, Mode: '', RW, Propagation };
    }
    const { name, source } = mount;
    return {
      Type: 'volume',
      Name: name,
      Source: source,
      Destination: target,
      Driver: 'local',
      Mode: 'z',
      RW,
      Propagation: '',
    };
  });
}
