import type { LogStream as ApiStream } from '@aws-sdk/client-cloudwatch-logs';
import { AwsError } from '../errors.ts';
import { page } from '../page.ts';
import type { Handlers } from '../service.ts';
import {
  groupArn,
  groupNameOf,
  limitOf,
  mustGetGroup,
  mustGetStream,
  streamPath,
  type LogStream,
  type LogsState,
  type Scope,
} from './records.ts';

function toStream(scope: Scope, groupName: string, stream: LogStream): ApiStream {
  return {
    logStreamName: stream.name,
    creationTime: stream.createdAt,
    firstEventTimestamp: stream.firstEventAt,
    lastEventTimestamp: stream.lastEventAt,
    lastIngestionTime: stream.lastIngestionAt,
    uploadSequenceToken: stream.lastIngestionAt === undefined ? undefined : String(stream.lastIngestionAt),
    arn: `${groupArn(scope, groupName)}:log-stream:${stream.name}`,
    storedBytes: 0,
  };
}

function checkName(name: string | undefined): string {
  if (name && /^[^:*]{1,512}$/.test(name)) return name;
  throw new AwsError(
    'InvalidParameterException',
    `1 validation error detected: Value '${name}' at 'logStreamName' failed to satisfy constraint: Member must satisfy regular expression pattern: [^:*]*`,
  );
}

export function streamHandlers(state: LogsState) {
  const { groups, streams, store, random, clock, files } = state;
  return {
    async CreateLogStream(input, context) {
      const name = checkName(input.logStreamName);
      const group = await mustGetGroup(state, context, input.logGroupName ?? '');
      const id = `${context.account}/${context.region}/${group.value.id}/${name}`;
      const { succeeded } = await store.txn({
        compare: [groups.ifPresent(group.id), streams.ifAbsent(id)],
        success: [streams.put(id, { id: random.hex(20), name, createdAt: clock.now() })],
      });
      if (succeeded) return {};
      if (await streams.get(id))
        throw new AwsError('ResourceAlreadyExistsException', 'The specified log stream already exists');
      throw new AwsError('ResourceNotFoundException', 'The specified log group does not exist.');
    },

    async DeleteLogStream(input, context) {
      const group = await mustGetGroup(state, context, input.logGroupName ?? '');
      const stream = await mustGetStream(state, context, group.value, input.logStreamName);
      await streams.delete(stream.id);
      await files.remove(streamPath(context, group.value, stream.value));
      return {};
    },

    async DescribeLogStreams(input, context) {
      const byTime = input.orderBy === 'LastEventTime';
      if (byTime && input.logStreamNamePrefix)
        throw new AwsError('InvalidParameterException', 'Cannot order by LastEventTime with a logStreamNamePrefix.');
      const group = await mustGetGroup(state, context, groupNameOf(input));
      const prefix = `${context.account}/${context.region}/${group.value.id}/${input.logStreamNamePrefix ?? ''}`;
      const order = input.descending ? 'descending' : 'ascending';
      // Times in the key have a fixed width, so that they are ordered as text.
      const key = ({ name, lastEventAt = 0 }: LogStream) =>
        byTime ? `${String(lastEventAt).padStart(16, '0')} ${name}` : name;
      const rows = (await streams.list(prefix))
        .map(({ value }) => value)
        .sort((a, b) => (key(a) < key(b) ? -1 : 1) * (order === 'ascending' ? 1 : -1));
      const { items, nextToken } = page(rows, { token: input.nextToken, limit: limitOf(input.limit, 50), key, order });
      return { logStreams: items.map((stream) => toStream(context, group.value.name, stream)), nextToken };
    },
  } satisfies Handlers<typeof import('@aws-sdk/client-cloudwatch-logs')>;
}
