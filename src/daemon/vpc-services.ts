/**
 * What VPCs' addresses of AWS serve from the control plane: the APIs and the metadata of instances. The host carries connections here over a unix socket (`#aws/agent`, `vpcRelay`);
 * a first line of each says whose it is and what for, which nobody but the host can write.
 */
import { chmodSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { VpcCaller } from '#aws/agent';
import { dialSocket } from './socket-api.ts';

const MAX_LINE_BYTES = 512;
/** The host writes the line as it connects. */
const LINE_MS = 5000;

export type VpcService = 'aws' | 'metadata';

type Handler = (request: IncomingMessage, response: ServerResponse, caller: VpcCaller) => Promise<void>;

interface Opening {
  readonly service: VpcService;
  readonly caller: VpcCaller;
}

/** Serves at `path` to the host alone. A socket file left by a dead process is replaced. */
export async function serveVpcServices(
  path: string,
  services: { readonly [Name in VpcService]: Handler },
): Promise<AsyncDisposable> {
  const openings = new WeakMap<Socket, Opening>();
  const server = createServer({ keepAliveTimeout: 75_000 }, (request, response) => {
    const opening = openings.get(request.socket);
    if (opening) void services[opening.service](request, response, opening.caller);
    else request.destroy();
  });
  const open = new Set<Socket>();
  // The server's own listener takes a connection once its first line is read: only so do its timeouts hold.
  const [serve] = server.listeners('connection');
  server.removeAllListeners('connection').on('connection', (socket: Socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    socket.on('error', () => socket.destroy());
    readOpening(socket, (opening) => {
      openings.set(socket, opening);
      serve!.call(server, socket);
    });
  });
  rmSync(path, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  chmodSync(path, 0o600);
  return {
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}

/** A connection to a service at `path` that speaks for `caller`. Throws `Unavailable`. */
export async function dialVpcService(path: string, { service, caller }: Opening, signal: AbortSignal): Promise<Socket> {
  const socket = await dialSocket(path, signal);
  socket.write(`${service} ${caller.vpcId} ${caller.address}\n`);
  return socket;
}

/** Reads the first line and leaves the socket as if it had begun after it. */
function readOpening(socket: Socket, onOpening: (opening: Opening) => void): void {
  let seen = Buffer.alloc(0);
  socket.setTimeout(LINE_MS, () => socket.destroy());
  const onData = (chunk: Buffer) => {
    seen = Buffer.concat([seen, chunk]);
    const end = seen.indexOf('\n');
    if (end < 0 && seen.length <= MAX_LINE_BYTES) return;
    socket.off('data', onData);
    socket.pause();
    socket.setTimeout(0);
    const opening = end < 0 ? undefined : parseOpening(seen.toString('utf8', 0, end));
    if (opening) {
      if (end + 1 < seen.length) socket.unshift(seen.subarray(end + 1));
      onOpening(opening);
      socket.resume();
    } else socket.destroy();
  };
  socket.on('data', onData);
}

/** Undefined for anything but what `dialVpcService` writes. */
function parseOpening(line: string): Opening | undefined {
  const [, service, vpcId, address] = /^(aws|metadata) (vpc-[\w-]+) ([\d.]+)$/.exec(line) ?? [];
  if (!service || !vpcId || !address) return undefined;
  return { service: service as VpcService, caller: { vpcId, address } }; // one of the two that match
}
