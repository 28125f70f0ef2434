import { parseFault } from './fault.ts';
import type { InstructionOf } from './instruction.ts';

/** `RUN --mount=…`, read but not expanded. */
export interface RunMount {
  readonly type: 'bind' | 'cache' | 'tmpfs' | 'secret' | 'ssh';
  /** Empty for a secret or agent that goes to its usual place. */
  readonly target: string;
  /** Stage or image; the build context when absent. */
  readonly from?: string;
  readonly source: string;
  readonly isReadOnly: boolean;
  /** What tells it from others of its type. */
  readonly id?: string;
  readonly sharing: 'shared' | 'private' | 'locked';
  /** Of a new cache directory, a secret, an agent's socket. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes?: number;
  /** A secret or agent without which the step fails. */
  readonly isRequired: boolean;
  /** The variable that holds a secret. */
  readonly variable?: string;
}

/** The mounts of a RUN. Throws `InvalidArgument`. */
export function mountsOf(run: InstructionOf<'RUN'>): RunMount[] {
  return run.flags.filter(({ name }) => name === 'mount').map(({ value }) => readMount(run, value!));
}

function readMount(run: InstructionOf<'RUN'>, text: string): RunMount {
  const fields = fieldsOf(text);
  const type = fields.get('type') ?? 'bind';
  if (!isMountType(type)) throw parseFault(run.at, `unsupported mount type "${type}"`);
  const unknown = [...fields.keys()].find((name) => !known[type].includes(name));
  if (unknown !== undefined) throw parseFault(run.at, `unexpected key '${unknown}' in RUN --mount=${text}`);
  const target = fields.get('target') ?? '';
  const isGiven = type === 'secret' || type === 'ssh';
  if (target === '' && !isGiven) throw parseFault(run.at, `RUN --mount=${text}: target is required`);
  const sharing = fields.get('sharing') ?? 'shared';
  if (sharing !== 'shared' && sharing !== 'private' && sharing !== 'locked')
    throw parseFault(run.at, `unsupported sharing value "${sharing}" in RUN --mount=${text}`);
  const id = fields.get('id') ?? (isGiven ? defaultId(type, target || (fields.get('env') ?? '')) : undefined);
  if (id === '') throw parseFault(run.at, `RUN --mount=${text}: id is required`);
  const { from, env: variable, size } = Object.fromEntries(fields);
  if (variable !== undefined && !/^[A-Za-z_]\w*$/.test(variable))
    throw parseFault(run.at, `"${variable}" cannot name a variable in RUN --mount=${text}`);
  return {
    type,
    target,
    source: fields.get('source') ?? '/',
    isReadOnly: type === 'bind' ? !isTrue(fields.get('readwrite')) : isTrue(fields.get('readonly')),
    sharing,
    mode: numberOf(run, text, fields.get('mode'), 8) ?? defaultModes[type],
    uid: numberOf(run, text, fields.get('uid'), 10) ?? 0,
    gid: numberOf(run, text, fields.get('gid'), 10) ?? 0,
    isRequired: isTrue(fields.get('required')),
    ...(from === undefined ? {} : { from }),
    ...(id === undefined ? {} : { id }),
    ...(variable === undefined ? {} : { variable }),
    ...(size === undefined ? {} : { sizeBytes: sizeOf(run, text, size) }),
  };
}

/** A secret is called by the name of its file if nothing else is said; an agent `default`. */
function defaultId(type: 'secret' | 'ssh', place: string): string {
  return type === 'ssh' ? 'default' : place.slice(place.lastIndexOf('/') + 1);
}

function fieldsOf(text: string): Map<string, string> {
  const fields = new Map<string, string>();
  for (const field of text.split(',')) {
    const equals = field.indexOf('=');
    const name = (equals < 0 ? field : field.slice(0, equals)).trim().toLowerCase();
    fields.set(aliases[name] ?? name, equals < 0 ? 'true' : field.slice(equals + 1));
  }
  return fields;
}

const aliases: { readonly [name: string]: string } = {
  dst: 'target',
  destination: 'target',
  src: 'source',
  rw: 'readwrite',
  ro: 'readonly',
};
const known: { readonly [type in RunMount['type']]: readonly string[] } = {
  bind: ['type', 'target', 'source', 'from', 'readwrite', 'readonly'],
  cache: ['type', 'target', 'source', 'from', 'id', 'readonly', 'readwrite', 'sharing', 'mode', 'uid', 'gid'],
  tmpfs: ['type', 'target', 'size'],
  secret: ['type', 'target', 'id', 'required', 'mode', 'uid', 'gid', 'env'],
  ssh: ['type', 'target', 'id', 'required', 'mode', 'uid', 'gid'],
};
const defaultModes: { readonly [type in RunMount['type']]: number } = {
  bind: 0o755,
  cache: 0o755,
  tmpfs: 0o1777,
  secret: 0o400,
  ssh: 0o600,
};

const isMountType = (type: string): type is RunMount['type'] => Object.hasOwn(known, type);
const isTrue = (text: string | undefined) => text === 'true' || text === '1';

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
