import { StatusError } from '../../status.ts';

/** Where a list goes on: behind a path, in the state of a revision (-1: of now). Upstream's token, `apiserver/pkg/storage/continue.go`. */
export interface ContinueToken {
  readonly revision: number;
  readonly after: string;
}

export function writeContinue({ revision, after }: ContinueToken): string {
  return Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', rv: revision, start: `${after}\0` })).toString('base64url');
}

/** Throws `BadRequest`. */
export function readContinue(token: string): ContinueToken {
  const read = parse(Buffer.from(token, 'base64url').toString());
  if (read?.v !== 'meta.k8s.io/v1' || !Number.isSafeInteger(read.rv) || typeof read.start !== 'string' || !read.start)
    throw new StatusError('BadRequest', 'continue key is not valid: incorrect encoded continue token');
  return { revision: Number(read.rv), after: read.start.replace(/\0$/, '') };
}

function parse(text: string): { readonly v?: unknown; readonly rv?: unknown; readonly start?: unknown } | undefined {
  try {
    return JSON.parse(text) ?? undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
