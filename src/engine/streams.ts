export interface LogOptions {
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly follow: boolean;
  /** Only the last lines. */
  readonly tail?: number;
  /** Milliseconds since the epoch. */
  readonly since?: number;
  readonly until?: number;
  /** Byte position in the log to start from, as an earlier entry gave it; for exact resumption. */
  readonly fromPosition?: number;
  readonly signal: AbortSignal;
}

/** One line of output without its newline, or, when `isPartial`, a piece of a line still being written. */
export interface LogEntry {
  /** Nanoseconds since the epoch. */
  readonly atNs: bigint;
  readonly stream: 'stdout' | 'stderr';
  readonly data: Buffer;
  readonly isPartial: boolean;
  /** Byte position behind this entry. */
  readonly nextPosition: number;
}

export interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
}

export interface AttachOptions {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

/** Both directions of a process. `output` ends when the process closes its streams. */
export interface Attachment extends AsyncDisposable {
  readonly output: AsyncIterable<{ readonly stream: 'stdout' | 'stderr'; readonly data: Buffer }>;
  /** Resolves when the bytes were taken. */
  write(data: Uint8Array): Promise<void>;
  /** End of input. */
  closeInput(): Promise<void>;
}

export interface ExecCreate {
  readonly args: readonly string[];
  readonly environment?: readonly string[];
  readonly workingDirectory?: string;
  readonly user?: string;
  readonly isTty?: boolean;
  readonly isPrivileged?: boolean;
  readonly stdin: boolean;
  /** Nobody is to read its output, so the process need not end with us. */
  readonly isDetached?: boolean;
}

/** A further process. Its streams are pipes of ours, which end with us; those of a terminal or a detached process are conmon's, and outlive us. */
export interface Exec {
  readonly id: string;
  readonly pid: number;
  readonly attachment: Attachment;
  resize(size: TerminalSize): Promise<void>;
  /** Resolves when the process has ended. */
  wait(signal: AbortSignal): Promise<{ readonly exitCode: number }>;
}
