import { type IncomingMessage, request } from 'node:http';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { messageOf } from '#base';
import { StatusError } from '../../status.ts';
import { passedOnUpgrading } from '../passed-headers.ts';
import type { Exchange } from './exchange.ts';
import { passBack } from './pass-back.ts';

/** Who agrees to leave HTTP says so at once; and a client that waits is not read from, so that nobody hears of its end. */
const ANSWER_MS = 30_000;

export interface UpgradeTarget {
  /** Makes a connection to the other server, which ends with the client's. Throws what the client is told. */
  readonly dial: () => Promise<Duplex>;
  readonly path: string;
  readonly host: string;
  /** Beside those of the client. */
  readonly headers?: { readonly [name: string]: string | readonly string[] };
}

interface Answer {
  readonly message: IncomingMessage;
  /** What came behind the answer of a server that leaves HTTP; undefined of one that does not. */
  readonly head: Buffer | undefined;
}

/**
 * Passes a request that asks to leave HTTP on to another server. The connections are joined when that one agrees, and not before: until then it takes whatever it reads for requests
 * of ours (CVE-2018-1002105). Resolves when both connections have ended, or when another answer has been given. Throws what the client is told.
 */
export async function passUpgrade(exchange: Exchange, target: UpgradeTarget): Promise<void> {
  const wire = await target.dial();
  try {
    exchange.leave();
    const { message, head } = await ask(exchange, wire, target);
    await (head ? join(exchange, wire, { message, head }) : passBack(exchange, message));
  } finally {
    wire.destroy();
  }
}

async function ask(exchange: Exchange, wire: Duplex, { path, host, headers }: UpgradeTarget): Promise<Answer> {
  const { method = 'GET', headersDistinct } = exchange.request;
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const forwarded = request({
    method,
    path,
    headers: { ...passedOnUpgrading(headersDistinct), ...headers, host },
    // Its errors may come also when everything is over.
    createConnection: () => wire.on('error', reject),
    signal: exchange.signal,
  });
  const late = AbortSignal.timeout(ANSWER_MS);
  late.addEventListener('abort', () => reject(late.reason), { once: true });
  forwarded.on('upgrade', (message, _wire, head) => resolve({ message, head }));
  forwarded.on('response', (message) => resolve({ message, head: undefined }));
  forwarded.on('error', reject).end();
  return await promise.catch((error: unknown) => {
    throw new StatusError('ServiceUnavailable', `error dialing backend: ${messageOf(error)}`, { cause: error });
  });
}

/** The answer goes to the client as it came. */
async function join(
  { response, upgrade, signal }: Exchange,
  wire: Duplex,
  { message, head }: { readonly message: IncomingMessage; readonly head: Buffer },
): Promise<void> {
  const { socket, head: sent } = upgrade!;
  response.statusCode = message.statusCode!;
  response.detachSocket(socket as Parameters<typeof response.detachSocket>[0]);
  const end = () => {
    socket.destroy();
    wire.destroy();
  };
  signal.addEventListener('abort', end, { once: true });
  socket.write(headOf(message), 'latin1');
  if (head.length) socket.write(head);
  if (sent.length) wire.write(sent);
  await Promise.allSettled([pipeline(socket, wire), pipeline(wire, socket)]);
  end();
}

function headOf({ statusCode, statusMessage, rawHeaders }: IncomingMessage): string {
  const lines = rawHeaders.flatMap((name, index) => (index % 2 ? [] : `${name}: ${rawHeaders[index + 1]}`));
  return `${[`HTTP/1.1 ${statusCode} ${statusMessage}`, ...lines].join('\r\n')}\r\n\r\n`;
}
