import { AwsError } from '../errors.ts';
import type { CallContext, Handlers } from '../service.ts';
import { compare, type Position, type StoredEvent } from './event-files.ts';
import { compilePattern } from './pattern.ts';
import {
  groupNameOf,
  limitOf,
  mustGetGroup,
  mustGetStream,
  streamPath,
  type LogGroup,
  type LogStream,
  type LogsState,
} from './records.ts';

const MAX_EVENTS = 10_000;
/** A page also ends here, whatever its number of events. */
const MAX_PAGE_BYTES = 1_048_576;
const DAY_MS = 86_400_000;

/** A token of GetLogEvents: `f/` or `b/` and a place in the stream. */
function tokenOf(direction: 'f' | 'b', { at, sequence }: Position): string {
  return `${direction}/${at}.${sequence}/s`;
}

function parseToken(token: string): { readonly direction: 'forward' | 'backward'; readonly after: Position } {
  const match = /^([fb])\/(\d+)\.(-?\d+)\/s$/.exec(token);
  if (!match) throw new AwsError('InvalidParameterException', 'The specified nextToken is invalid.');
  return {
    direction: match[1] === 'f' ? 'forward' : 'backward',
    after: { at: Number(match[2]), sequence: Number(match[3]) },
  };
}

/** As many events from the start as fit in a page's bytes; at least one. */
function withinPage<Event extends StoredEvent>(events: readonly Event[]): Event[] {
  let bytes = 0;
  return events.filter(
    (event, index) => (bytes += Buffer.byteLength(event.message) + 26) <= MAX_PAGE_BYTES || index === 0,
  );
}

/** The tokens around a page; a page without events keeps the place it was asked for, so that asking again goes on from there. */
function tokensAround(
  events: readonly StoredEvent[],
  asked: { readonly direction: 'forward' | 'backward'; readonly after: Position } | undefined,
) {
  const [first, last] = [events[0], events.at(-1)];
  if (first && last) return { nextForwardToken: tokenOf('f', last), nextBackwardToken: tokenOf('b', first) };
  const { direction = 'forward', after = { at: 0, sequence: -1 } } = asked ?? {};
  // Reading excludes the place itself, so turning round moves it by one for the event there to be seen again.
  const turned = (by: number) => ({ at: after.at, sequence: after.sequence + by });
  return direction === 'forward'
    ? { nextForwardToken: tokenOf('f', after), nextBackwardToken: tokenOf('b', turned(1)) }
    : { nextForwardToken: tokenOf('f', turned(-1)), nextBackwardToken: tokenOf('b', after) };
}

function oldestKept(group: LogGroup, now: number): number | undefined {
  return group.retentionInDays === undefined ? undefined : now - group.retentionInDays * DAY_MS;
}

function latest(...times: (number | undefined)[]): number | undefined {
  const given = times.filter((time) => time !== undefined);
  return given.length ? Math.max(...given) : undefined;
}

export function readEventsHandlers(state: LogsState) {
  const { files, streams, clock } = state;

  /** The streams FilterLogEvents looks into, in name order. */
  async function selectStreams(
    group: LogGroup,
    input: { readonly logStreamNames?: string[] | undefined; readonly logStreamNamePrefix?: string | undefined },
    context: CallContext,
  ): Promise<LogStream[]> {
    if (input.logStreamNames?.length && input.logStreamNamePrefix)
      throw new AwsError('InvalidParameterException', 'Cannot specify both logStreamNames and logStreamNamePrefix.');
    if (input.logStreamNames?.length)
      return Promise.all(
        input.logStreamNames.map(async (name) => (await mustGetStream(state, context, group, name)).value),
      );
    const prefix = `${context.account}/${context.region}/${group.id}/${input.logStreamNamePrefix ?? ''}`;
    return (await streams.list(prefix)).map(({ value }) => value);
  }

  return {
    async GetLogEvents(input, context) {
      const group = await mustGetGroup(state, context, groupNameOf(input));
      const stream = await mustGetStream(state, context, group.value, input.logStreamName);
      const asked = input.nextToken === undefined ? undefined : parseToken(input.nextToken);
      const direction = asked?.direction ?? (input.startFromHead ? 'forward' : 'backward');
      const found = await files.read(streamPath(context, group.value, stream.value), {
        direction,
        after: asked?.after,
        from: latest(input.startTime, oldestKept(group.value, clock.now())),
        to: input.endTime,
        limit: limitOf(input.limit, MAX_EVENTS),
      });
      const events = withinPage(found).sort(compare);
      return {
        events: events.map(({ at, message, ingestedAt }) => ({ timestamp: at, message, ingestionTime: ingestedAt })),
        ...tokensAround(events, asked),
      };
    },

    async FilterLogEvents(input, context) {
      const group = await mustGetGroup(state, context, groupNameOf(input));
      const limit = limitOf(input.limit, MAX_EVENTS);
      const matches = compilePattern(input.filterPattern ?? '');
      const after = input.nextToken === undefined ? undefined : parseFilterToken(input.nextToken);
      let found: (StoredEvent & { readonly streamName: string; readonly streamId: string })[] = [];
      for (const { name, id, firstEventAt, lastEventAt, ...rest } of await selectStreams(group.value, input, context)) {
        if (lastEventAt !== undefined && lastEventAt < (latest(input.startTime, after?.at) ?? 0)) continue;
        const worst = found[limit];
        if (worst && firstEventAt !== undefined && firstEventAt > worst.at) continue;
        const events = await files.read(streamPath(context, group.value, { id, name, ...rest }), {
          direction: 'forward',
          // A stream before the token's in name order was read up to its place, the others not quite.
          after: after && { at: after.at, sequence: positionIn(name, after) },
          from: latest(input.startTime, oldestKept(group.value, clock.now())),
          to: input.endTime,
          limit: limit + 1,
          matches,
        });
        found = [...found, ...events.map((event) => ({ ...event, streamName: name, streamId: id }))]
          .sort(
            (a, b) =>
              a.at - b.at ||
              (a.streamName < b.streamName ? -1 : a.streamName > b.streamName ? 1 : a.sequence - b.sequence),
          )
          .slice(0, limit + 1);
      }
      const events = withinPage(found.slice(0, limit));
      const last = events.at(-1);
      return {
        events: events.map((event) => ({
          logStreamName: event.streamName,
          timestamp: event.at,
          message: event.message,
          ingestionTime: event.ingestedAt,
          eventId: eventId(event),
        })),
        searchedLogStreams: [],
        nextToken: last && events.length < found.length ? filterToken(last) : undefined,
      };
    },
  } satisfies Handlers<typeof import('@aws-sdk/client-cloudwatch-logs')>;
}

/** Where FilterLogEvents goes on: behind this event of this stream, in the order of time, stream name, arrival. */
interface FilterPosition extends Position {
  readonly streamName: string;
}

function positionIn(name: string, after: FilterPosition): number {
  if (name === after.streamName) return after.sequence;
  return name < after.streamName ? Infinity : -1;
}

function filterToken({ at, sequence, streamName }: FilterPosition): string {
  return Buffer.from(JSON.stringify([1, at, sequence, streamName])).toString('base64url');
}

function parseFilterToken(token: string): FilterPosition {
  try {
    const parts = JSON.parse(Buffer.from(token, 'base64url').toString()) as unknown[];
    const [version, at, sequence, streamName] = Array.isArray(parts) ? parts : [];
    if (version === 1 && typeof at === 'number' && typeof sequence === 'number' && typeof streamName === 'string')
      return { at, sequence, streamName };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new AwsError('InvalidParameterException', 'The specified nextToken is invalid.');
}

/** 56 digits, unique and in the order of time, as the service's are. */
function eventId(event: StoredEvent & { readonly streamId: string }): string {
  const stream = BigInt(`0x${event.streamId}`).toString().padStart(25, '0').slice(-25);
  return `${String(event.at).padStart(15, '0')}${String(event.sequence).padStart(16, '0')}${stream}`;
}
