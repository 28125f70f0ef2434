import { closeSync, fchownSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DabbaError } from '#base';
import { adopt, adoptOrphans, pipe, spawn, type ChildProcess, type ExitStatus, standardEnvironment } from '#kernel';
import { runcMessage, type MonitoredExec, type MonitorSettings } from './conmon.ts';
import { PipeAttachment, type ProcessPipes } from './pipe-attachment.ts';

export interface PipedExecRequest {
  readonly containerId: string;
  readonly processSpec: string;
  /** Gets the file with its pid. */
  readonly directory: string;
  readonly isStdinOpen: boolean;
  /** Whom its pipes are to belong to. Default: us. */
  readonly owner?: { readonly uid: number; readonly gid: number };
}

export interface PipedExec extends MonitoredExec {
  readonly attachment: PipeAttachment;
}

/**
 * Adds a process to a running container by `runc exec`, with our pipes as its own and us as its parent: runc ends once the process runs. There is
 * no monitor between, as there is for terminals, which would take a quarter of the whole time. Throws `FailedPrecondition` with runc's words.
 */
export async function execPiped(settings: MonitorSettings, request: PipedExecRequest): Promise<PipedExec> {
  using _ = adoptOrphans();
  const { child, pipes } = startRunc(settings, request);
  const attachment = new PipeAttachment(pipes);
  const status = await child.exited;
  if (status.kind !== 'exited' || status.code !== 0) {
    attachment.finish();
    throw new DabbaError('FailedPrecondition', await failureOf(attachment, status));
  }
  const pid = Number(readFileSync(pidFile(request), 'utf8'));
  const exitCode = adopt(pid)
    .exited.finally(() => attachment.finish())
    .then((ended) => (ended.kind === 'exited' ? ended.code : 128 + ended.signal));
  return { pid, attachment, exitCode, [Symbol.asyncDispose]: () => Promise.resolve(attachment.close()) };
}

function startRunc(
  { runc, runcRoot }: MonitorSettings,
  request: PipedExecRequest,
): { readonly child: ChildProcess; readonly pipes: ProcessPipes } {
  using theirs = new DisposableStack();
  using ours = new DisposableStack();
  const [stdin, stdinEnd] = pipe();
  theirs.defer(() => closeSync(stdin));
  ours.defer(() => closeSync(stdinEnd));
  const [stdoutEnd, stdout] = pipe();
  theirs.defer(() => closeSync(stdout));
  ours.defer(() => closeSync(stdoutEnd));
  const [stderrEnd, stderr] = pipe();
  theirs.defer(() => closeSync(stderr));
  ours.defer(() => closeSync(stderrEnd));
  const { containerId, processSpec, isStdinOpen, owner } = request;
  if (owner) for (const end of [stdin, stdout, stderr]) fchownSync(end, owner.uid, owner.gid);
  const args = ['--detach', '--process', processSpec, '--pid-file', pidFile(request), containerId];
  const child = spawn({
    file: runc,
    args: ['--root', runcRoot, 'exec', ...args],
    environment: standardEnvironment,
    descriptors: { 0: stdin, 1: stdout, 2: stderr },
  });
  ours.move();
  if (!isStdinOpen) closeSync(stdinEnd);
  return { child, pipes: { stdout: stdoutEnd, stderr: stderrEnd, ...(isStdinOpen && { stdin: stdinEnd }) } };
}

const pidFile = ({ directory }: PipedExecRequest) => join(directory, 'pid');

async function failureOf(attachment: PipeAttachment, status: ExitStatus): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const { data } of attachment.output) pieces.push(data);
  const how = status.kind === 'exited' ? `status ${status.code}` : `signal ${status.signal}`;
  return runcMessage(Buffer.concat(pieces).toString()) || `runc exec failed with ${how}`;
}
