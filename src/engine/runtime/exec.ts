import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DabbaError, messageOf } from '#base';
import { setTerminalSize, type ProcessIdentity } from '#kernel';
import type { Attachment, Exec, ExecCreate, TerminalSize } from '../engine.ts';
import { ownerOnMachine } from '../mapped-owner.ts';
import { readAccounts } from './accounts.ts';
import { ProcessAttachment } from './attachment.ts';
import { execMonitored, type MonitoredExec } from './conmon.ts';
import type { Instance } from './instance.ts';
import { notRunning, paused, type Neighbours } from './lifecycle.ts';
import { linkEnvironment } from './link-environment.ts';
import { openProcessRoot } from './open-root.ts';
import { execPiped } from './piped-exec.ts';
import type { Runtime } from './runtime.ts';
import { joinEnvironment } from './spec/process.ts';
import { buildProcess, writeSpec } from './spec/spec.ts';
import { resolveUser, type ResolvedUser } from './spec/user.ts';
import { startFailure } from './start-failure.ts';
import { mappingOf, ownStandardStreams } from './user-namespace.ts';

/** The container a process is added to, and a way to those it is linked to. */
export interface ExecTarget {
  readonly instance: Instance;
  readonly neighbours: Pick<Neighbours, 'find'>;
}

/** Adds a process to a running container, attached before it starts. Throws `Conflict` unless it runs. */
export async function execIn(runtime: Runtime, target: ExecTarget, request: ExecCreate): Promise<Exec> {
  const { instance } = target;
  if (!instance.isRunning) throw new DabbaError('Conflict', `container ${instance.id} is not running`);
  if (instance.isPaused) throw paused(instance);
  if (request.args.length === 0) throw new DabbaError('InvalidArgument', 'No exec command specified');
  const id = runtime.random.hex(64);
  const bundle = join(runtime.execsDirectory, id.slice(0, 16));
  try {
    mkdirSync(bundle, { recursive: true, mode: 0o700 });
    const processSpec = join(bundle, 'process.json');
    const { text, user } = processOf(runtime, target, request);
    writeFileSync(processSpec, text, { mode: 0o600 });
    const ids = mappingOf(instance.record.create);
    const start = request.isTty || request.isDetached ? startMonitored : startPiped;
    const { process, attachment } = await start(runtime, {
      containerId: instance.id,
      id,
      bundle,
      processSpec,
      request,
      ...(ids && { owner: ownerOnMachine(ids, user) }),
    });
    const attributes = { execID: id };
    instance.publish(`exec_start: ${request.args.join(' ')}`, attributes);
    runtime.openStreams.add(process);
    return new RunningExec(id, process, attachment, bundle, (exitCode) => {
      runtime.openStreams.delete(process);
      if (exitCode !== undefined) instance.publish('exec_die', { ...attributes, exitCode: String(exitCode) });
    });
  } catch (cause) {
    discard(bundle);
    if (!instance.isRunning) throw notRunning('exec in', instance);
    throw cause instanceof DabbaError && cause.kind === 'FailedPrecondition' ? execFailure(cause) : cause;
  }
}

/** At once: it lies in memory, where work takes less time than a turn of the thread pool. */
function discard(bundle: string): void {
  rmSync(bundle, { recursive: true, force: true });
}

interface ExecStart {
  readonly containerId: string;
  readonly id: string;
  readonly bundle: string;
  readonly processSpec: string;
  readonly request: ExecCreate;
  /** Whom its pipes are to belong to, where its ids are mapped. */
  readonly owner?: { readonly uid: number; readonly gid: number };
}

interface StartedExec {
  readonly process: MonitoredExec;
  readonly attachment: Attachment;
}

async function startPiped(runtime: Runtime, start: ExecStart): Promise<StartedExec> {
  const { containerId, bundle, processSpec, request, owner } = start;
  const process = await execPiped(runtime.monitor, {
    containerId,
    processSpec,
    directory: bundle,
    isStdinOpen: request.stdin,
    ...(owner && { owner }),
  });
  return { process, attachment: process.attachment };
}

async function startMonitored(runtime: Runtime, start: ExecStart): Promise<StartedExec> {
  const { containerId, id, bundle, processSpec, request, owner } = start;
  const attachment = new ProcessAttachment({ stdin: request.stdin, stdout: true, stderr: true }, runtime.openStreams);
  const { isTty = false, stdin: isStdinOpen } = request;
  try {
    const process = await execMonitored(
      runtime.monitor,
      { containerId, execId: id, bundle, processSpec, isTty, isStdinOpen },
      () => attachment.connect(join(bundle, 'attach')),
    );
    if (owner) ownStandardStreams(process.pid, owner);
    return { process, attachment };
  } catch (error) {
    await attachment[Symbol.asyncDispose]();
    throw error;
  }
}

/** Sets the size of the terminal that conmon holds, if it holds one. Throws `Conflict` when it has ended. */
export function resizeTerminal(monitor: ProcessIdentity, size: TerminalSize): void {
  if (!setTerminalSize(monitor, size))
    throw new DabbaError('Conflict', 'cannot resize the terminal: its process has ended');
}

class RunningExec implements Exec {
  readonly id: string;
  readonly pid: number;
  readonly attachment: Attachment;
  readonly #bundle: string;
  readonly #monitor: ProcessIdentity | undefined;
  readonly #ended: Promise<{ readonly exitCode: number }>;

  constructor(
    id: string,
    monitored: MonitoredExec,
    attachment: Attachment,
    bundle: string,
    onEnd: (exitCode: number | undefined) => void,
  ) {
    this.id = id;
    this.pid = monitored.pid;
    this.attachment = attachment;
    this.#bundle = bundle;
    this.#monitor = monitored.monitor;
    this.#ended = this.#awaitEnd(monitored, onEnd);
    // Whoever wants to know asks by `wait`; until then a failure is no unhandled rejection.
    this.#ended.catch(() => undefined);
  }

  async resize(size: TerminalSize): Promise<void> {
    if (this.#monitor) resizeTerminal(this.#monitor, size);
  }

  async wait(signal: AbortSignal): Promise<{ readonly exitCode: number }> {
    signal.throwIfAborted();
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    const onAbort = () => reject(signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      return await Promise.race([this.#ended, aborted]);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  async #awaitEnd(
    monitored: MonitoredExec,
    onEnd: (exitCode: number | undefined) => void,
  ): Promise<{ readonly exitCode: number }> {
    let exitCode: number | undefined;
    try {
      exitCode = await monitored.exitCode;
      return { exitCode };
    } finally {
      onEnd(exitCode);
      await monitored[Symbol.asyncDispose]();
      discard(this.#bundle);
    }
  }
}

function processOf(
  runtime: Runtime,
  { instance, neighbours }: ExecTarget,
  request: ExecCreate,
): { readonly text: string; readonly user: ResolvedUser } {
  const { record, state } = instance;
  using root = openProcessRoot(state.process);
  const user = resolveUser(
    request.user || record.process.user,
    readAccounts(root.path),
    record.create.supplementaryGroups,
  );
  const terminal = request.isTty ? ['TERM=xterm'] : [];
  const process = {
    args: request.args,
    environment: joinEnvironment(
      terminal,
      linkEnvironment(runtime, instance, neighbours),
      record.process.environment,
      request.environment ?? [],
    ),
    workingDirectory: request.workingDirectory || record.process.workingDirectory,
    isTty: request.isTty ?? false,
  };
  const create = request.isPrivileged ? { ...record.create, isPrivileged: true } : record.create;
  return { text: writeSpec(buildProcess(process, user, { create, limits: runtime.limits })), user };
}

/** A failed exec in Docker's words; its client takes 126 and 127 from them. */
function execFailure(cause: DabbaError): DabbaError {
  const { exitCode } = startFailure(cause);
  const text = `OCI runtime exec failed: ${messageOf(cause)}: unknown`;
  return new DabbaError(exitCode === 128 ? 'FailedPrecondition' : 'InvalidArgument', text, { cause });
}
