/**
 * The body of the one thread that sleeps in `epoll_wait` for the whole process; see `readiness.ts`. It owns no descriptor. Plain JavaScript
 * and alone: it lives as long as the process, and a thread that strips types and loads more of ours costs 12 MB on top.
 */
import { arch } from 'node:process';
import { parentPort, workerData } from 'node:worker_threads';
import koffi from 'koffi';

const { epollFd, stopToken } = workerData;
const epollWait = koffi.load('libc.so.6').func('int epoll_wait(int, void *, int, int)');

// struct epoll_event is packed on x86-64 alone (linux/eventpoll.h).
const eventBytes = arch === 'x64' ? 12 : 16;
const dataOffset = arch === 'x64' ? 4 : 8;
const capacity = 64;
const events = Buffer.alloc(eventBytes * capacity);

for (let isRunning = true; isRunning;) {
  const count = epollWait(epollFd, events, capacity, -1);
  // A negative count is EINTR: the wait is simply repeated.
  const ready = [];
  for (let index = 0; index < count; index++) {
    const token = events.readUInt32LE(index * eventBytes + dataOffset);
    if (token === stopToken) isRunning = false;
    else ready.push(token, events.readUInt32LE(index * eventBytes));
  }
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker's port, not a window
  if (ready.length) parentPort.postMessage(ready);
}
