import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { statSync, readFileSync } from 'node:fs';
import { connect, isIP, isIPv6 } from 'node:net';
import type { DnsTransport, ForwardQuery } from './resolver.ts';

const DNS_PORT = 53;
/** As the resolver library's own defaults: resolv.conf(5), `timeout` and the number of servers it reads. */
const SERVER_TIMEOUT_MS = 2_500;
const MAX_SERVERS = 3;
const MAX_QUERIES = 256;
const MAX_RESPONSE_BYTES = 65_535;

/**
 * Forwards to the machine's resolvers in turn, each with a time limit. At most 256 queries are under way at once; more are refused, so that
 * a sandbox which asks without end holds no more than that. An aborted signal ends them all.
 */
export function createForwarder(servers: () => readonly string[], signal: AbortSignal, port = DNS_PORT): ForwardQuery {
  let underWay = 0;
  return async (query, transport, _asker, instead) => {
    if (underWay >= MAX_QUERIES) return undefined;
    underWay++;
    try {
      for (const server of (instead ?? servers()).slice(0, MAX_SERVERS)) {
        const limit = AbortSignal.any([signal, AbortSignal.timeout(SERVER_TIMEOUT_MS)]);
        const response = await ask({ host: server, port }, query, transport, limit);
        if (response) return response;
        if (signal.aborted) return undefined;
      }
      return undefined;
    } finally {
      underWay--;
    }
  };
}

/** The addresses in a resolv.conf, read again when the file changes. */
export function resolvConfServers(path = '/etc/resolv.conf'): () => readonly string[] {
  let servers: readonly string[] = [];
  let readAt = -1;
  return () => {
    const changedAt = statSync(path, { throwIfNoEntry: false })?.mtimeMs;
    if (changedAt === undefined) return [];
    if (changedAt !== readAt) servers = nameserversIn(readFileSync(path, 'utf8'));
    readAt = changedAt;
    return servers;
  };
}

function nameserversIn(text: string): string[] {
  return [...text.matchAll(/^\s*nameserver\s+(\S+)/gm)].map((match) => match[1]!).filter((server) => isIP(server) > 0);
}

interface Server {
  readonly host: string;
  readonly port: number;
}

/** The query goes out under an id of our own: what a sandbox chose is no secret to it. Both the id and the sender must match. */
async function ask(
  server: Server,
  query: Buffer,
  transport: DnsTransport,
  signal: AbortSignal,
): Promise<Buffer | undefined> {
  const sent = Buffer.from(query);
  sent.writeUInt16BE(randomInt(0x10000), 0);
  const isAnswer = (response: Buffer) => response.length >= 12 && response.readUInt16BE(0) === sent.readUInt16BE(0);
  const response = await (transport === 'udp' ? askByUdp : askByTcp)(server, sent, isAnswer, signal);
  if (!response) return undefined;
  const answer = Buffer.from(response);
  answer.writeUInt16BE(query.readUInt16BE(0), 0);
  return answer;
}

type Ask = (
  server: Server,
  query: Buffer,
  isAnswer: (response: Buffer) => boolean,
  signal: AbortSignal,
) => Promise<Buffer | undefined>;

const askByUdp: Ask = (server, query, isAnswer, signal) => {
  const { promise, resolve } = Promise.withResolvers<Buffer | undefined>();
  const socket = createSocket(isIPv6(server.host) ? 'udp6' : 'udp4');
  let isOpen = true;
  const finish = (response?: Buffer) => {
    if (!isOpen) return;
    isOpen = false;
    signal.removeEventListener('abort', onAbort);
    socket.close();
    resolve(response);
  };
  const onAbort = () => finish();
  if (signal.aborted) return Promise.resolve(undefined);
  signal.addEventListener('abort', onAbort, { once: true });
  // An unreachable server counts as one that does not answer.
  socket.once('error', () => finish());
  socket.on('message', (message) => {
    if (isAnswer(message)) finish(message);
  });
  socket.connect(server.port, server.host, () => {
    if (isOpen) socket.send(query);
  });
  return promise;
};

const askByTcp: Ask = async (server, query, isAnswer, signal) => {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(query.length);
  const socket = connect({ ...server, signal });
  let received = Buffer.alloc(0);
  try {
    socket.write(Buffer.concat([length, query]));
    for await (const chunk of socket) {
      received = Buffer.concat([received, chunk as Buffer]);
      const expected = received.length < 2 ? MAX_RESPONSE_BYTES : received.readUInt16BE(0);
      if (received.length < 2 + expected) continue;
      const response = received.subarray(2, 2 + expected);
      return isAnswer(response) ? response : undefined;
    }
  } catch (error) {
    // Refused, reset or out of time: the next server is asked.
    if (!(error instanceof Error)) throw error;
  } finally {
    socket.destroy();
  }
  return undefined;
};
