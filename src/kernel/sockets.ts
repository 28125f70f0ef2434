import { closeSync } from 'node:fs';
import { isIPv4 } from 'node:net';
import { DabbaError } from '#base';
import { check, errnoName, KernelError, lastErrorCode, libcFunction } from './libc.ts';
import type { NetworkNamespace } from './namespaces.ts';
import { watchDescriptor } from './readiness.ts';

const socketCall = libcFunction<(domain: number, type: number, protocol: number) => number>(
  'int socket(int domain, int type, int protocol)',
);
const setOption = libcFunction<(fd: number, level: number, name: number, value: Buffer, length: number) => number>(
  'int setsockopt(int fd, int level, int name, const void *value, unsigned int length)',
);
const bindCall = libcFunction<(fd: number, address: Buffer, length: number) => number>(
  'int bind(int fd, const void *address, unsigned int length)',
);
const getOption = libcFunction<(fd: number, level: number, name: number, value: Buffer, length: Buffer) => number>(
  'int getsockopt(int fd, int level, int name, void *value, void *length)',
);
const connectCall = libcFunction<(fd: number, address: Buffer, length: number) => number>(
  'int connect(int fd, const void *address, unsigned int length)',
);
const listenCall = libcFunction<(fd: number, backlog: number) => number>('int listen(int fd, int backlog)');

const AF_INET = 2;
const [SOCK_STREAM, SOCK_DGRAM, SOCK_NONBLOCK, SOCK_CLOEXEC] = [1, 2, 0x800, 0x80000] as const;
const [SOL_SOCKET, SO_REUSEADDR, SO_ERROR] = [1, 2, 4] as const;
const BACKLOG = 512;

/** An IPv4 address and port to serve at. */
export interface SocketAddress {
  readonly address: string;
  readonly port: number;
}

/** A listening TCP socket inside `namespace`, as a descriptor for `server.listen({ fd })`, which then owns it. */
export function listenTcp(namespace: NetworkNamespace, at: SocketAddress): number {
  const descriptor = boundSocket(namespace, SOCK_STREAM, at);
  try {
    check(listenCall(descriptor, BACKLOG), 'listen', `${at.address}:${at.port} in ${namespace.path}`);
    return descriptor;
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

/** A bound UDP socket inside `namespace`, as a descriptor for `dgram`'s `socket.bind({ fd })`, which then owns it. */
export function bindUdp(namespace: NetworkNamespace, at: SocketAddress): number {
  return boundSocket(namespace, SOCK_DGRAM, at);
}

/**
 * Connects from inside `namespace`, from its address `from` if one is given; the descriptor is for `new net.Socket({ fd })`, which then owns it. Throws `KernelError` (`ECONNREFUSED`, …); on abort the reason, and
 * nothing is left.
 */
export async function connectTcp(
  namespace: NetworkNamespace,
  { address, port, from }: SocketAddress & { readonly from?: string },
  signal: AbortSignal,
): Promise<number> {
  signal.throwIfAborted();
  const name = `${address}:${port}`;
  const bytes = socketAddress(address, port);
  const descriptor = namespace.run(() =>
    check(socketCall(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), 'socket', name),
  );
  try {
    if (from !== undefined) check(bindCall(descriptor, socketAddress(from, 0), bytes.length), 'bind', from);
    if (connectCall(descriptor, bytes, bytes.length) < 0) {
      const code = lastErrorCode();
      if (code !== 'EINPROGRESS') throw new KernelError('connect', code, name);
      await untilWritable(descriptor, signal);
      const [error, length] = [Buffer.alloc(4), Buffer.from([4, 0, 0, 0])];
      check(getOption(descriptor, SOL_SOCKET, SO_ERROR, error, length), 'getsockopt', name);
      const errno = error.readInt32LE();
      if (errno !== 0) throw new KernelError('connect', errnoName(errno), name);
    }
    return descriptor;
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

async function untilWritable(descriptor: number, signal: AbortSignal): Promise<void> {
  using watch = watchDescriptor(descriptor);
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason as Error);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await Promise.race([watch.writable(), aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

function boundSocket(namespace: NetworkNamespace, type: number, { address, port }: SocketAddress): number {
  const name = `${address}:${port} in ${namespace.path}`;
  const bytes = socketAddress(address, port);
  const descriptor = namespace.run(() =>
    check(socketCall(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), 'socket', name),
  );
  try {
    // For TCP it forgives connections still closing; for UDP it would let two sockets share the port.
    const reuse = Buffer.from([type === SOCK_STREAM ? 1 : 0, 0, 0, 0]);
    check(setOption(descriptor, SOL_SOCKET, SO_REUSEADDR, reuse, reuse.length), 'setsockopt', name);
    check(bindCall(descriptor, bytes, bytes.length), 'bind', name);
    return descriptor;
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

/** struct sockaddr_in. */
function socketAddress(address: string, port: number): Buffer {
  if (!isIPv4(address)) throw new DabbaError('InvalidArgument', `"${address}" is not an IPv4 address`);
  const bytes = Buffer.alloc(16);
  bytes.writeUInt16LE(AF_INET, 0);
  bytes.writeUInt16BE(port, 2);
  bytes.set(address.split('.').map(Number), 4);
  return bytes;
}
