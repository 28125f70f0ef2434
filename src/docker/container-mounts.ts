import { DabbaError } from '#base';
import type { ContainerCreate, Mount } from '#engine';
import { present, type Fields } from './fields.ts';

type BindMount = Extract<Mount, { readonly kind: 'bind' }>;

/** Every mount a request names: `Binds`, `Mounts`, `Tmpfs`, and the anonymous volumes of `Volumes`. */
export function readMounts(body: Fields, host: Fields): Mount[] {
  const binds = (host.texts('Binds') ?? []).map(readBind);
  const mounts = host.objects('Mounts').map(readMount);
  const tmpfs = Object.entries(host.textMap('Tmpfs') ?? {}).map(([target, options]) => readTmpfs(target, options));
  const asked = [...binds, ...mounts, ...tmpfs];
  // `Volumes` names paths alone; without a name the engine makes an anonymous volume.
  const anonymous = body
    .object('Volumes')
    .keys()
    .filter((target) => !asked.some((mount) => mount.target === target))
    .map((target): Mount => ({ kind: 'volume', name: '', target }));
  return [...asked, ...anonymous];
}

/** `VolumesFrom`: `container[:ro|rw]`. */
export function readMountsFrom(host: Fields): NonNullable<ContainerCreate['mountsFrom']> {
  return (host.texts('VolumesFrom') ?? []).map((text) => {
    const [container = '', mode = 'rw', ...rest] = text.split(':');
    if (!container || rest.length > 0 || !['ro', 'rw', 'z', 'Z'].includes(mode))
      throw new DabbaError('InvalidArgument', `invalid volumes-from specification: "${text}"`);
    return { container, isReadOnly: mode === 'ro' };
  });
}

const propagations = ['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave'] as const;
const propagationOf = (text: string) => propagations.find((known) => known === text);

/** `source:target[:options]`; a source without a slash is a volume's name. A directory that is not there is made, as Docker does for binds. */
function readBind(text: string): Mount {
  const [source, target, options = '', ...rest] = text.split(':');
  if (!source || !target || rest.length > 0)
    throw new DabbaError('InvalidArgument', `invalid volume specification: '${text}'`);
  const words = options.split(',').filter(Boolean);
  const unknown = words.find(
    (word) =>
      !['ro', 'rw', 'z', 'Z', 'nocopy', 'consistent', 'cached', 'delegated'].includes(word) && !propagationOf(word),
  );
  if (unknown !== undefined) throw new DabbaError('InvalidArgument', `invalid mode: ${unknown} in '${text}'`);
  const isReadOnly = words.includes('ro');
  if (!source.startsWith('/'))
    return { kind: 'volume', name: source, target, isReadOnly, ...(words.includes('nocopy') && { isCopyLess: true }) };
  const propagation = words.map(propagationOf).find((each) => each !== undefined);
  return { kind: 'bind', source, target, isReadOnly, isSourceMade: true, ...present({ propagation }) };
}

function readMount(mount: Fields): Mount {
  const target = mount.word('Target');
  if (target === undefined) throw new DabbaError('InvalidArgument', 'invalid mount config: Target is required');
  const isReadOnly = mount.flag('ReadOnly');
  const type = mount.text('Type') ?? '';
  switch (type) {
    case 'bind':
      return { kind: 'bind', source: mount.text('Source') ?? '', target, isReadOnly, ...readBindOptions(mount) };
    case 'volume':
      return { kind: 'volume', name: mount.text('Source') ?? '', target, isReadOnly, ...readVolumeOptions(mount) };
    case 'tmpfs': {
      const options = mount.object('TmpfsOptions');
      if (options.isGiven('Options'))
        throw new DabbaError('Unimplemented', 'TmpfsOptions.Options is not supported yet');
      return {
        kind: 'tmpfs',
        target,
        ...present({ sizeBytes: options.amount('SizeBytes'), mode: options.amount('Mode') }),
      };
    }
    case 'image':
      return { kind: 'image', image: readImageSource(mount), target, ...readImageOptions(mount) };
    case 'npipe':
    case 'cluster':
      throw new DabbaError('Unimplemented', `mounts of type "${type}" are not supported`);
    default:
      throw new DabbaError('InvalidArgument', `invalid mount config for type "${type}": mount type unknown`);
  }
}

function readBindOptions(mount: Fields): Partial<BindMount> {
  const options = mount.object('BindOptions');
  const text = options.word('Propagation');
  const propagation = text === undefined ? undefined : propagationOf(text);
  if (text !== undefined && propagation === undefined)
    throw new DabbaError(
      'InvalidArgument',
      `invalid mount config for type "bind": invalid propagation option: ${text}`,
    );
  for (const name of ['ReadOnlyNonRecursive', 'ReadOnlyForceRecursive'])
    if (options.isGiven(name)) throw new DabbaError('Unimplemented', `BindOptions.${name} is not supported`);
  return present({
    propagation,
    isShallow: options.flag('NonRecursive') || undefined,
    isSourceMade: options.flag('CreateMountpoint') || undefined,
  });
}

function readVolumeOptions(mount: Fields): Partial<Extract<Mount, { readonly kind: 'volume' }>> {
  const options = mount.object('VolumeOptions');
  const driver = options.object('DriverConfig');
  const driverName = driver.word('Name') ?? 'local';
  if (driverName !== 'local') throw new DabbaError('NotFound', `plugin "${driverName}" not found`);
  const subpath = options.word('Subpath');
  if (subpath?.startsWith('/') || subpath?.split('/').includes('..'))
    throw new DabbaError(
      'InvalidArgument',
      `invalid mount config for type "volume": subpath must be a relative path within the volume: ${subpath}`,
    );
  return present({
    subpath,
    isCopyLess: options.flag('NoCopy') || undefined,
    labels: options.textMap('Labels'),
    options: driver.textMap('Options'),
  });
}

function readImageSource(mount: Fields): string {
  const invalid = (what: string) => new DabbaError('InvalidArgument', `invalid mount config for type "image": ${what}`);
  const extra = ['BindOptions', 'VolumeOptions', 'TmpfsOptions'].find((name) => mount.isGiven(name));
  if (extra !== undefined) throw invalid(`field ${extra} must not be specified`);
  const source = mount.word('Source');
  if (source === undefined) throw invalid('field Source must not be empty');
  return source;
}

function readImageOptions(mount: Fields): Pick<Extract<Mount, { readonly kind: 'image' }>, 'subpath'> {
  const subpath = mount.object('ImageOptions').word('Subpath');
  if (subpath?.startsWith('/') || subpath?.split('/').includes('..'))
    throw new DabbaError(
      'InvalidArgument',
      `invalid mount config for type "image": subpath must be a relative path within the image: ${subpath}`,
    );
  return present({ subpath });
}

/** Words of mount(8) for a tmpfs that need no value. */
const tmpfsWords = new Set([
  'rw',
  'ro',
  'nosuid',
  'suid',
  'nodev',
  'dev',
  'noexec',
  'exec',
  'sync',
  'async',
  'noatime',
  'relatime',
  'strictatime',
  'nodiratime',
  'diratime',
]);
const tmpfsValues = new Set(['size', 'mode', 'uid', 'gid', 'nr_inodes', 'nr_blocks', 'huge']);

function readTmpfs(target: string, text: string): Mount {
  const words = text.split(',').filter(Boolean);
  const values = new Map(words.map((word) => [word.split('=')[0]!, word.slice(word.indexOf('=') + 1)] as const));
  const unknown = words.find(
    (word) => !(word.includes('=') ? tmpfsValues.has(word.split('=')[0]!) : tmpfsWords.has(word)),
  );
  if (unknown !== undefined) throw new DabbaError('InvalidArgument', `invalid tmpfs option ["${unknown}"]`);
  const [size, mode] = [values.get('size'), values.get('mode')];
  const options = words.filter((word) => !/^(size|mode)=/.test(word));
  return {
    kind: 'tmpfs',
    target,
    ...present({
      sizeBytes: size === undefined ? undefined : readSize(size),
      mode: mode === undefined ? undefined : Number.parseInt(mode, 8),
      options: options.length > 0 ? options : undefined,
    }),
  };
}

/** A size as people write it: `64m`, `1g`, `4096`. */
export function readSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)([kmgt]?)(?:i?b)?$/i.exec(text.trim());
  if (!match) throw new DabbaError('InvalidArgument', `invalid size: '${text}'`);
  return Math.floor(Number(match[1]) * 1024 ** ['', 'k', 'm', 'g', 't'].indexOf(match[2]!.toLowerCase()));
}
