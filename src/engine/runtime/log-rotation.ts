import { watch } from 'node:fs';
import { constants } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { dirname, basename } from 'node:path';
import { systemCode } from '#base';
import type { LogLimits } from '../engine.ts';
import { LogFiles } from './log-files.ts';

/** What is rotated: the log and the fifo by which conmon takes orders. */
export interface RotatedLog {
  readonly path: string;
  readonly control: string;
  readonly limits: LogLimits & { readonly maxSizeBytes: number };
  readonly signal: AbortSignal;
  readonly onFailure: (error: unknown) => void;
}

/**
 * Puts a running container's log aside whenever it has grown to its limit: the file gets another name, then conmon is told to begin a new one
 * (control message 2), so no line is lost or cut. Disk may run ahead of the limit by what is written between two looks.
 */
export async function rotateLog({ path, control, limits, signal, onFailure }: RotatedLog): Promise<void> {
  const files = new LogFiles(path);
  const changes = new DirectoryChanges(path, signal);
  while (!signal.aborted) {
    try {
      const size = await sizeOf(path);
      // A name without a file: a rotation was cut off before conmon was told, by our death.
      if (size === undefined) await reopen(control);
      else if (size >= limits.maxSizeBytes) {
        await files.putAside();
        await reopen(control);
        while ((await sizeOf(path)) === undefined && !signal.aborted) await changes.next();
        await files.keep(limits.maxFiles ?? 1);
      }
    } catch (error) {
      if (isGone(error)) return; // conmon has ended, and with it the output
      onFailure(error);
    }
    await changes.next();
  }
}

/** Has conmon open its log anew. */
async function reopen(control: string): Promise<void> {
  await using fifo = await open(control, constants.O_WRONLY | constants.O_NONBLOCK);
  await fifo.write('2 0 0\n');
}

const isGone = (error: unknown) => ['ENOENT', 'ENXIO'].includes(systemCode(error) ?? '');

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Changes of one file, be it replaced. Those that come while nobody waits are remembered. */
class DirectoryChanges {
  #isDue = false;
  #wake: () => void = () => undefined;
  readonly #signal: AbortSignal;

  constructor(path: string, signal: AbortSignal) {
    this.#signal = signal;
    const notice = () => {
      this.#isDue = true;
      this.#wake();
    };
    const name = basename(path);
    watch(dirname(path), { signal, persistent: false }, (_, changed) => void (changed === name && notice()));
    signal.addEventListener('abort', notice, { once: true });
  }

  async next(): Promise<void> {
    if (!this.#isDue && !this.#signal.aborted) await new Promise<void>((resolve) => (this.#wake = resolve));
    this.#isDue = false;
  }
}
