import { chmod, rm } from 'node:fs/promises';
import type { Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import { DabbaError, systemCode } from '#base';

/** Serves on a unix socket until disposed; `whileListening` runs beside it and is aborted with it. */
export async function listenOnSocket(
  server: Server,
  socketPath: string,
  whileListening: (signal: AbortSignal) => void,
): Promise<AsyncDisposable> {
  await removeStaleSocket(socketPath);
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject).listen(socketPath, resolve);
  await promise;
  await chmod(socketPath, 0o660);
  const ending = new AbortController();
  whileListening(ending.signal);
  return {
    async [Symbol.asyncDispose]() {
      ending.abort();
      if (!server.listening) return;
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      for (const socket of sockets) socket.destroy();
      await closed.promise;
    },
  };
}

/** A socket file outlives a killed process; nobody answers there then. */
async function removeStaleSocket(path: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  const probe = connect(path, () => resolve(true));
  probe.once('error', (error) => {
    if (['ENOENT', 'ECONNREFUSED'].includes(systemCode(error) ?? '')) resolve(false);
    else reject(error);
  });
  const isServed = await promise.finally(() => probe.destroy());
  if (isServed) throw new DabbaError('FailedPrecondition', `another process serves the Docker API at ${path}`);
  await rm(path, { force: true });
}
