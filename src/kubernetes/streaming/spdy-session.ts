import type { Duplex } from 'node:stream';
import type { Status } from '../types.ts';
import { AsyncQueue } from './async-queue.ts';
import { parseSize, type RemoteSession, type StreamRequest, type TerminalSize } from './remote-command.ts';
import { SpdyConnection } from './spdy/connection.ts';
import type { SpdyStream } from './spdy/stream.ts';

/** Stream protocols of `exec` and `attach`, the best first (remotecommand.go, "StreamProtocolV4Name"). */
export const spdyCommandProtocols = [
  'v5.channel.k8s.io',
  'v4.channel.k8s.io',
  'v3.channel.k8s.io',
  'v2.channel.k8s.io',
  'channel.k8s.io',
] as const;

/** How long a client may take to begin the streams that it asked for, as upstream's `streamCreationTimeout`. */
const creationMs = 30_000;
const longestSizeBytes = 1024;

/** A session over SPDY: the client begins a stream for each of the things it asked for. Throws when they do not come. */
export async function spdySession(wire: Duplex, protocol: string, asked: StreamRequest): Promise<RemoteSession> {
  const wanted = new Set(['error', ...wantedStreams(protocol, asked)]);
  const streams = new Map<string, SpdyStream>();
  const { promise: complete, resolve, reject } = Promise.withResolvers<void>();
  const connection = new SpdyConnection(wire, {
    role: 'server',
    onStream(stream) {
      const kind = stream.headers.get('streamtype') ?? '';
      if (!wanted.has(kind) || streams.has(kind)) {
        stream.destroy();
        return;
      }
      streams.set(kind, stream);
      if (streams.size === wanted.size) resolve();
    },
  });
  void connection.closed.then(() => reject(new Error('the client left before it began its streams')));
  const onLate = () => reject(new Error('timed out waiting for client to create streams'));
  const late = AbortSignal.timeout(creationMs);
  late.addEventListener('abort', onLate, { once: true });
  try {
    await complete;
  } catch (error) {
    connection.destroy();
    throw error;
  } finally {
    late.removeEventListener('abort', onLate);
  }
  return sessionOver(connection, streams, protocol);
}

function wantedStreams(protocol: string, { stdin, stdout, stderr, tty }: StreamRequest): readonly string[] {
  const isOld = protocol === 'channel.k8s.io' || protocol === 'v2.channel.k8s.io';
  return [
    ...(stdin ? ['stdin'] : []),
    ...(stdout ? ['stdout'] : []),
    ...(stderr ? ['stderr'] : []),
    ...(tty && !isOld ? ['resize'] : []),
  ];
}

function sessionOver(
  connection: SpdyConnection,
  streams: ReadonlyMap<string, SpdyStream>,
  protocol: string,
): RemoteSession {
  const gone = new AbortController();
  void connection.closed.then(() => gone.abort());
  const sizes = new AsyncQueue<TerminalSize>();
  void followSizes(streams.get('resize'), sizes);
  return {
    stdin: bytesOf(streams.get('stdin')),
    sizes,
    gone: gone.signal,
    async write(kind, data) {
      const stream = streams.get(kind);
      if (stream) await written(stream, data);
    },
    async finish(status: Status) {
      const error = streams.get('error');
      if (error) await written(error, Buffer.from(statusText(status, protocol)));
      await Promise.all(Array.from(streams.values(), ended));
      connection.close();
    },
  };
}

/** Before the fourth version the error stream carried words, and nothing when all was well. */
function statusText(status: Status, protocol: string): string {
  const isStructured = protocol === 'v4.channel.k8s.io' || protocol === 'v5.channel.k8s.io';
  if (isStructured) return JSON.stringify(status);
  return status.status === 'Success' ? '' : (status.message ?? '');
}

/** Ends quietly when the client is gone. */
async function* bytesOf(stream: SpdyStream | undefined): AsyncGenerator<Buffer, void, undefined> {
  if (!stream) return;
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) yield chunk;
  } catch (error) {
    if (!stream.destroyed) throw error;
  }
}

async function followSizes(stream: SpdyStream | undefined, sizes: AsyncQueue<TerminalSize>): Promise<void> {
  let text = '';
  for await (const chunk of bytesOf(stream)) {
    text += chunk.toString();
    // One JSON object after the other, each flat.
    for (let end = text.indexOf('}'); end >= 0; end = text.indexOf('}')) {
      const size = parseSize(text.slice(0, end + 1));
      if (size) sizes.push(size);
      text = text.slice(end + 1);
    }
    if (text.length > longestSizeBytes) return void stream?.destroy();
  }
  sizes.end();
}

/** Resolves when the bytes were taken, or nobody takes any. */
function written(stream: SpdyStream, data: Buffer): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed || stream.writableEnded || data.length === 0) return resolve();
    stream.once('close', resolve);
    stream.write(data, () => {
      stream.off('close', resolve);
      resolve();
    });
  });
}

function ended(stream: SpdyStream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed) return resolve();
    stream.once('close', resolve);
    stream.end(resolve);
  });
}
