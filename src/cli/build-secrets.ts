import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { UsageError } from './command.ts';

/** What travels in a header has to fit there. */
const limitBytes = 96 * 1024;

/** `id=ID,src=FILE`, `id=ID,env=NAME`, or `id=ID` for the variable of that name: contents by id, in base64. */
export function readSecrets(options: readonly string[]): { readonly [id: string]: string } {
  const secrets = options.map((option) => {
    const fields = fieldsOf(option);
    const { id, type } = fields;
    if (!id) throw new UsageError(`--secret ${option}: it has no id`, 'write it as: --secret id=NAME,src=FILE');
    const file = fields['src'] ?? fields['source'];
    const variable = fields['env'] ?? (type === 'env' ? (file ?? id) : undefined);
    if (variable !== undefined) return [id, fromEnvironment(option, variable)] as const;
    if (file !== undefined) return [id, fromFile(option, file)] as const;
    return [id, process.env[id] === undefined ? fromFile(option, id) : fromEnvironment(option, id)] as const;
  });
  const bytes = secrets.reduce((sum, [, content]) => sum + content.length, 0);
  if (bytes > limitBytes) throw new UsageError(`the secrets are ${bytes} bytes together, and may be ${limitBytes}`);
  return Object.fromEntries(secrets.map(([id, content]) => [id, content.toString('base64')]));
}

/** `default`, the agent of this session, or `ID=SOCKET`: sockets by id. */
export function readSshAgents(options: readonly string[]): { readonly [id: string]: string } {
  return Object.fromEntries(
    options.map((option) => {
      const equals = option.indexOf('=');
      const id = equals < 0 ? option : option.slice(0, equals);
      const path = equals < 0 ? process.env['SSH_AUTH_SOCK'] : option.slice(equals + 1);
      if (!path)
        throw new UsageError(`--ssh ${option}: there is no SSH agent`, 'start one: eval "$(ssh-agent)"; ssh-add');
      if (!statSync(path, { throwIfNoEntry: false })?.isSocket())
        throw new UsageError(
          `--ssh ${option}: ${path} is no socket`,
          'keys as files are not taken: add them to an agent with ssh-add',
        );
      return [id, resolve(path)];
    }),
  );
}

/** `name=value,…` */
export function fieldsOf(option: string): { readonly [name: string]: string | undefined } {
  return Object.fromEntries(
    option.split(',').map((field) => {
      const equals = field.indexOf('=');
      return equals < 0 ? [field.trim(), ''] : [field.slice(0, equals).trim(), field.slice(equals + 1)];
    }),
  );
}

function fromEnvironment(option: string, name: string): Buffer {
  const value = process.env[name];
  if (value === undefined) throw new UsageError(`--secret ${option}: the variable ${name} is not set`);
  return Buffer.from(value);
}

function fromFile(option: string, path: string): Buffer {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat) throw new UsageError(`--secret ${option}: there is no file ${path}`);
  if (stat.size > limitBytes) throw new UsageError(`--secret ${option}: ${path} is larger than ${limitBytes} bytes`);
  return readFileSync(path);
}
