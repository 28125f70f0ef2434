import { DabbaError } from '#base';

/** Where a limited list goes on: at which revision, and behind which key. */
export interface ListPosition {
  readonly revision: number;
  readonly afterKey: string;
}

/** The `continue` of a list's answer; opaque to its reader. */
export function formatListPosition({ revision, afterKey }: ListPosition): string {
  return Buffer.from(`${revision}:${afterKey}`).toString('base64url');
}

/** Throws `InvalidArgument` unless `text` was given out for a list of `prefix`. */
export function parseListPosition(text: string, prefix: string): ListPosition {
  const [, revision, afterKey] = /^(\d{1,15}):(.+)$/s.exec(Buffer.from(text, 'base64url').toString()) ?? [];
  if (revision === undefined || !afterKey?.startsWith(prefix))
    throw new DabbaError('InvalidArgument', `"${text}" does not continue a list of "${prefix}"`);
  return { revision: Number(revision), afterKey };
}
