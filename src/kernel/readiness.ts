import { arch } from 'node:process';
import { check, libcFunction, libcFunctionAsync } from './libc.ts';

/**
 * Waiting for descriptors that Node cannot poll: pidfds and SEQPACKET sockets. libuv offers no such call, so one thread of its pool sleeps in
 * `epoll_wait` for all of them while any is watched; the reads and writes themselves stay on the calling thread and never block. Whoever
 * watches for long gives the pool one thread more (`UV_THREADPOOL_SIZE`). A worker thread would cost 12 MB for the same.
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
const nudgeToken = 0;
// struct epoll_event is packed on x86-64 alone (linux/eventpoll.h).
const [eventBytes, dataOffset] = arch === 'x64' ? [12, 4] : [16, 8];
const capacity = 64;

const epollCreate = libcFunction<(flags: number) => number>('int epoll_create1(int)');
const epollControl = libcFunction<(epoll: number, operation: number, fd: number, event: Buffer) => number>(
  'int epoll_ctl(int, int, int, void *)',
);
const eventfd = libcFunction<(count: number, flags: number) => number>('int eventfd(unsigned int, int)');
const eventfdWrite = libcFunction<(fd: number, value: number) => number>('int eventfd_write(int, uint64_t)');
const eventfdRead = libcFunction<(fd: number, value: Buffer) => number>('int eventfd_read(int, void *)');
const epollWait = libcFunctionAsync<[epoll: number, events: Buffer, capacity: number, timeoutMs: number]>(
  'int epoll_wait(int, void *, int, int)',
);

let poller: Poller | undefined;

/** Watches `fd` until disposed. An open watch keeps the process alive. */
export function watchDescriptor(fd: number): DescriptorWatch {
  poller ??= new Poller();
  return poller.watch(fd);
}

class Poller {
  readonly #epollFd = check(epollCreate(closeOnExec), 'epoll_create1', 'poller');
  /** Written to end a sleep that nobody needs any more. */
  readonly #nudgeFd = check(eventfd(0, closeOnExec), 'eventfd', 'poller');
  readonly #watches = new Map<number, Watch>();
  readonly #events = Buffer.alloc(eventBytes * capacity);
  #isAsleep = false;
  #nextToken = nudgeToken + 1;

  constructor() {
    this.control(addDescriptor, this.#nudgeFd, eventIn, nudgeToken);
    // libuv joins its threads when the process exits, and this one sleeps in the kernel: without a nudge the process would never end.
    process.once('exit', () => eventfdWrite(this.#nudgeFd, 1));
  }

  watch(fd: number): Watch {
    const token = this.#nextToken++;
    this.control(addDescriptor, fd, eventOneShot, token);
    const watch = new Watch(this, fd, token);
    this.#watches.set(token, watch);
    this.#sleep();
    return watch;
  }

  forget(fd: number, token: number): void {
    this.control(removeDescriptor, fd, 0, token);
    this.#watches.delete(token);
    // A sleep keeps the process alive, so none goes on without a watch.
    if (this.#watches.size === 0 && this.#isAsleep) eventfdWrite(this.#nudgeFd, 1);
  }

  control(operation: number, fd: number, events: number, token: number): void {
    const event = Buffer.alloc(16);
    event.writeUInt32LE(events >>> 0, 0);
    event.writeUInt32LE(token, dataOffset);
    check(epollControl(this.#epollFd, operation, fd, event), 'epoll_ctl', `descriptor ${fd}`);
  }

  #sleep(): void {
    if (this.#isAsleep || this.#watches.size === 0) return;
    this.#isAsleep = true;
    epollWait(this.#epollFd, this.#events, capacity, -1, (error, count) => {
      this.#isAsleep = false;
      if (error) throw error;
      // A negative count is EINTR: the wait is simply repeated. The next sleep overwrites the events, so they are read first.
      const ready = Array.from({ length: Math.max(count, 0) }, (_, index) => this.#event(index));
      if (ready.some(({ token }) => token === nudgeToken)) eventfdRead(this.#nudgeFd, Buffer.alloc(8));
      this.#sleep();
      for (const { token, events } of ready) this.#watches.get(token)?.wake(events);
    });
  }

  #event(index: number): { readonly token: number; readonly events: number } {
    const offset = index * eventBytes;
    return { token: this.#events.readUInt32LE(offset + dataOffset), events: this.#events.readUInt32LE(offset) };
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
