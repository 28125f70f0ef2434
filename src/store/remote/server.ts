import { rmSync } from 'node:fs';
import { type Server, type Socket, connect, createServer } from 'node:net';
import { DabbaError, type Logger, silentLogger, systemCode } from '#base';
import type { Store } from '../store.ts';
import type { Authorize } from './rights.ts';
import { Session } from './session.ts';

export type RemoteStoreServerOptions = {
  readonly store: Store;
  readonly authorize: Authorize;
  readonly logger?: Logger;
} & (
  | { /** A unix socket to listen at, for processes of our own user. */ readonly socketPath: string }
  | { /** A server that listens already (TLS, say); closed with us. */ readonly server: Server }
);

/**
 * Serves a store to other processes; resolves when it listens. Throws `FailedPrecondition` when somebody answers at the socket already.
 * Disposal ends every connection, and leaves the store open.
 */
export async function serveRemoteStore(options: RemoteStoreServerOptions): Promise<AsyncDisposable> {
  const { store, authorize, logger = silentLogger } = options;
  const sessions = new Set<Session>();
  const leaseOwners = new Map<string, string>();
  const onConnection = (socket: Socket) => {
    const session = new Session(socket, { store, authorize, logger, leaseOwners });
    sessions.add(session);
    socket.once('close', () => sessions.delete(session));
  };
  const server = 'server' in options ? options.server : await listen(options.socketPath);
  // A TLS server tells of connections that have shown their certificate.
  server.on('setSecureContext' in server ? 'secureConnection' : 'connection', onConnection);
  return {
    async [Symbol.asyncDispose]() {
      const { promise, resolve } = Promise.withResolvers<void>();
      server.close(() => resolve());
      for (const session of sessions) session.end();
      await promise;
    },
  };
}

async function listen(socketPath: string): Promise<Server> {
  await removeStale(socketPath);
  const server = createServer();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  // The mode has to be right from the first instant that the socket exists.
  const mask = process.umask(0o177);
  try {
    server.listen(socketPath, resolve);
  } finally {
    process.umask(mask);
  }
  await promise;
  server.off('error', reject);
  return server;
}

/** A socket that a killed process left behind is in the way of a new one; one that answers is somebody's. */
async function removeStale(socketPath: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const probe = connect(socketPath);
  probe.once('connect', () =>
    reject(new DabbaError('FailedPrecondition', `${socketPath} is served by another process`)),
  );
  probe.once('error', (error) =>
    systemCode(error) === 'ENOENT' || systemCode(error) === 'ECONNREFUSED' ? resolve() : reject(error),
  );
  try {
    await promise;
    rmSync(socketPath, { force: true });
  } finally {
    probe.destroy();
  }
}
