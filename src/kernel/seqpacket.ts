import { closeSync } from 'node:fs';
import { DabbaError } from '#base';
import { KernelError, check, lastErrorCode, libcFunction } from './libc.ts';
import { watchDescriptor, type DescriptorWatch } from './readiness.ts';

/** A connected AF_UNIX SOCK_SEQPACKET socket, which `node:net` cannot open. Packets keep their borders. */
export interface SeqpacketConnection extends Disposable {
  /** Packets until the peer closes or the connection is disposed; one is read only when asked for, so a slow reader slows the peer. For one reader. */
  packets(): AsyncIterable<Buffer>;
  /** Sends one packet; resolves when the kernel took it. */
  send(packet: Uint8Array): Promise<void>;
  /** End of our direction; the peer reads an empty packet. */
  shutdownSend(): void;
}

const openSocket =
  libcFunction<(family: number, type: number, protocol: number) => number>('int socket(int, int, int)');
const connectTo = libcFunction<(fd: number, address: Buffer, length: number) => number>(
  'int connect(int, const void *, int)',
);
const receive = libcFunction<(fd: number, buffer: Buffer, length: number, flags: number) => number>(
  'long recv(int, void *, unsigned long, int)',
);
const sendTo = libcFunction<(fd: number, buffer: Uint8Array, length: number, flags: number) => number>(
  'long send(int, const void *, unsigned long, int)',
);
const shutdown = libcFunction<(fd: number, how: number) => number>('int shutdown(int, int)');

const familyUnix = 1;
const typeSeqpacket = 5 | 0o2000000 | 0o4000; // SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK
const [withoutWaiting, withoutSignal] = [0x40, 0x4000] as const;
const shutdownWrite = 1;
/** Longest path that fits `sun_path` with its final zero byte (unix(7)). */
export const longestSocketPath = 107;
const longestPacketBytes = 64 * 1024;

/** Connects at once or throws: `NotFound` when nobody listens there, `InvalidArgument` when the path is too long for a socket. */
export function connectSeqpacket(path: string): SeqpacketConnection {
  const pathBytes = Buffer.byteLength(path);
  if (pathBytes > longestSocketPath)
    throw new DabbaError(
      'InvalidArgument',
      `socket path "${path}" is ${pathBytes} bytes, more than ${longestSocketPath}`,
    );
  const address = Buffer.alloc(2 + longestSocketPath + 1);
  address.writeUInt16LE(familyUnix, 0);
  address.write(path, 2);
  const fd = check(openSocket(familyUnix, typeSeqpacket, 0), 'socket', path);
  try {
    check(connectTo(fd, address, address.length), 'connect', path);
    return new Connection(fd, path);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

class Connection implements SeqpacketConnection {
  readonly #fd: number;
  readonly #path: string;
  readonly #watch: DescriptorWatch;
  #isClosed = false;

  constructor(fd: number, path: string) {
    this.#fd = fd;
    this.#path = path;
    this.#watch = watchDescriptor(fd);
  }

  async *packets(): AsyncGenerator<Buffer> {
    const buffer = Buffer.allocUnsafe(longestPacketBytes);
    while (!this.#isClosed) {
      const size = receive(this.#fd, buffer, buffer.length, withoutWaiting);
      if (size > 0) yield Buffer.from(buffer.subarray(0, size));
      else if (size === 0 || this.#failedFor('recv', ['ECONNRESET'])) return;
      else await this.#watch.readable();
    }
  }

  async send(packet: Uint8Array): Promise<void> {
    while (!this.#isClosed) {
      if (sendTo(this.#fd, packet, packet.length, withoutWaiting | withoutSignal) >= 0) return;
      if (this.#failedFor('send', [])) return;
      await this.#watch.writable();
    }
    throw new DabbaError('FailedPrecondition', `connection to ${this.#path} is closed`);
  }

  shutdownSend(): void {
    if (!this.#isClosed && shutdown(this.#fd, shutdownWrite) < 0) this.#failedFor('shutdown', ['ENOTCONN']);
  }

  /** False when the call would merely have blocked, true for an expected end, and throws for the rest. */
  #failedFor(syscall: string, expected: readonly string[]): boolean {
    const code = lastErrorCode();
    if (code === 'EAGAIN' || code === 'EWOULDBLOCK' || code === 'EINTR') return false;
    if (expected.includes(code)) return true;
    throw new KernelError(syscall, code, this.#path);
  }

  [Symbol.dispose](): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#watch[Symbol.dispose]();
    closeSync(this.#fd);
  }
}
