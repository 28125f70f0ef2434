/** A command that runs elsewhere, as a client of `exec` or `attach` sees it: its streams, its terminal, how it ended. */
import type { Status } from '../types.ts';

/** Which streams are asked for. With a terminal there is no stderr of its own. */
export interface StreamRequest {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

export interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
}

/** The client's side of a session, whatever protocol it speaks. */
export interface RemoteSession {
  /** Input as it comes; ends when the client closes it. Empty when none was asked for. */
  readonly stdin: AsyncIterable<Buffer>;
  readonly sizes: AsyncIterable<TerminalSize>;
  /** Aborts when the client is gone. */
  readonly gone: AbortSignal;
  /** Resolves when more may be written. Output of a stream that was not asked for is dropped. */
  write(stream: 'stdout' | 'stderr', data: Buffer): Promise<void>;
  /** Tells how it ended and closes the session, once everything was sent. */
  finish(status: Status): Promise<void>;
}

/** Reads what `exec` and `attach` are asked for, in the API's words or in the kubelet's. */
export function streamRequest(query: URLSearchParams): StreamRequest {
  const is = (...names: readonly string[]) => names.some((name) => ['1', 'true'].includes(query.get(name) ?? ''));
  const tty = is('tty');
  return { stdin: is('stdin', 'input'), stdout: is('stdout', 'output'), stderr: is('stderr', 'error') && !tty, tty };
}

/** The status that ends a session: a command's exit code is a cause, as `k8s.io/apimachinery/pkg/util/remotecommand` has it. */
export function exitStatus(exitCode: number): Status {
  if (exitCode === 0) return { metadata: {}, status: 'Success' };
  return {
    metadata: {},
    status: 'Failure',
    message: `command terminated with non-zero exit code: command terminated with exit code ${exitCode}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(exitCode) }] },
  };
}

/** The status of a session that failed for another reason than its command's own. */
export function failureStatus(message: string): Status {
  return { metadata: {}, status: 'Failure', message, reason: 'InternalError', code: 500 };
}

/** Reads `{"Width":80,"Height":24}`; undefined for what is none. */
export function parseSize(text: string): TerminalSize | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  if (typeof value !== 'object' || value === null || !('Width' in value) || !('Height' in value)) return undefined;
  const [columns, rows] = [Number(value.Width), Number(value.Height)];
  const isSize = (number: number) => Number.isInteger(number) && number > 0 && number < 65_536;
  return isSize(columns) && isSize(rows) ? { columns, rows } : undefined;
}
