import type { LogGroup as ApiGroup } from '@aws-sdk/client-cloudwatch-logs';
import { isDabbaError } from '#base';
import { AwsError } from '../errors.ts';
import { page } from '../page.ts';
import type { Handlers } from '../service.ts';
import {
  groupArn,
  groupNameOf,
  groupPath,
  limitOf,
  mustGetGroup,
  type LogGroup,
  type LogsState,
  type Scope,
} from './records.ts';

/** The retention periods the service knows, in days: PutRetentionPolicy, "retentionInDays". */
const retentions = [
  1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
];

function toGroup(scope: Scope, group: LogGroup): ApiGroup {
  return {
    logGroupName: group.name,
    creationTime: group.createdAt,
    retentionInDays: group.retentionInDays,
    metricFilterCount: 0,
    arn: `${groupArn(scope, group.name)}:*`,
    logGroupArn: groupArn(scope, group.name),
    storedBytes: 0,
    logGroupClass: 'STANDARD',
  };
}

function checkName(name: string | undefined): string {
  if (name && /^[.\-_/#A-Za-z0-9]{1,512}$/.test(name)) return name;
  throw new AwsError(
    'InvalidParameterException',
    `1 validation error detected: Value '${name}' at 'logGroupName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+`,
  );
}

function checkTags(tags: { readonly [key: string]: string }): { readonly [key: string]: string } {
  if (Object.keys(tags).length > 50)
    throw new AwsError('TooManyTagsException', 'A resource can have no more than 50 tags.');
  for (const key of Object.keys(tags))
    if (!key || key.length > 128 || /^aws:/i.test(key))
      throw new AwsError('InvalidParameterException', `'${key}' is not a valid tag key.`);
  return tags;
}

/** The group a tagging call names by ARN. */
function taggedName(arn: string | undefined): string {
  if (!arn?.startsWith('arn:'))
    throw new AwsError('InvalidParameterException', `'${arn}' is not a valid resource ARN.`);
  return groupNameOf({ logGroupIdentifier: arn });
}

export function groupHandlers(state: LogsState) {
  const { groups, streams, store, random, clock, files } = state;
  const idOf = (scope: Scope, name: string) => `${scope.account}/${scope.region}/${name}`;

  async function retag(scope: Scope, name: string, change: (tags: LogGroup['tags']) => LogGroup['tags']) {
    await mustGetGroup(state, scope, name);
    await groups.update(idOf(scope, name), (group) => ({ ...group, tags: checkTags(change(group.tags)) }));
    return {};
  }

  const without = (keys: readonly string[] | undefined) => (tags: LogGroup['tags']) =>
    Object.fromEntries(Object.entries(tags).filter(([key]) => !keys?.includes(key)));

  return {
    async CreateLogGroup(input, context) {
      const name = checkName(input.logGroupName);
      if (input.kmsKeyId)
        throw new AwsError('UnsupportedOperation', 'Log groups with a KMS key are not supported', { status: 501 });
      const group: LogGroup = { id: random.hex(20), name, createdAt: clock.now(), tags: checkTags(input.tags ?? {}) };
      try {
        await groups.create(idOf(context, name), group);
      } catch (error) {
        if (!isDabbaError(error, 'AlreadyExists')) throw error;
        throw new AwsError('ResourceAlreadyExistsException', 'The specified log group already exists');
      }
      return {};
    },

    async DeleteLogGroup(input, context) {
      const group = await mustGetGroup(state, context, checkName(input.logGroupName));
      await store.txn({
        success: [
          groups.remove(group.id),
          { kind: 'deletePrefix', prefix: streams.key(`${context.account}/${context.region}/${group.value.id}/`) },
        ],
      });
      await files.remove(groupPath(context, group.value));
      return {};
    },

    async DescribeLogGroups(input, context) {
      if (input.logGroupNamePrefix && input.logGroupNamePattern)
        throw new AwsError(
          'InvalidParameterException',
          'LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.',
        );
      const pattern = input.logGroupNamePattern?.toLowerCase();
      const wanted = input.logGroupIdentifiers?.map((logGroupIdentifier) => groupNameOf({ logGroupIdentifier }));
      const rows = (await groups.list(idOf(context, input.logGroupNamePrefix ?? '')))
        .map(({ value }) => value)
        .filter(
          ({ name }) =>
            (!pattern || name.toLowerCase().includes(pattern)) && (!wanted?.length || wanted.includes(name)),
        );
      const { items, nextToken } = page(rows, {
        token: input.nextToken,
        limit: limitOf(input.limit, 50),
        key: ({ name }) => name,
      });
      return { logGroups: items.map((group) => toGroup(context, group)), nextToken };
    },

    async PutRetentionPolicy(input, context) {
      await mustGetGroup(state, context, input.logGroupName ?? '');
      const retentionInDays = input.retentionInDays ?? 0;
      if (!retentions.includes(retentionInDays))
        throw new AwsError(
          'InvalidParameterException',
          `Invalid retention value ${retentionInDays}: expected one of ${retentions.join(', ')}`,
        );
      await groups.update(idOf(context, input.logGroupName!), (group) => ({ ...group, retentionInDays }));
      return {};
    },

    async DeleteRetentionPolicy(input, context) {
      await mustGetGroup(state, context, input.logGroupName ?? '');
      await groups.update(idOf(context, input.logGroupName!), ({ retentionInDays: _days, ...group }) => group);
      return {};
    },

    TagResource: (input, context) =>
      retag(context, taggedName(input.resourceArn), (tags) => ({ ...tags, ...input.tags })),
    UntagResource: (input, context) => retag(context, taggedName(input.resourceArn), without(input.tagKeys)),
    async ListTagsForResource(input, context) {
      return { tags: { ...(await mustGetGroup(state, context, taggedName(input.resourceArn))).value.tags } };
    },
    TagLogGroup: (input, context) => retag(context, input.logGroupName ?? '', (tags) => ({ ...tags, ...input.tags })),
    UntagLogGroup: (input, context) => retag(context, input.logGroupName ?? '', without(input.tags)),
    async ListTagsLogGroup(input, context) {
      return { tags: { ...(await mustGetGroup(state, context, input.logGroupName ?? '')).value.tags } };
    },
  } satisfies Handlers<typeof import('@aws-sdk/client-cloudwatch-logs')>;
}
