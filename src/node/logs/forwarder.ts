import { type Clock, type Logger, messageOf } from '#base';
import type { Containers } from '#engine';
import type { LogSink } from '../ports.ts';
import { batches } from './batches.ts';
import { PositionFile } from './position.ts';

export interface ForwarderOptions {
  readonly containers: Containers;
  readonly containerId: string;
  /** Opens the sink; called again after it failed. */
  readonly open: (signal: AbortSignal) => Promise<LogSink>;
  readonly positionPath: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** Pauses between attempts at a sink that fails. */
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 30_000;

/**
 * Delivers a container's output to its sink, from where the last delivery ended until the container has ended and all is delivered. A crash
 * between a delivery and the note of it repeats that one batch; nothing is ever left out.
 */
export async function forward(options: ForwarderOptions): Promise<void> {
  const { clock, logger, signal, containerId } = options;
  await using position = await PositionFile.open(options.positionPath);
  for (let pauseMs = FIRST_PAUSE_MS; !signal.aborted; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    try {
      return await deliver(options, position, () => (pauseMs = FIRST_PAUSE_MS));
    } catch (error) {
      if (signal.aborted) return;
      logger.warn('log delivery was interrupted', { containerId, error: messageOf(error) });
      await clock.sleep(pauseMs, signal).catch(() => undefined);
    }
  }
}

async function deliver(
  { containers, containerId, open, clock, signal }: ForwarderOptions,
  position: PositionFile,
  onDelivered: () => void,
): Promise<void> {
  const sink = await open(signal);
  try {
    const entries = containers.logs(containerId, {
      stdout: true,
      stderr: true,
      follow: true,
      fromPosition: position.value,
      signal,
    });
    for await (const { lines, nextPosition } of batches(entries, clock)) {
      await sink.write(lines, signal);
      if (nextPosition > position.value) await position.write(nextPosition);
      onDelivered();
    }
  } finally {
    await sink.close();
  }
}
