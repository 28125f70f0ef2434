import { isDabbaError } from '#base';
import { AwsError } from '../errors.ts';
import { appendEvents } from './append.ts';
import { streamPath, type LogGroup, type LogsState, type LogStream, type Scope } from './records.ts';
import type { Versioned } from '#store';

/** Where a service of AWS writes in its customer's name. */
export interface ServiceStream extends Scope {
  readonly group: string;
  readonly stream: string;
}

export interface LogEvent {
  /** Milliseconds since the epoch, not before those that were written already. */
  readonly timestamp: number;
  readonly message: string;
}

/** Logs of services, without the API's wire. */
export interface ServiceLogs {
  /** Makes group and stream if they are not there, and appends. Resolves when it is durable. */
  write(to: ServiceStream, events: readonly LogEvent[]): Promise<void>;
}

const ATTEMPTS = 4;

export function serviceLogs(state: LogsState): ServiceLogs {
  const { groups, streams, random, clock } = state;

  async function groupOf({ account, region, group: name }: ServiceStream): Promise<Versioned<LogGroup>> {
    const id = `${account}/${region}/${name}`;
    const make = async () => await groups.create(id, { id: random.hex(20), name, createdAt: clock.now(), tags: {} });
    return await found(() => groups.get(id), make);
  }

  async function streamOf(
    { account, region, stream: name }: ServiceStream,
    group: LogGroup,
  ): Promise<Versioned<LogStream>> {
    const id = `${account}/${region}/${group.id}/${name}`;
    const make = async () => await streams.create(id, { id: random.hex(20), name, createdAt: clock.now() });
    return await found(() => streams.get(id), make);
  }

  return {
    async write(to, events) {
      if (!events.length) return;
      const group = await groupOf(to);
      const stream = await streamOf(to, group.value);
      await appendEvents(state, {
        path: streamPath(to, group.value, stream.value),
        group: group.value,
        stream,
        events,
      });
    },
  };
}

/** What is there, or is made; somebody else may make or delete it meanwhile. */
async function found<T>(get: () => Promise<T | undefined>, make: () => Promise<unknown>): Promise<T> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const known = await get();
    if (known) return known;
    await make().catch((error: unknown) => {
      if (!isDabbaError(error, 'AlreadyExists')) throw error;
    });
  }
  throw new AwsError('ResourceNotFoundException', 'The log group is deleted faster than it can be made.');
}
