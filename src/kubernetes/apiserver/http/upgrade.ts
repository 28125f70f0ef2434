import { validateHeaderValue } from 'node:http';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { passedOnUpgrading } from '../passed-headers.ts';
import type { Exchange } from './exchange.ts';

export interface UpgradeTarget {
  /** Makes a connection to the other server, which ends with the client's. Throws what the client is told. */
  readonly dial: () => Promise<Duplex>;
  readonly path: string;
  readonly host: string;
  /** Beside those of the client. */
  readonly headers?: { readonly [name: string]: string | readonly string[] };
}

/** Writes a request that asks to leave HTTP anew to another server, whose answer, `101` or not, the client reads itself. Resolves when both connections have ended. */
export async function passUpgrade(exchange: Exchange, target: UpgradeTarget): Promise<void> {
  const { response, upgrade, signal } = exchange;
  const { socket, head } = upgrade!;
  const request = requestText(exchange, target);
  const wire = await target.dial();
  if (signal.aborted) return void wire.destroy();
  exchange.leave();
  response.detachSocket(socket as Parameters<typeof response.detachSocket>[0]);
  // Errors end both sides, and may come once more when that is done.
  wire.on('error', () => undefined);
  wire.write(request, 'latin1');
  if (head.length) wire.write(head);
  const end = () => {
    socket.destroy();
    wire.destroy();
  };
  signal.addEventListener('abort', end, { once: true });
  await Promise.allSettled([pipeline(socket, wire), pipeline(wire, socket)]);
  end();
}

/** Throws for a value that would not stay one: a name of a user may hold a line's end. */
function requestText({ request }: Exchange, { path, host, headers = {} }: UpgradeTarget): string {
  const all = Object.entries({ ...passedOnUpgrading(request.headersDistinct), ...headers, host });
  const lines = all.flatMap(([name, values]) =>
    [values].flat().map((value) => {
      validateHeaderValue(name, value);
      return `${name}: ${value}`;
    }),
  );
  return `${[`${request.method} ${path} HTTP/1.1`, ...lines].join('\r\n')}\r\n\r\n`;
}
