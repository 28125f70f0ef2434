import { DabbaError, messageOf } from '#base';

/** Primary result codes (sqlite.org/rescode.html). */
const SQLITE_BUSY = 5;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_CANTOPEN = 14;
const SQLITE_NOTADB = 26;

/** What a failure of SQLite means to a caller. Anything that is not SQLite's is returned as it is. */
export function storeError(error: unknown, path: string): unknown {
  const code = resultCode(error);
  if (code === undefined) return error;
  const options = { cause: error };
  switch (code & 0xff) {
    case SQLITE_BUSY:
      return new DabbaError('FailedPrecondition', `${path} is in use by another process`, options);
    case SQLITE_FULL:
      return new DabbaError('ResourceExhausted', `the disk that holds ${path} is full; nothing was written`, options);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return new DabbaError('DataLoss', `${path} is damaged: ${messageOf(error)}`, options);
    case SQLITE_CANTOPEN:
      return new DabbaError('Unavailable', `${path} cannot be opened: ${messageOf(error)}`, options);
    default:
      return new DabbaError('Unavailable', `${path}: ${messageOf(error)}`, options);
  }
}

function resultCode(error: unknown): number | undefined {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' ? error.errcode : undefined;
}
