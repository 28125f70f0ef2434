import { DabbaError, messageOf } from '#base';

/** Why a container did not start: what the caller is told, and the exit code it is left with. */
export interface StartFailure {
  readonly exitCode: number;
  readonly error: DabbaError;
}

const notFound = /executable file not found|no such file or directory|stat .*: not found/i;
const notExecutable = /permission denied|operation not permitted|is a directory|exec format error/i;

/**
 * A failed start in Docker's words, which its client looks for, and with Docker's exit codes: 127 when there is no such program, 126 when it
 * cannot be executed, 128 for all else.
 */
export function startFailure(cause: unknown): StartFailure {
  const message = messageOf(cause);
  const kind = cause instanceof DabbaError && cause.kind !== 'FailedPrecondition' ? cause.kind : undefined;
  if (kind !== undefined) return { exitCode: 128, error: new DabbaError(kind, message, { cause }) };
  const exitCode = notFound.test(message) ? 127 : notExecutable.test(message) ? 126 : 128;
  const text = `failed to create task for container: failed to create shim task: OCI runtime create failed: ${message}: unknown`;
  return {
    exitCode,
    error: new DabbaError(exitCode === 128 ? 'FailedPrecondition' : 'InvalidArgument', text, { cause }),
  };
}
