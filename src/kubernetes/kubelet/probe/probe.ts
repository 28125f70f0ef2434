import type { Socket } from 'node:net';
import type { KernelError } from '#kernel';
import type * as types from '../../types.ts';

export type ProbeKind = 'startup' | 'liveness' | 'readiness';

/** What one try of a probe found. */
export type ProbeOutcome = { readonly isSuccess: true } | { readonly isSuccess: false; readonly message: string };

/** What a probe is put to. Streams to a pod are opened inside its own network. */
export interface ProbeTarget {
  readonly address: string;
  readonly container: types.Container;
  /** Throws `KernelError` when the connection is refused. */
  dial(port: number, options: { readonly address: string; readonly signal: AbortSignal }): Promise<Socket>;
  /** Runs a command inside; what it wrote and how it ended. */
  run(command: readonly string[], signal: AbortSignal): Promise<{ readonly exitCode: number; readonly output: string }>;
}

export const succeeded: ProbeOutcome = { isSuccess: true };

export function failed(message: string): ProbeOutcome {
  return { isSuccess: false, message };
}

/** A port by its number, or by its name in the container. */
export function portOf({ ports }: types.Container, port: number | string): number | undefined {
  if (typeof port === 'number') return port;
  const named = ports?.find(({ name }) => name === port)?.containerPort;
  return named ?? (/^\d+$/.test(port) ? Number(port) : undefined);
}

/** The errors of connect(2) in Go's words, which users know from events. */
const words: { readonly [code: string]: string } = {
  ECONNREFUSED: 'connection refused',
  EHOSTUNREACH: 'no route to host',
  ENETUNREACH: 'network is unreachable',
  ECONNRESET: 'connection reset by peer',
  ETIMEDOUT: 'connection timed out',
};

/** `dial tcp 10.0.0.1:80: connect: connection refused`. */
export function dialFailure(error: Pick<KernelError, 'code'>, place: string): string {
  return `dial tcp ${place}: connect: ${words[error.code] ?? error.code}`;
}
