import type { InputLogEvent, RejectedLogEventsInfo } from '@aws-sdk/client-cloudwatch-logs';
import { AwsError } from '../errors.ts';
import type { Handlers } from '../service.ts';
import { appendEvents } from './append.ts';
import { mustGetGroup, mustGetStream, streamPath, type LogsState } from './records.ts';

/** Limits of PutLogEvents: API Reference, "PutLogEvents". */
const MAX_EVENTS = 10_000;
const MAX_BATCH_BYTES = 1_048_576;
/** Added to each message when a batch is measured. */
const EVENT_OVERHEAD_BYTES = 26;
const DAY_MS = 86_400_000;
const TOO_OLD_MS = 14 * DAY_MS;
const TOO_NEW_MS = 2 * 3_600_000;

type Event = Required<{ [Member in keyof InputLogEvent]: NonNullable<InputLogEvent[Member]> }>;

const invalid = (message: string) => new AwsError('InvalidParameterException', message);

function checkBatch(events: readonly InputLogEvent[]): readonly Event[] {
  if (!events.length || events.length > MAX_EVENTS)
    throw invalid(
      `1 validation error detected: 'logEvents' must have between 1 and ${MAX_EVENTS} members, not ${events.length}`,
    );
  for (const [index, { timestamp, message }] of events.entries()) {
    if (timestamp === undefined || timestamp < 0 || !Number.isInteger(timestamp))
      throw invalid(
        `1 validation error detected: 'logEvents.${index + 1}.member.timestamp' is not valid: ${timestamp}`,
      );
    if (!message)
      throw invalid(
        `1 validation error detected: 'logEvents.${index + 1}.member.message' must have at least 1 character`,
      );
    if (index && timestamp < events[index - 1]!.timestamp!)
      throw invalid('Log events in a single PutLogEvents request must be in chronological order.');
  }
  const batch = events as readonly Event[];
  const bytes = batch.reduce((sum, { message }) => sum + Buffer.byteLength(message) + EVENT_OVERHEAD_BYTES, 0);
  if (bytes > MAX_BATCH_BYTES) throw invalid(`Upload too large: ${bytes} bytes exceeds limit of ${MAX_BATCH_BYTES}`);
  if (batch.at(-1)!.timestamp - batch[0]!.timestamp > DAY_MS)
    throw invalid('The batch of log events in a single PutLogEvents request cannot span more than 24 hours.');
  return batch;
}

/** Which events of a checked batch are kept, and what the answer says of the others. Events are in order, so each reason is a prefix or a suffix. */
function sift(events: readonly Event[], now: number, retentionInDays: number | undefined) {
  const expiredBefore = retentionInDays === undefined ? -Infinity : now - retentionInDays * DAY_MS;
  const firstWhere = (test: (at: number) => boolean) => {
    const index = events.findIndex(({ timestamp }) => test(timestamp));
    return index === -1 ? events.length : index;
  };
  const oldEnd = firstWhere((at) => at >= now - TOO_OLD_MS);
  const expiredEnd = firstWhere((at) => at >= expiredBefore);
  const newStart = firstWhere((at) => at > now + TOO_NEW_MS);
  const rejected: RejectedLogEventsInfo = {
    ...(oldEnd > 0 ? { tooOldLogEventEndIndex: oldEnd } : {}),
    ...(expiredEnd > 0 ? { expiredLogEventEndIndex: expiredEnd } : {}),
    ...(newStart < events.length ? { tooNewLogEventStartIndex: newStart } : {}),
  };
  return {
    kept: events.slice(Math.max(oldEnd, expiredEnd), newStart),
    rejectedLogEventsInfo: Object.keys(rejected).length ? rejected : undefined,
  };
}

export function putEventsHandlers(state: LogsState) {
  const { clock } = state;
  return {
    /** The sequence token is ignored, as CloudWatch Logs has done since 2023. */
    async PutLogEvents(input, context) {
      const group = await mustGetGroup(state, context, input.logGroupName ?? '');
      const stream = await mustGetStream(state, context, group.value, input.logStreamName);
      const now = clock.now();
      const { kept, rejectedLogEventsInfo } = sift(checkBatch(input.logEvents ?? []), now, group.value.retentionInDays);
      if (kept.length) {
        const path = streamPath(context, group.value, stream.value);
        await appendEvents(state, { path, group: group.value, stream, events: kept });
      }
      return { nextSequenceToken: String(now), rejectedLogEventsInfo };
    },
  } satisfies Handlers<typeof import('@aws-sdk/client-cloudwatch-logs')>;
}
