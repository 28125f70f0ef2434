import { DabbaError, messageOf, systemCode } from '#base';

/** What a thread says when its work is over. A failure keeps its kind. */
export type Answer<Result> = { readonly result: Result } | { readonly error: Fault };

export interface Fault {
  readonly kind: DabbaError['kind'];
  readonly message: string;
}

/** An error in a form that goes to another thread. */
export function faultOf(error: unknown): Fault {
  return { kind: error instanceof DabbaError ? error.kind : 'Internal', message: messageOf(error) };
}

/** Why a thread ended by itself. */
export function threadFault(error: unknown): unknown {
  const isTooLarge = systemCode(error) === 'ERR_WORKER_OUT_OF_MEMORY';
  return isTooLarge ? new DabbaError('ResourceExhausted', 'archive needs too much memory', { cause: error }) : error;
}
