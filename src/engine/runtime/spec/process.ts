import { posix } from 'node:path';
import { DabbaError } from '#base';
import type { Container, ContainerCreate, ImageConfig } from '../../engine.ts';
import { defaultPath } from './defaults.ts';

/**
 * What a container's first process is started with: the request joined over the image's config, as Docker does. An entrypoint in the request
 * discards the image's command; environment variables are joined by name. Throws `InvalidArgument` when there is nothing to run.
 */
export function joinProcess(request: ContainerCreate, image: ImageConfig, id: string): Container['process'] {
  const entrypoint = request.entrypoint ?? image.Entrypoint ?? [];
  const command = request.command?.length ? request.command : request.entrypoint ? [] : (image.Cmd ?? []);
  // An entrypoint of one empty string resets the image's ("docker run --entrypoint ''").
  const args = [...(entrypoint.length === 1 && entrypoint[0] === '' ? [] : entrypoint), ...command];
  if (args.length === 0) throw new DabbaError('InvalidArgument', 'no command specified');
  return {
    args,
    environment: joinEnvironment(
      [`PATH=${defaultPath}`, `HOSTNAME=${request.hostname ?? shortId(id)}`, ...(request.isTty ? ['TERM=xterm'] : [])],
      image.Env ?? [],
      request.environment ?? [],
    ),
    workingDirectory: workingDirectory(request.workingDirectory || image.WorkingDir || '/'),
    user: request.user || image.User || '',
  };
}

/** Joins lists of `NAME=value`; the last value of a name wins, at the place of the first. A bare name removes the variable. */
export function joinEnvironment(...lists: readonly (readonly string[])[]): readonly string[] {
  const joined = new Map<string, string>();
  for (const variable of lists.flat()) {
    const equals = variable.indexOf('=');
    if (equals < 0) joined.delete(variable);
    else joined.set(variable.slice(0, equals), variable);
  }
  return [...joined.values()];
}

/** Docker's twelve digits. */
export function shortId(id: string): string {
  return id.slice(0, 12);
}

function workingDirectory(path: string): string {
  if (!path.startsWith('/'))
    throw new DabbaError(
      'InvalidArgument',
      `the working directory "${path}" is invalid, it needs to be an absolute path`,
    );
  return posix.resolve(path);
}
