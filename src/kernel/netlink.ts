import { closeSync } from 'node:fs';
import { KernelError, check, errnoName, lastErrorCode, libcFunction } from './libc.ts';

/** A request: type, flags beyond REQUEST and ACK, the bytes behind the netlink header, and what it is about, for the error message. */
export interface NetlinkRequest {
  readonly type: number;
  readonly flags: number;
  readonly body: Buffer;
  readonly subject: string;
}

/** One message of a dump: its type and the bytes behind the netlink header. */
export interface NetlinkMessage {
  readonly type: number;
  readonly body: Buffer;
}

/** Whom a socket speaks to: links, addresses and routes, or nftables and connection tracking. */
export const NetlinkProtocol = { route: 0, netfilter: 12 } as const;

export const NetlinkFlag = { replace: 0x100, exclusive: 0x200, create: 0x400 } as const;

const socketCall = libcFunction<(domain: number, type: number, protocol: number) => number>(
  'int socket(int domain, int type, int protocol)',
);
const setOption = libcFunction<(fd: number, level: number, name: number, value: Buffer, length: number) => number>(
  'int setsockopt(int fd, int level, int name, const void *value, unsigned int length)',
);
const sendCall = libcFunction<(fd: number, bytes: Buffer, length: number, flags: number) => number | bigint>(
  'long send(int fd, const void *bytes, unsigned long length, int flags)',
);
const receiveCall = libcFunction<(fd: number, bytes: Buffer, length: number, flags: number) => number | bigint>(
  'long recv(int fd, void *bytes, unsigned long length, int flags)',
);

// linux/netlink.h
const [AF_NETLINK, SOCK_RAW, SOCK_CLOEXEC] = [16, 3, 0x80000] as const;
const NLA_F_NESTED = 0x8000;
const [SOL_SOCKET, SO_RCVTIMEO, SOL_NETLINK, NETLINK_CAP_ACK, NETLINK_EXT_ACK] = [1, 20, 270, 10, 11] as const;
const [NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP] = [1, 4, 0x300] as const;
const [NLM_F_DUMP_INTR, NLM_F_ACK_TLVS] = [0x10, 0x200] as const;
const [NLMSG_ERROR, NLMSG_DONE] = [2, 3] as const;
const NLMSGERR_ATTR_MSG = 1;
const HEADER_BYTES = 16;
/** The kernel never fills more than 32 KiB of a dump at once. */
const RECEIVE_BYTES = 65_536;
/** The kernel answers within the send itself; a wait this long means that an answer was lost. */
const ANSWER_TIMEOUT_S = 10;
const DUMP_ATTEMPTS = 8;

/**
 * A netlink socket, to rtnetlink unless said otherwise, of the namespace it was opened in, for as long as it is open, wherever the thread goes. Synchronous: the kernel does
 * the work inside send(2) and the answers are there when it returns.
 */
export class NetlinkSocket implements Disposable {
  readonly #descriptor: number;
  readonly #buffer = Buffer.allocUnsafeSlow(RECEIVE_BYTES);
  #sequence = 0;
  #isOpen = true;

  /** Opens a socket in the calling thread's network namespace. */
  constructor(protocol: number = NetlinkProtocol.route) {
    this.#descriptor = check(socketCall(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol), 'socket', 'netlink');
    const timeout = Buffer.alloc(16);
    timeout.writeBigInt64LE(BigInt(ANSWER_TIMEOUT_S));
    this.#option(SOL_SOCKET, SO_RCVTIMEO, timeout);
    this.#option(SOL_NETLINK, NETLINK_CAP_ACK, uint32(1));
    this.#option(SOL_NETLINK, NETLINK_EXT_ACK, uint32(1));
  }

  /**
   * Sends requests in one write and awaits the answer to each. The kernel carries on past a failed request; the first failure is thrown
   * after all were answered, as `KernelError` with the errno and the kernel's own explanation.
   */
  execute(...requests: readonly NetlinkRequest[]): void {
    if (requests.length === 0) return;
    const first = this.#sequence + 1;
    this.#send(requests.map((request) => this.#encode(request, NLM_F_ACK)));
    let failure: KernelError | undefined;
    for (let awaited = requests.length; awaited > 0;)
      for (const message of this.#receive()) {
        const request = requests[message.sequence - first];
        if (message.type !== NLMSG_ERROR || !request) continue;
        awaited--;
        failure ??= failureOf(message, request);
      }
    if (failure) throw failure;
  }

  /** The one object a request asks for. Throws `KernelError`, e.g. `ENODEV`, when there is none. */
  get(request: NetlinkRequest): NetlinkMessage {
    const sequence = this.#sequence + 1;
    this.#send([this.#encode(request, NLM_F_ACK)]);
    let found: NetlinkMessage | undefined;
    for (;;)
      for (const message of this.#receive()) {
        if (message.sequence !== sequence) continue;
        if (message.type !== NLMSG_ERROR) found = { type: message.type, body: Buffer.from(message.body) };
        else if (found) return found;
        else throw failureOf(message, request) ?? new Error(`netlink ${request.subject}: no answer`);
      }
  }

  /** Every object of a kind, e.g. every link of the namespace. Starts again when the table changed under the dump. */
  dump(request: NetlinkRequest): NetlinkMessage[] {
    for (let attempt = 0; attempt < DUMP_ATTEMPTS; attempt++) {
      const messages = this.#dumpOnce(request);
      if (messages) return messages;
    }
    throw new KernelError('netlink', 'EINTR', request.subject);
  }

  #dumpOnce(request: NetlinkRequest): NetlinkMessage[] | undefined {
    const sequence = this.#sequence + 1;
    this.#send([this.#encode(request, NLM_F_DUMP)]);
    const found: NetlinkMessage[] = [];
    let isConsistent = true;
    for (;;)
      for (const message of this.#receive()) {
        if (message.sequence !== sequence) continue;
        if (message.flags & NLM_F_DUMP_INTR) isConsistent = false;
        if (message.type === NLMSG_DONE) return isConsistent ? found : undefined;
        if (message.type === NLMSG_ERROR) throw failureOf(message, request) ?? new Error('a dump ended in an ACK');
        found.push({ type: message.type, body: Buffer.from(message.body) });
      }
  }

  #encode({ type, flags, body }: NetlinkRequest, kind: number): Buffer {
    const header = Buffer.alloc(HEADER_BYTES);
    header.writeUInt32LE(HEADER_BYTES + body.length, 0);
    header.writeUInt16LE(type, 4);
    header.writeUInt16LE(NLM_F_REQUEST | kind | flags, 6);
    header.writeUInt32LE(++this.#sequence, 8);
    return Buffer.concat([header, body, Buffer.alloc(padding(body.length))]);
  }

  #send(messages: readonly Buffer[]): void {
    if (!this.#isOpen) throw new Error('the netlink socket was closed');
    const bytes = Buffer.concat(messages);
    check(Number(sendCall(this.#descriptor, bytes, bytes.length, 0)), 'send', 'netlink');
  }

  *#receive(): Generator<ReceivedMessage> {
    const received = this.#fill();
    for (let offset = 0; offset + HEADER_BYTES <= received;) {
      const length = this.#buffer.readUInt32LE(offset);
      yield {
        type: this.#buffer.readUInt16LE(offset + 4),
        flags: this.#buffer.readUInt16LE(offset + 6),
        sequence: this.#buffer.readUInt32LE(offset + 8),
        body: this.#buffer.subarray(offset + HEADER_BYTES, offset + length),
      };
      offset += length + padding(length);
    }
  }

  #fill(): number {
    for (;;) {
      const received = Number(receiveCall(this.#descriptor, this.#buffer, RECEIVE_BYTES, 0));
      if (received >= 0) return received;
      const code = lastErrorCode();
      if (code !== 'EINTR') throw new KernelError('recv', code, 'netlink');
    }
  }

  #option(level: number, name: number, value: Buffer): void {
    check(setOption(this.#descriptor, level, name, value, value.length), 'setsockopt', 'netlink');
  }

  [Symbol.dispose](): void {
    if (this.#isOpen) closeSync(this.#descriptor);
    this.#isOpen = false;
  }
}

interface ReceivedMessage extends NetlinkMessage {
  readonly flags: number;
  readonly sequence: number;
}

/** What an NLMSG_ERROR says of a request: nothing when it is an ACK. Capped, so attributes follow the errno and the bare header. */
function failureOf(message: ReceivedMessage, request: NetlinkRequest): KernelError | undefined {
  const errno = -message.body.readInt32LE(0);
  if (errno === 0) return undefined;
  const attributes =
    message.flags & NLM_F_ACK_TLVS ? readAttributes(message.body.subarray(4 + HEADER_BYTES)) : undefined;
  const explanation = attributes?.get(NLMSGERR_ATTR_MSG);
  const subject = explanation ? `${request.subject} (${readText(explanation)})` : request.subject;
  return new KernelError('netlink', errnoName(errno), subject);
}

/** One attribute: its type, then its value or nested attributes. */
export function attribute(type: number, ...values: readonly Buffer[]): Buffer {
  const length = 4 + values.reduce((sum, value) => sum + value.length, 0);
  const header = Buffer.alloc(4);
  header.writeUInt16LE(length, 0);
  header.writeUInt16LE(type, 2);
  return Buffer.concat([header, ...values, Buffer.alloc(padding(length))]);
}

/** An attribute whose value is attributes, marked as such. */
export function nested(type: number, ...attributes: readonly Buffer[]): Buffer {
  return attribute(type | NLA_F_NESTED, ...attributes);
}

/** The attributes in `bytes` by type; of a repeated one, the last. */
export function readAttributes(bytes: Buffer): Map<number, Buffer> {
  const attributes = new Map<number, Buffer>();
  for (let offset = 0; offset + 4 <= bytes.length;) {
    const length = bytes.readUInt16LE(offset);
    if (length < 4) break;
    attributes.set(bytes.readUInt16LE(offset + 2) & 0x3fff, bytes.subarray(offset + 4, offset + length));
    offset += length + padding(length);
  }
  return attributes;
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

export function text(value: string): Buffer {
  return Buffer.from(`${value}\0`);
}

export function readText(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString('utf8', 0, end < 0 ? bytes.length : end);
}

function padding(length: number): number {
  return -length & 3;
}
