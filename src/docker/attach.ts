import type { Socket } from 'node:net';
import type { Duplex, Readable } from 'node:stream';
import { isDabbaError, systemCode } from '#base';
import type { Attachment } from '#engine';
import type { Exchange } from './exchange.ts';
import { DetachWatch } from './detach.ts';
import { frame, mediaType } from './frames.ts';
import { write } from './writable.ts';

/** The client's end of an attached process. */
export interface ClientStreams {
  readonly input: Readable;
  readonly output: Duplex | Exchange['response'];
}

/**
 * Takes over the connection: `101 UPGRADED` when the client asked for that, else `200` with the request's body as input. From here on bytes
 * are the process's own, and no error can be told any more but by closing.
 */
export function takeConnection({ request, response, upgrade }: Exchange, isTty: boolean): ClientStreams {
  const type = isTty ? mediaType.raw : mediaType.multiplexed;
  if (!upgrade) {
    response.writeHead(200, { 'content-type': type });
    response.flushHeaders();
    return { input: request, output: response };
  }
  response.detachSocket(upgrade as Socket); // an http server's sockets are net.Sockets
  upgrade.write(`HTTP/1.1 101 UPGRADED\r\nContent-Type: ${type}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`);
  return { input: upgrade, output: upgrade };
}

export interface RelayOptions {
  readonly isTty: boolean;
  /** Whether the client's bytes go to the process. */
  readonly hasInput: boolean;
  /** Keys by which a client of a terminal leaves; the process runs on. */
  readonly detachKeys?: readonly number[];
  /** Done before the client sees the end of the output: it asks for the exit code then. */
  readonly beforeEnd?: Promise<void>;
  /** The client has gone: nobody reads the output any more. */
  readonly signal: AbortSignal;
}

/** Carries bytes both ways until the process closes its output. The client closing its half ends the process's input, not its output. */
export async function relay(
  attachment: Attachment,
  { input, output }: ClientStreams,
  options: RelayOptions,
): Promise<void> {
  const onGone = () => void attachment[Symbol.asyncDispose]();
  options.signal.addEventListener('abort', onGone, { once: true });
  if (options.signal.aborted) onGone();
  // Its failure is looked at in the end; until then it must not count as unhandled.
  let hasLeft = false;
  const onDetach = () => {
    hasLeft = true;
    void attachment[Symbol.asyncDispose]();
  };
  const watch = options.isTty && options.detachKeys ? new DetachWatch(options.detachKeys) : undefined;
  const feeding = (options.hasInput ? feed(input, attachment, watch && { watch, onDetach }) : drain(input)).then(
    () => undefined,
    (error: unknown) => error,
  );
  for await (const { stream, data } of attachment.output)
    await write(output, options.isTty ? data : frame(stream, data));
  if (!hasLeft) await options.beforeEnd;
  output.end();
  input.destroy();
  const fault = await feeding;
  if (fault !== undefined && !isGone(fault)) throw fault;
}

async function feed(
  input: Readable,
  attachment: Attachment,
  detaching?: { readonly watch: DetachWatch; readonly onDetach: () => void },
): Promise<void> {
  for await (const data of halfOf(input)) {
    const { passed, isDetached } = detaching?.watch.read(data) ?? { passed: data, isDetached: false };
    await attachment.write(passed);
    if (isDetached) return detaching?.onDetach();
  }
  await attachment.closeInput();
}

/** Reads and drops, so that the client's end of stream is seen. */
async function drain(input: Readable): Promise<void> {
  for await (const _ of halfOf(input));
}

/** What the client sends, to its end. The iteration must not end the connection with it: output still goes the other way. */
const halfOf = (input: Readable) => input.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>; // no encoding is set

/** The other side went away first, or the process ended before it took all its input: both are ordinary ends. */
function isGone(error: unknown): boolean {
  if (isDabbaError(error)) return error.kind === 'FailedPrecondition' || error.kind === 'Conflict';
  const code = systemCode(error) ?? '';
  return ['ERR_STREAM_PREMATURE_CLOSE', 'ERR_STREAM_DESTROYED', 'ECONNRESET', 'EPIPE', 'ABORT_ERR'].includes(code);
}
