import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { DabbaError, isDabbaError, type Clock, type Logger } from '#base';
import { announcement, announcing } from './announcer.ts';
import { livingProcess } from './process-file.ts';
import type { Layout } from './settings.ts';
import { callSocket } from './socket-api.ts';

/** The host process as its control plane sees it: started when it is not there, started again when it dies. */
export interface HostSupervisor {
  /** Resolves when the host answers; throws `Unavailable` when it does not stay up. */
  ready(signal: AbortSignal): Promise<void>;
  /** Tells the host to end everything that runs and to leave. Resolves when it did. */
  takeDown(): Promise<void>;
  /** Stops looking after it; it goes on without us. */
  letGo(): void;
}

/** How often a host that is not our child is looked at; its end announces itself to its own parent alone. */
const LOOK_MS = 50;
/** A host that ends sooner than this did not start. */
const QUICK_END_MS = 5000;
/** libuv's four threads, and one that sleeps for descriptors (kernel/readiness.ts). */
const POOL_THREADS = 5;
const MIN_RESTART_DELAY_MS = 100;
const MAX_RESTART_DELAY_MS = 10_000;
/** So many quick ends before it was ever ready: the start has failed. */
const START_ATTEMPTS = 3;

/** Starts the host process, or adopts the one that outlived an earlier control plane. */
export function superviseHost(
  layout: Layout,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): HostSupervisor {
  const ended = new AbortController();
  /** Set once the host was asked to leave: its end is then no accident. */
  const leaving = new AbortController();
  const failed = new AbortController();

  const keepRunning = async () => {
    let quickEnds = 0;
    while (!ended.signal.aborted) {
      const startedAt = clock.now();
      const living = livingProcess(layout.hostPidFile);
      if (living) logger.info('adopted the host process', { pid: living.pid });
      const why = living ? await untilGone(layout, clock, ended.signal) : await untilExit(layout);
      if (ended.signal.aborted || leaving.signal.aborted) return;
      quickEnds = clock.now() - startedAt < QUICK_END_MS ? quickEnds + 1 : 0;
      if (quickEnds >= START_ATTEMPTS)
        failed.abort(
          new DabbaError('Unavailable', why || `the host process ended ${quickEnds} times as soon as it was started`),
        );
      logger.warn('the host process ended; starting it again', { quickEnds });
      await clock.sleep(Math.min(MIN_RESTART_DELAY_MS * 2 ** quickEnds, MAX_RESTART_DELAY_MS), ended.signal);
    }
  };
  void keepRunning().catch((error: unknown) => {
    if (!ended.signal.aborted) logger.error('host supervision failed', { error: String(error) });
  });

  return {
    async ready(until) {
      const signal = AbortSignal.any([until, failed.signal]);
      for (;;) {
        try {
          await callSocket(layout.hostSocket, 'GET /status', { signal });
          return;
        } catch (error) {
          failed.signal.throwIfAborted();
          // The host makes its socket when it is ready; a socket that is not there yet cannot be waited for.
          if (!isDabbaError(error, 'Unavailable')) throw error;
          await clock.sleep(10, signal);
        }
      }
    },
    async takeDown() {
      leaving.abort();
      try {
        await callSocket(layout.hostSocket, 'POST /down');
      } catch (error) {
        if (!isDabbaError(error, 'Unavailable')) throw error; // it is gone already
      }
      await untilGone(layout, clock, ended.signal);
    },
    letGo: () => ended.abort(),
  };
}

/** Starts the host in a session of its own, so that a signal to our group does not reach it, and waits for its end; resolves with why it could not start. */
async function untilExit(layout: Layout): Promise<string> {
  const child = spawn(process.execPath, [...process.execArgv, join(import.meta.dirname, 'host-main.ts'), layout.data], {
    detached: true,
    stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
    env: { ...process.env, ...announcing, UV_THREADPOOL_SIZE: String(POOL_THREADS) },
  });
  child.unref();
  const gone = new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', () => resolve());
  });
  const [{ said }] = await Promise.all([announcement(child.stdio[3] as Readable), gone]);
  return said.join('; ');
}

async function untilGone(layout: Layout, clock: Clock, signal: AbortSignal): Promise<void> {
  while (livingProcess(layout.hostPidFile)) await clock.sleep(LOOK_MS, signal);
}
