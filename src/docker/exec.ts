import { DabbaError, isDabbaError, messageOf, type Clock, type Random } from '#base';
import type { Container, Exec, ExecCreate } from '#engine';
import type { Api } from './api.ts';
import { relay, takeConnection } from './attach.ts';
import { findContainer, terminalSize } from './containers.ts';
import { readDetachKeys } from './detach.ts';
import { frame } from './frames.ts';
import { readBody, sendJson, sendStatus, type Exchange } from './exchange.ts';

interface ExecSession {
  readonly id: string;
  readonly containerId: string;
  readonly request: ExecCreate;
  /** Streams the client attaches. */
  readonly isOutputAttached: boolean;
  /** Keys by which the client leaves it. */
  readonly detachKeys: readonly number[];
  exec?: Exec;
  isStarting: boolean;
  exitCode?: number;
  endedAt?: number;
}

const keepEndedMs = 5 * 60_000;
const keepAtMost = 10_000;

/** The execs clients have created. Docker's API makes one and starts it in two calls; the engine knows it from its start alone. */
export class ExecSessions {
  readonly #sessions = new Map<string, ExecSession>();
  readonly #clock: Clock;
  readonly #random: Random;

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  create(
    containerId: string,
    request: ExecCreate,
    client: Pick<ExecSession, 'isOutputAttached' | 'detachKeys'>,
  ): ExecSession {
    this.#forgetOld();
    const session = { id: this.#random.hex(64), containerId, request, ...client, isStarting: false };
    this.#sessions.set(session.id, session);
    return session;
  }

  find(id: string): ExecSession {
    const session = this.#sessions.get(id);
    if (!session) throw new DabbaError('NotFound', `No such exec instance: ${id}`);
    return session;
  }

  /** Remembers how it ended. */
  async follow(session: ExecSession, exec: Exec): Promise<void> {
    const { exitCode } = await exec.wait(new AbortController().signal);
    this.end(session, exitCode);
  }

  end(session: ExecSession, exitCode: number): void {
    session.exitCode = exitCode;
    session.endedAt = this.#clock.now();
  }

  #forgetOld(): void {
    const now = this.#clock.now();
    for (const [id, { endedAt }] of this.#sessions) {
      const isOld = endedAt !== undefined && endedAt < now - keepEndedMs;
      if (isOld || this.#sessions.size > keepAtMost) this.#sessions.delete(id);
    }
  }
}

/** POST /containers/{id}/exec. */
export async function createExec(api: Api, exchange: Exchange): Promise<void> {
  const container = await findContainer(api, exchange);
  const body = await readBody(exchange);
  const args = body.texts('Cmd') ?? [];
  if (args.length === 0) throw new DabbaError('InvalidArgument', 'No exec command specified');
  assertRunning(container, container.id);
  const workingDirectory = body.word('WorkingDir');
  const user = body.word('User');
  const session = api.execs.create(
    container.id,
    {
      args,
      environment: body.texts('Env') ?? [],
      isTty: body.flag('Tty'),
      isPrivileged: body.flag('Privileged'),
      stdin: body.flag('AttachStdin'),
      ...(workingDirectory === undefined ? {} : { workingDirectory }),
      ...(user === undefined ? {} : { user }),
    },
    {
      isOutputAttached: body.flag('AttachStdout') || body.flag('AttachStderr'),
      detachKeys: readDetachKeys(body.text('DetachKeys') ?? ''),
    },
  );
  sendJson(exchange, 201, { Id: session.id });
}

/** POST /exec/{id}/start. Attached unless the body says `Detach`. */
export async function startExec(api: Api, exchange: Exchange): Promise<void> {
  const session = api.execs.find(exchange.params['id']!);
  const body = await readBody(exchange);
  if (session.isStarting) throw new DabbaError('Conflict', `exec ${session.id} has already been started`);
  assertRunning(await api.engine.containers.find(session.containerId), session.containerId);
  session.isStarting = true;
  if (body.flag('Detach')) {
    const { exec, following } = await begin(api, session, true);
    api.keep(followDetached(following, exec));
    return sendStatus(exchange, 200);
  }
  const isTty = session.request.isTty ?? false;
  // The answer first, as Docker has it: some clients lose what comes in one piece with it.
  const { input, output } = takeConnection(exchange, isTty);
  let begun: Begun;
  try {
    begun = await begin(api, session, false);
  } catch (error) {
    // An attached client is told in its output, and takes the exit code from the exec.
    const text = Buffer.from(`${messageOf(error)}\r\n`);
    output.end(isTty ? text : frame('stderr', text));
    if (isDabbaError(error)) return;
    throw error;
  }
  await using attachment = begun.exec.attachment;
  await relay(
    attachment,
    { input, output },
    {
      isTty,
      hasInput: session.request.stdin,
      detachKeys: session.detachKeys,
      beforeEnd: begun.following,
      signal: exchange.signal,
    },
  );
}

interface Begun {
  readonly exec: Exec;
  /** Resolves when its end is known. */
  readonly following: Promise<void>;
}

async function begin(api: Api, session: ExecSession, isDetached: boolean): Promise<Begun> {
  let exec: Exec;
  try {
    exec = await api.engine.containers.exec(session.containerId, { ...session.request, isDetached });
  } catch (error) {
    api.execs.end(session, failedStartCode(error));
    throw error;
  }
  session.exec = exec;
  const following = api.execs.follow(session, exec);
  // Awaited when the output has ended; until then a failure is no unhandled one.
  following.catch(() => undefined);
  return { exec, following };
}

function assertRunning(container: Container | undefined, id: string): void {
  if (!container) throw new DabbaError('NotFound', `No such container: ${id}`);
  if (container.state.status === 'paused')
    throw new DabbaError('Conflict', `Container ${container.name} is paused, unpause the container before exec`);
  if (container.state.status !== 'running')
    throw new DabbaError('Conflict', `container ${container.id} is not running`);
}

/** 127 when there is no such program, else 126, as a shell says it. */
function failedStartCode(error: unknown): number {
  return isDabbaError(error) && /executable file not found|no such file or directory/i.test(error.message) ? 127 : 126;
}

async function followDetached(following: Promise<void>, { attachment }: Exec): Promise<void> {
  await using _held = attachment;
  await following;
}

/** POST /exec/{id}/resize. */
export async function resizeExec(api: Api, exchange: Exchange): Promise<void> {
  const { exec, id } = api.execs.find(exchange.params['id']!);
  if (!exec) throw new DabbaError('Conflict', `exec ${id} is not running`);
  await exec.resize(terminalSize(exchange));
  sendStatus(exchange, 200);
}

/** GET /exec/{id}/json. */
export function inspectExec(api: Api, exchange: Exchange): void {
  const { id, containerId, request, exec, exitCode, isOutputAttached } = api.execs.find(exchange.params['id']!);
  sendJson(exchange, 200, {
    ID: id,
    Running: exec !== undefined && exitCode === undefined,
    ExitCode: exitCode ?? null,
    ProcessConfig: {
      tty: request.isTty ?? false,
      entrypoint: request.args[0],
      arguments: request.args.slice(1),
      privileged: request.isPrivileged ?? false,
      ...(request.user === undefined ? {} : { user: request.user }),
    },
    OpenStdin: request.stdin,
    OpenStderr: isOutputAttached,
    OpenStdout: isOutputAttached,
    CanRemove: exitCode !== undefined,
    ContainerID: containerId,
    DetachKeys: '',
    Pid: exec?.pid ?? 0,
  });
}
