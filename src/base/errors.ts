/** The closed list of failure kinds. Every protocol edge has exactly one table from kind to its own answer. */
export type ErrorKind =
  | 'InvalidArgument'
  | 'NotFound'
  | 'AlreadyExists'
  | 'Conflict'
  | 'FailedPrecondition'
  | 'PermissionDenied'
  | 'Unauthenticated'
  | 'ResourceExhausted'
  | 'Unavailable'
  | 'Unimplemented'
  | 'Cancelled'
  | 'DataLoss'
  | 'Internal';

/**
 * A failure that a caller can act on. The message names the object and the offending value and never holds a credential;
 * `cause` keeps the original. Broken assumptions are plain `Error`s and end the request loudly.
 */
export class DabbaError extends Error {
  readonly kind: ErrorKind;
  constructor(kind: ErrorKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'DabbaError';
    this.kind = kind;
  }
}

/** True if `error` is a `DabbaError`, of `kind` when one is given. */
export function isDabbaError(error: unknown, kind?: ErrorKind): error is DabbaError {
  return error instanceof DabbaError && (kind === undefined || error.kind === kind);
}

/** The `code` of a Node.js system error (`ENOENT`, `EADDRINUSE`, …), or undefined for anything else. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** True if a write failed for want of space, on the disk or within a quota. */
export function isDiskFull(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT'].includes(systemCode(error) ?? '');
}

/** The message of whatever was thrown, for logs and for wrapping. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
