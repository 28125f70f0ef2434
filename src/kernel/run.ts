import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import type { ChildProcess, ExitStatus } from './process.ts';
import { pipe, spawn } from './spawn.ts';

/** What a program that was run to its end left. */
export interface RunResult {
  readonly status: ExitStatus;
  readonly stdout: Buffer;
  readonly stderr: string;
}

export interface RunOptions {
  readonly environment?: { readonly [name: string]: string };
  readonly input?: string;
  /** Descriptors beyond the standard three: the child's number → ours. */
  readonly descriptors?: { readonly [childFd: number]: number };
  /** Kills it. */
  readonly signal?: AbortSignal;
}

/** Runs a program to its end and collects its output, which is expected to be small. Rejects only when it cannot be started. */
export async function run(file: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  using theirs = new DisposableStack();
  const [input, inputEnd] = pipe();
  theirs.defer(() => closeSync(input));
  const [outputEnd, output] = pipe();
  theirs.defer(() => closeSync(output));
  const [errorEnd, errors] = pipe();
  theirs.defer(() => closeSync(errors));
  let child: ChildProcess;
  try {
    const descriptors = { ...options.descriptors, 0: input, 1: output, 2: errors };
    child = spawn({ file, args, environment: options.environment ?? standardEnvironment, descriptors });
  } catch (error) {
    for (const fd of [inputEnd, outputEnd, errorEnd]) closeSync(fd);
    throw error;
  }
  theirs.dispose();
  const onAbort = () => child.kill(9);
  options.signal?.addEventListener('abort', onAbort, { once: true });
  if (options.signal?.aborted) onAbort();
  const writer = new Socket({ fd: inputEnd, readable: false, writable: true });
  // A program that does not read its input closes the pipe under us; its exit status tells the rest.
  writer.on('error', () => writer.destroy());
  writer.end(options.input ?? '');
  const [stdout, stderr, status] = await Promise.all([readAll(outputEnd), readAll(errorEnd), child.exited]);
  options.signal?.removeEventListener('abort', onAbort);
  return { status, stdout, stderr: stderr.toString() };
}

/** Environment for programs of the system: where they find one another, and nothing of ours. */
export const standardEnvironment = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  LANG: 'C.UTF-8',
} as const;

/** Reads a pipe to its end and closes it. */
export async function readAll(fd: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of new Socket({ fd, readable: true, writable: false })) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
