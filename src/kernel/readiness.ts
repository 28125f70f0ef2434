import { arch } from 'node:process';
import { Worker } from 'node:worker_threads';
import { check, libcFunction } from './libc.ts';

/**
 * Waiting for descriptors that Node cannot poll: pidfds and SEQPACKET sockets. libuv offers no such call, and koffi's asynchronous calls
 * would hold one thread of its small pool each. So one thread of ours sleeps in `epoll_wait` for all of them; the reads and writes
 * themselves stay on the calling thread and never block.
 */

/** Resolves waits for one descriptor. The descriptor itself stays its owner's, who closes the watch first. */
export interface DescriptorWatch extends Disposable {
  /** Resolves when a read would not block, which includes end of input and a dead peer. */
  readable(): Promise<void>;
  /** Resolves when a write would not block. */
  writable(): Promise<void>;
}

const [addDescriptor, removeDescriptor, modifyDescriptor] = [1, 2, 3] as const;
const [eventIn, eventOut, eventError, eventHangUp, eventOneShot] = [1, 4, 8, 16, 1 << 30] as const;
const closeOnExec = 0o2000000;
const stopToken = 0;

const epollCreate = libcFunction<(flags: number) => number>('int epoll_create1(int)');
const epollControl = libcFunction<(epoll: number, operation: number, fd: number, event: Buffer) => number>(
  'int epoll_ctl(int, int, int, void *)',
);
const eventfd = libcFunction<(count: number, flags: number) => number>('int eventfd(unsigned int, int)');
const eventfdWrite = libcFunction<(fd: number, value: number) => number>('int eventfd_write(int, uint64_t)');

let poller: Poller | undefined;

/** Watches `fd` until disposed. An open watch keeps the process alive. */
export function watchDescriptor(fd: number): DescriptorWatch {
  poller ??= new Poller();
  return poller.watch(fd);
}

class Poller {
  readonly #epollFd = check(epollCreate(closeOnExec), 'epoll_create1', 'poller');
  readonly #stopFd = check(eventfd(0, closeOnExec), 'eventfd', 'poller');
  readonly #watches = new Map<number, Watch>();
  readonly #worker: Worker;
  #nextToken = stopToken + 1;

  constructor() {
    this.control(addDescriptor, this.#stopFd, eventIn, stopToken);
    this.#worker = new Worker(new URL('./readiness.worker.mjs', import.meta.url), {
      name: 'readiness',
      workerData: { epollFd: this.#epollFd, stopToken },
      resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 4 },
    });
    this.#worker.unref();
    this.#worker.on('message', (ready: readonly number[]) => this.#wake(ready));
    // Node joins every worker when it exits, and this one sleeps in the kernel: without a nudge the process would never end.
    process.once('exit', () => eventfdWrite(this.#stopFd, 1));
  }

  watch(fd: number): Watch {
    const token = this.#nextToken++;
    this.control(addDescriptor, fd, eventOneShot, token);
    const watch = new Watch(this, fd, token);
    this.#watches.set(token, watch);
    if (this.#watches.size === 1) this.#worker.ref();
    return watch;
  }

  forget(fd: number, token: number): void {
    this.control(removeDescriptor, fd, 0, token);
    this.#watches.delete(token);
    if (this.#watches.size === 0) this.#worker.unref();
  }

  control(operation: number, fd: number, events: number, token: number): void {
    const event = Buffer.alloc(16);
    event.writeUInt32LE(events >>> 0, 0);
    event.writeUInt32LE(token, arch === 'x64' ? 4 : 8);
    check(epollControl(this.#epollFd, operation, fd, event), 'epoll_ctl', `descriptor ${fd}`);
  }

  #wake(ready: readonly number[]): void {
    for (let index = 0; index < ready.length; index += 2) this.#watches.get(ready[index]!)?.wake(ready[index + 1]!);
  }
}

class Watch implements DescriptorWatch {
  readonly #poller: Poller;
  readonly #fd: number;
  readonly #token: number;
  #readers: (() => void)[] = [];
  #writers: (() => void)[] = [];
  #isClosed = false;

  constructor(poller: Poller, fd: number, token: number) {
    this.#poller = poller;
    this.#fd = fd;
    this.#token = token;
  }

  readable(): Promise<void> {
    return this.#waitIn(this.#readers);
  }

  writable(): Promise<void> {
    return this.#waitIn(this.#writers);
  }

  #waitIn(waiting: (() => void)[]): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    waiting.push(resolve);
    this.#arm();
    return promise;
  }

  wake(events: number): void {
    const ended = (events & (eventError | eventHangUp)) !== 0;
    const woken: (() => void)[] = [];
    if (ended || events & eventIn) woken.push(...this.#readers.splice(0));
    if (ended || events & eventOut) woken.push(...this.#writers.splice(0));
    if (this.#readers.length || this.#writers.length) this.#arm();
    for (const resolve of woken) resolve();
  }

  #arm(): void {
    const wanted = (this.#readers.length ? eventIn : 0) | (this.#writers.length ? eventOut : 0);
    this.#poller.control(modifyDescriptor, this.#fd, wanted | eventOneShot, this.#token);
  }

  /** Wakes whoever still waits; their next read or write meets the closed descriptor's owner. */
  [Symbol.dispose](): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#poller.forget(this.#fd, this.#token);
    for (const resolve of [...this.#readers.splice(0), ...this.#writers.splice(0)]) resolve();
  }
}
