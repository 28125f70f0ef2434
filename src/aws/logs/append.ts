import type { Versioned } from '#store';
import type { LogGroup, LogsState, LogStream } from './records.ts';

const DAY_MS = 86_400_000;

export interface Appending {
  /** Of the stream, below the service's directory. */
  readonly path: string;
  readonly group: LogGroup;
  readonly stream: Versioned<LogStream>;
  /** In order of time, at least one. */
  readonly events: readonly { readonly timestamp: number; readonly message: string }[];
}

/** Keeps events of a stream, and lets go of those that the group keeps no longer. */
export async function appendEvents(
  { files, streams, clock }: Pick<LogsState, 'files' | 'streams' | 'clock'>,
  { path, group, stream, events }: Appending,
): Promise<void> {
  const now = clock.now();
  await files.append(
    path,
    events.map(({ timestamp, message }) => ({ at: timestamp, ingestedAt: now, message })),
  );
  await streams.update(stream.id, (value) => ({
    ...value,
    firstEventAt: Math.min(value.firstEventAt ?? Infinity, events[0]!.timestamp),
    lastEventAt: Math.max(value.lastEventAt ?? 0, events.at(-1)!.timestamp),
    lastIngestionAt: now,
  }));
  if (group.retentionInDays !== undefined) await files.expire(path, now - group.retentionInDays * DAY_MS);
}
