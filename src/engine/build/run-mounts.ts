import { parseFault, stepFault } from './fault.ts';
import type { InstructionOf } from './instruction.ts';

/** `RUN --mount=…`, read but not expanded. */
export interface RunMount {
  readonly type: 'bind' | 'cache' | 'tmpfs';
  readonly target: string;
  /** Stage or image; the build context when absent. */
  readonly from?: string;
  readonly source: string;
  readonly isReadOnly: boolean;
  /** Of a cache: what tells it from others. */
  readonly id?: string;
  readonly sharing: 'shared' | 'private' | 'locked';
  /** Of a new cache directory. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes?: number;
}

/** The mounts of a RUN. Throws `InvalidArgument`, and `Unimplemented` for secrets and SSH agents, which the classic endpoint cannot carry. */
export function mountsOf(run: InstructionOf<'RUN'>): RunMount[] {
  return run.flags.filter(({ name }) => name === 'mount').map(({ value }) => readMount(run, value!));
}

function readMount(run: InstructionOf<'RUN'>, text: string): RunMount {
  const fields = new Map<string, string>();
  for (const field of text.split(',')) {
    const equals = field.indexOf('=');
    const name = (equals < 0 ? field : field.slice(0, equals)).trim().toLowerCase();
    fields.set(aliases[name] ?? name, equals < 0 ? 'true' : field.slice(equals + 1));
  }
  const type = fields.get('type') ?? 'bind';
  if (type === 'secret' || type === 'ssh')
    throw stepFault('Unimplemented', run.at, `RUN --mount=type=${type} is not supported by this build endpoint`);
  if (type !== 'bind' && type !== 'cache' && type !== 'tmpfs')
    throw parseFault(run.at, `unsupported mount type "${type}"`);
  const unknown = [...fields.keys()].find((name) => !known[type].includes(name));
  if (unknown !== undefined) throw parseFault(run.at, `unexpected key '${unknown}' in RUN --mount=${text}`);
  const target = fields.get('target');
  if (target === undefined || target === '') throw parseFault(run.at, `RUN --mount=${text}: target is required`);
  const sharing = fields.get('sharing') ?? 'shared';
  if (sharing !== 'shared' && sharing !== 'private' && sharing !== 'locked')
    throw parseFault(run.at, `unsupported sharing value "${sharing}" in RUN --mount=${text}`);
  const from = fields.get('from');
  const id = fields.get('id');
  const size = fields.get('size');
  return {
    type,
    target,
    source: fields.get('source') ?? '/',
    isReadOnly: type === 'bind' ? fields.get('readwrite') !== 'true' : fields.get('readonly') === 'true',
    sharing,
    mode: numberOf(run, text, fields.get('mode'), 8) ?? 0o755,
    uid: numberOf(run, text, fields.get('uid'), 10) ?? 0,
    gid: numberOf(run, text, fields.get('gid'), 10) ?? 0,
    ...(from === undefined ? {} : { from }),
    ...(id === undefined ? {} : { id }),
    ...(size === undefined ? {} : { sizeBytes: sizeOf(run, text, size) }),
  };
}

const aliases: { readonly [name: string]: string } = {
  dst: 'target',
  destination: 'target',
  src: 'source',
  rw: 'readwrite',
  ro: 'readonly',
};
const known = {
  bind: ['type', 'target', 'source', 'from', 'readwrite', 'readonly'],
  cache: ['type', 'target', 'source', 'from', 'id', 'readonly', 'readwrite', 'sharing', 'mode', 'uid', 'gid'],
  tmpfs: ['type', 'target', 'size'],
} as const satisfies { readonly [type: string]: readonly string[] } as {
  readonly [type in RunMount['type']]: readonly string[];
};

function numberOf(
  run: InstructionOf<'RUN'>,
  mount: string,
  text: string | undefined,
  radix: 8 | 10,
): number | undefined {
  if (text === undefined) return undefined;
  if (!(radix === 8 ? /^[0-7]{1,5}$/ : /^\d{1,10}$/).test(text))
    throw parseFault(run.at, `"${text}" is not a number in RUN --mount=${mount}`);
  return Number.parseInt(text, radix);
}

function sizeOf(run: InstructionOf<'RUN'>, mount: string, text: string): number {
  const match = /^(\d+)([bkmg]?)b?$/i.exec(text);
  if (!match) throw parseFault(run.at, `"${text}" is not a size in RUN --mount=${mount}`);
  return Number(match[1]) * 1024 ** ['', 'k', 'm', 'g'].indexOf(match[2]!.toLowerCase().replace('b', ''));
}
