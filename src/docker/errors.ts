import { DabbaError, isDiskFull, messageOf, type ErrorKind } from '#base';

/** Docker's status for each kind of failure; the body is `{"message": …}` (Engine API, "Errors"). */
const statusOf: { readonly [kind in ErrorKind]: number } = {
  InvalidArgument: 400,
  NotFound: 404,
  AlreadyExists: 409,
  Conflict: 409,
  FailedPrecondition: 409,
  PermissionDenied: 403,
  Unauthenticated: 401,
  ResourceExhausted: 500,
  Unavailable: 503,
  Unimplemented: 501,
  Cancelled: 500,
  DataLoss: 500,
  Internal: 500,
};

export interface DockerFailure {
  readonly status: number;
  readonly message: string;
  /** A broken assumption of ours, to be logged. */
  readonly isDefect: boolean;
}

/** What a client is told of a failure. */
export function failureOf(error: unknown): DockerFailure {
  if (error instanceof DabbaError)
    return { status: statusOf[error.kind], message: error.message, isDefect: error.kind === 'Internal' };
  if (isDiskFull(error))
    return {
      status: statusOf.ResourceExhausted,
      message: `no space left on device: ${messageOf(error)}`,
      isDefect: false,
    };
  return { status: 500, message: messageOf(error), isDefect: true };
}
