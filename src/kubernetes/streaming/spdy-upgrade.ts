import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

const header = 'x-stream-protocol-version';

/** The protocol of those a client offers in `X-Stream-Protocol-Version` that is spoken; the client's own order decides. */
export function chooseStreamProtocol(
  { headersDistinct }: IncomingMessage,
  known: readonly string[],
): string | undefined {
  const offered = (headersDistinct[header] ?? []).flatMap((line) => line.split(',')).map((each) => each.trim());
  // Clients before 1.0 said nothing, and meant the oldest.
  if (!offered.length) return known.at(-1);
  return offered.find((each) => known.includes(each));
}

/** Answers a request for SPDY. From then on the connection speaks frames. */
export function acceptSpdy(socket: Duplex, protocol: string): void {
  const lines = [
    'HTTP/1.1 101 Switching Protocols',
    'Connection: Upgrade',
    'Upgrade: SPDY/3.1',
    `X-Stream-Protocol-Version: ${protocol}`,
  ];
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
}
