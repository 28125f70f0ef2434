import { closeSync, readFileSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { DabbaError } from '#base';
import { identifyProcess, pipe, processEnded, type ProcessIdentity, reap, spawn } from '#kernel';
import { runcEnvironment } from './runc-program.ts';

/** conmon ends a moment after its last report. */
const longestLeaveMs = 1_000;

/**
 * conmon, the monitor that holds a container's terminal, log and exit code while we may come and go (conmon(8); its source for the pipes).
 * It leaves our process tree at once, calls runc, and reports on a pipe in lines of JSON: first the pid of the new process or the failure,
 * for an exec later the exit code. The exit code of a container is the text of `exit` in its run directory.
 */
export interface MonitorSettings {
  readonly conmon: string;
  readonly runc: string;
  readonly runcRoot: string;
}

export interface MonitorCreate {
  readonly containerId: string;
  readonly name: string;
  /** Gets conmon's sockets, in the end `exit`, and `oom` when it ran out of memory. */
  readonly bundle: string;
  readonly monitorPidFile: string;
  /** Undefined: the output is not recorded. */
  readonly log: string | undefined;
  readonly isTty: boolean;
  readonly isStdinOpen: boolean;
  /** Input stays open when the first client that writes to it leaves. */
  readonly isStdinKept: boolean;
}

/** Has conmon create the container with runc; resolves with the pid of its first process, which waits for `runc start`. */
export async function createMonitored(settings: MonitorSettings, request: MonitorCreate): Promise<number> {
  using report = startMonitor(settings, request.bundle, [
    `--cid=${request.containerId}`,
    `--cuuid=${request.containerId}`,
    `--name=${request.name}`,
    `--bundle=${request.bundle}`,
    `--persist-dir=${request.bundle}`,
    `--exit-dir=${request.bundle}`,
    `--conmon-pidfile=${request.monitorPidFile}`,
    '--container-pidfile=pid',
    request.log === undefined ? '--log-path=off:' : `--log-path=k8s-file:${request.log}`,
    '--no-sync-log',
    ...(request.isTty ? ['--terminal'] : []),
    ...(request.isStdinOpen ? ['--stdin'] : []),
    ...(request.isStdinKept ? ['--leave-stdin-open'] : []),
  ]);
  return await report.pid();
}

export interface MonitorExec {
  readonly containerId: string;
  readonly execId: string;
  /** Gets conmon's sockets. */
  readonly bundle: string;
  readonly processSpec: string;
  readonly isTty: boolean;
  readonly isStdinOpen: boolean;
}

/** A process that was added to a container. Disposing lets go of it; it runs on. */
export interface MonitoredExec extends AsyncDisposable {
  readonly pid: number;
  /** conmon, where there is one and it lives. */
  readonly monitor?: ProcessIdentity;
  /** Rejects when conmon dies without telling. */
  readonly exitCode: Promise<number>;
}

/**
 * Has conmon add a process to a running container. `onReady` is called when the attach socket listens and before the process starts, so that
 * no output is lost.
 */
export async function execMonitored(
  settings: MonitorSettings,
  request: MonitorExec,
  onReady: () => void,
): Promise<MonitoredExec> {
  const monitorPidFile = join(request.bundle, 'conmon.pid');
  const [gateTheirs, gateOurs] = pipe();
  using scope = new DisposableStack();
  scope.defer(() => closeSync(gateOurs));
  const [readyOurs, readyTheirs] = pipe();
  const ready = new Reports(readyOurs);
  scope.use(ready);
  using report = new DisposableStack();
  const reports = report.use(
    startMonitor(
      settings,
      request.bundle,
      [
        `--cid=${request.containerId}`,
        `--cuuid=${request.execId}`,
        `--bundle=${request.bundle}`,
        `--persist-dir=${request.bundle}`,
        `--exit-dir=${request.bundle}`,
        '--log-path=off:',
        '--exec',
        '--exec-attach',
        `--exec-process-spec=${request.processSpec}`,
        '--container-pidfile=pid',
        `--conmon-pidfile=${monitorPidFile}`,
        ...(request.isTty ? ['--terminal'] : []),
        ...(request.isStdinOpen ? ['--stdin'] : []),
      ],
      { 4: gateTheirs, 5: readyTheirs },
      { _OCI_STARTPIPE: '4', _OCI_ATTACHPIPE: '5' },
    ),
  );
  // Two gates on one pipe: the first lets conmon begin, the second lets it start the process.
  writeSync(gateOurs, '\0');
  await ready.next();
  onReady();
  writeSync(gateOurs, '\0');
  const pid = await reports.pid();
  const monitor = identifyProcess(Number(readFileSync(monitorPidFile, 'utf8')));
  const held = report.move();
  return {
    pid,
    ...(monitor && { monitor }),
    exitCode: reports.next().then(async (last) => {
      // Its last word is the code. If it became our child meanwhile, nobody else takes away what is left of it.
      if (monitor) await processEnded(monitor, AbortSignal.timeout(longestLeaveMs)).then(() => reap(monitor));
      return last.data;
    }),
    [Symbol.asyncDispose]: () => Promise.resolve(held.dispose()),
  };
}

/** `workingDirectory` is where conmon drops what it gives no path, its mark of an OOM among it. */
function startMonitor(
  { conmon, runc, runcRoot }: MonitorSettings,
  workingDirectory: string,
  args: readonly string[],
  handedOver: { readonly [childFd: number]: number } = {},
  environment: { readonly [name: string]: string } = {},
): Reports {
  const [ours, theirs] = pipe();
  const reports = new Reports(ours);
  try {
    const common = ['--api-version=1', `--runtime=${runc}`, '--full-attach', '--log-level=error'];
    const toRunc = `--runtime-arg=${rootArgument(runcRoot)}`;
    const child = spawn({
      file: conmon,
      args: [...common, toRunc, ...args],
      environment: { ...runcEnvironment, ...environment, _OCI_SYNCPIPE: '3' },
      descriptors: { 3: theirs, ...handedOver },
      workingDirectory,
      isSessionLeader: true,
    });
    // The first process only forks the monitor and ends; what counts comes on the pipe.
    child.exited.catch((error: unknown) => reports.fail(error));
    return reports;
  } catch (error) {
    reports[Symbol.dispose]();
    throw error;
  } finally {
    closeSync(theirs);
    for (const fd of Object.values(handedOver)) closeSync(fd);
  }
}

/** How runc is told where its records are; also what tells our monitors from others. */
export function rootArgument(runcRoot: string): string {
  return `--root=${runcRoot}`;
}

interface Report {
  readonly data: number;
  readonly message?: string;
}

/** Lines of JSON from one of conmon's pipes. */
class Reports implements Disposable {
  readonly #socket: Socket;
  readonly #lines: Interface;
  readonly #iterator: AsyncIterator<string>;
  #failure: unknown;

  constructor(fd: number) {
    this.#socket = new Socket({ fd, readable: true, writable: false });
    this.#lines = createInterface({ input: this.#socket, crlfDelay: Infinity });
    this.#iterator = this.#lines[Symbol.asyncIterator]();
  }

  async next(): Promise<Report> {
    const line = await this.#iterator.next();
    if (line.done) throw new DabbaError('Unavailable', 'conmon ended without a report', { cause: this.#failure });
    return JSON.parse(line.value) as Report;
  }

  /** The pid of a new process, or throws `FailedPrecondition` with runc's own words. */
  async pid(): Promise<number> {
    const { data, message } = await this.next();
    if (data <= 0) throw new DabbaError('FailedPrecondition', runcMessage(message ?? '') || `runc failed with ${data}`);
    return data;
  }

  fail(error: unknown): void {
    this.#failure = error;
    this.#socket.destroy();
  }

  [Symbol.dispose](): void {
    this.#lines.close();
    this.#socket.destroy();
  }
}

/** The errors in runc's standard error, taken out of its log lines (`time="…" level=error msg="…"`). */
export function runcMessage(text: string): string {
  const messages = [...text.matchAll(/level=(?:error|fatal) msg="((?:[^"\\]|\\.)*)"/g)].map(
    (match) => JSON.parse(`"${match[1]}"`) as string,
  );
  return (messages.length ? messages.join('; ') : text).trim();
}
