/**
 * The AWS endpoint for what runs inside VPCs. The host carries connections here over a unix socket (`#aws/agent`, `vpcEndpointServer`); a first line of each says whose it is, which
 * nobody but the host can write.
 */
import { chmodSync, rmSync } from 'node:fs';
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer, type Socket } from 'node:net';
import type { VpcCaller } from '#aws/agent';
import { dialSocket } from './socket-api.ts';

const MAX_LINE_BYTES = 512;
/** The host writes the line as it connects. */
const LINE_MS = 5000;

type Handler = (request: IncomingMessage, response: ServerResponse, caller: VpcCaller) => Promise<void>;

/** Serves `handle` at `path` to the host alone. A socket file left by a dead process is replaced. */
export async function serveVpcEndpoint(path: string, handle: Handler): Promise<AsyncDisposable> {
  const callers = new WeakMap<Socket, VpcCaller>();
  const http = createHttpServer({ keepAliveTimeout: 75_000, requestTimeout: 0 }, (request, response) => {
    const caller = callers.get(request.socket);
    if (caller) void handle(request, response, caller);
    else request.destroy();
  });
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    socket.on('error', () => socket.destroy());
    readCaller(socket, (caller) => {
      callers.set(socket, caller);
      http.emit('connection', socket);
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

/** A connection to the endpoint at `path` that speaks for `caller`. Throws `Unavailable`. */
export async function dialVpcEndpoint(path: string, caller: VpcCaller, signal: AbortSignal): Promise<Socket> {
  const socket = await dialSocket(path, signal);
  socket.write(`${caller.vpcId} ${caller.address}\n`);
  return socket;
}

/** Reads the first line and leaves the socket as if it had begun after it. */
function readCaller(socket: Socket, onCaller: (caller: VpcCaller) => void): void {
  let seen = Buffer.alloc(0);
  socket.setTimeout(LINE_MS, () => socket.destroy());
  const onData = (chunk: Buffer) => {
    seen = Buffer.concat([seen, chunk]);
    const end = seen.indexOf('\n');
    if (end < 0 && seen.length <= MAX_LINE_BYTES) return;
    socket.off('data', onData);
    socket.pause();
    socket.setTimeout(0);
    const caller = end < 0 ? undefined : parseCaller(seen.toString('utf8', 0, end));
    if (caller) {
      if (end + 1 < seen.length) socket.unshift(seen.subarray(end + 1));
      onCaller(caller);
      socket.resume();
    } else socket.destroy();
  };
  socket.on('data', onData);
}

/** Undefined for anything but what `dialVpcEndpoint` writes. */
function parseCaller(line: string): VpcCaller | undefined {
  const [, vpcId, address] = /^(vpc-[\w-]+) ([\d.]+)$/.exec(line) ?? [];
  return vpcId && address ? { vpcId, address } : undefined;
}
