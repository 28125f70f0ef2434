import koffi from 'koffi';
import { DabbaError, type ErrorKind } from '#base';

/** A system call that failed. `code` is the errno's name (`EBUSY`), as on Node's own system errors. */
export class KernelError extends DabbaError {
  readonly code: string;
  readonly syscall: string;
  constructor(syscall: string, code: string, subject: string) {
    super(kinds[code] ?? 'Unavailable', `${syscall} ${subject}: ${code}`);
    this.name = 'KernelError';
    this.code = code;
    this.syscall = syscall;
  }
}

const kinds: { readonly [code: string]: ErrorKind } = {
  ENOENT: 'NotFound',
  ESRCH: 'NotFound',
  EEXIST: 'AlreadyExists',
  EPERM: 'PermissionDenied',
  EACCES: 'PermissionDenied',
  EINVAL: 'InvalidArgument',
  ENOSPC: 'ResourceExhausted',
  EDQUOT: 'ResourceExhausted',
  EMFILE: 'ResourceExhausted',
  ENOMEM: 'ResourceExhausted',
};

const library = koffi.load('libc.so.6');

/** Declares a libc function by its C prototype. The result is typed by the caller, who knows the prototype. */
export function libcFunction<Signature extends (...args: never[]) => unknown>(prototype: string): Signature {
  return library.func(prototype) as unknown as Signature; // koffi's own type is untyped varargs
}

/**
 * Declares a libc function that is called on a thread of libuv's pool, which it holds until it returns. Its last argument is called back with
 * the result; errno is lost.
 */
export function libcFunctionAsync<Parameters extends readonly unknown[]>(
  prototype: string,
): (...args: [...Parameters, callback: (error: Error | null, result: number) => void]) => void {
  const declared = library.func(prototype);
  return (...args) => void declared.async(...args);
}

const errnoNames = new Map<number, string>(Object.entries(koffi.os.errno).map(([name, value]) => [value, name]));

/** Name of an errno by its number, e.g. `EBUSY`. */
export function errnoName(errno: number): string {
  return errnoNames.get(errno) ?? `errno ${errno}`;
}

/** Name of the errno the last libc call on this thread left, e.g. `EBUSY`. Read it at once: any other call may change it. */
export function lastErrorCode(): string {
  return errnoName(koffi.errno());
}

/** Returns `result` unless it is negative, which throws a `KernelError` naming the call and its subject. */
export function check(result: number, syscall: string, subject: string): number {
  if (result < 0) throw new KernelError(syscall, lastErrorCode(), subject);
  return result;
}
