import { isDabbaError, messageOf } from '#base';
import type { Attachment, Container } from '#engine';
import { identifyProcess, signalProcess } from '#kernel';
import { StatusError } from '../../status.ts';
import {
  exitStatus,
  failureStatus,
  type RemoteSession,
  type StreamRequest,
  streamRequest,
  type TerminalSize,
} from '../../streaming/remote-command.ts';
import { acceptSpdy, chooseStreamProtocol } from '../../streaming/spdy-upgrade.ts';
import { spdyCommandProtocols, spdySession } from '../../streaming/spdy-session.ts';
import {
  acceptWebSocket,
  chooseProtocol,
  commandProtocols,
  webSocketSession,
} from '../../streaming/websocket-session.ts';
import type { Kubelet } from '../kubelet.ts';
import type { PodRun } from '../pod/run.ts';
import { findRunning } from './containers.ts';
import type { Route, Upgrade } from './route.ts';

const killSignal = 9;

/** `exec` and `attach`: a command inside a container, or the container's own process, with its streams carried to the client. */
export function commandRoutes(kubelet: Kubelet): readonly Route[] {
  return [
    {
      kind: 'upgrade',
      path: /^\/exec\/([^/]+)\/([^/]+)\/([^/]+)$/,
      handle: async (upgrade) => {
        const { found, running } = await findRunning(kubelet, nameOf(upgrade));
        const command = upgrade.query.getAll('command');
        if (!command.length) throw new StatusError('BadRequest', 'you must specify at least 1 command');
        const asked = streamRequest(upgrade.query);
        await execute(found.run, { running, command, asked, session: await accept(upgrade, asked) });
      },
    },
    {
      kind: 'upgrade',
      path: /^\/attach\/([^/]+)\/([^/]+)\/([^/]+)$/,
      handle: async (upgrade) => {
        const { found, running } = await findRunning(kubelet, nameOf(upgrade));
        const asked = streamRequest(upgrade.query);
        await attach(found.run, { running, asked, session: await accept(upgrade, asked) });
      },
    },
  ];
}

function nameOf({ parts: [namespace = '', pod = '', container = ''] }: Upgrade) {
  return { namespace, pod, container };
}

/** Takes over the connection in the protocol that the client prefers. Throws `BadRequest` when there is none that both speak. */
async function accept(upgrade: Upgrade, asked: StreamRequest): Promise<RemoteSession> {
  if (!asked.stdin && !asked.stdout && !asked.stderr)
    throw new StatusError('BadRequest', 'you must specify at least 1 of stdin, stdout, stderr');
  const wanted = upgrade.request.headers.upgrade?.toLowerCase();
  if (wanted === 'websocket') {
    const protocol = chooseProtocol(upgrade.request, commandProtocols);
    if (protocol === undefined) throw new StatusError('BadRequest', 'no subprotocol of the client is served');
    return webSocketSession(await acceptWebSocket(upgrade, protocol), asked, protocol);
  }
  const protocol = wanted === 'spdy/3.1' ? chooseStreamProtocol(upgrade.request, spdyCommandProtocols) : undefined;
  if (protocol === undefined) throw new StatusError('BadRequest', 'no protocol of the client is served');
  acceptSpdy(upgrade.socket, protocol);
  if (upgrade.head.length) upgrade.socket.unshift(upgrade.head);
  return await spdySession(upgrade.socket, protocol, asked);
}

interface Attaching {
  readonly running: Container;
  readonly asked: StreamRequest;
  readonly session: RemoteSession;
}

async function execute(
  { context: { engine } }: PodRun,
  { running, command, asked, session }: Attaching & { readonly command: readonly string[] },
): Promise<void> {
  let exec;
  try {
    exec = await engine.containers.exec(running.id, { args: command, isTty: asked.tty, stdin: asked.stdin });
  } catch (error) {
    if (!isDabbaError(error)) throw error;
    const message = `Internal error occurred: error executing command in container: ${messageOf(error)}`;
    return await session.finish(failureStatus(message));
  }
  await using attachment = exec.attachment;
  const process = identifyProcess(exec.pid);
  // Nobody would end a command whose client is gone.
  const onGone = () => void (process && signalProcess(process, killSignal));
  session.gone.addEventListener('abort', onGone, { once: true });
  const carried = carryInput(session, attachment, (size) => exec.resize(size));
  await carryOutput(session, attachment);
  const { exitCode } = await exec.wait(new AbortController().signal);
  await session.finish(exitStatus(exitCode));
  await carried;
}

async function attach({ context: { engine } }: PodRun, { running, asked, session }: Attaching): Promise<void> {
  const { stdin, stdout, stderr } = asked;
  // Output of a terminal is all stdout.
  await using attachment = await engine.containers.attach(running.id, { stdin, stdout, stderr });
  session.gone.addEventListener('abort', () => void attachment[Symbol.asyncDispose](), { once: true });
  const carried = carryInput(session, attachment, (size) => engine.containers.resize(running.id, size));
  await carryOutput(session, attachment);
  await session.finish(exitStatus(0));
  await carried;
}

async function carryOutput(session: RemoteSession, attachment: Attachment): Promise<void> {
  for await (const { stream, data } of attachment.output) await session.write(stream, data);
}

/** Carries input and sizes of the terminal; ends with the session. */
async function carryInput(
  session: RemoteSession,
  attachment: Attachment,
  resize: (size: TerminalSize) => Promise<void>,
): Promise<void> {
  const input = async () => {
    for await (const chunk of session.stdin) await attachment.write(chunk);
    await attachment.closeInput();
  };
  const sizes = async () => {
    for await (const size of session.sizes)
      await resize(size).catch((error: unknown) => {
        // A process that has just ended has no terminal.
        if (!isDabbaError(error, 'Conflict')) throw error;
      });
  };
  await Promise.all([input(), sizes()]);
}
