import { AwsError } from '../errors.ts';
import type { Handlers } from '../service.ts';
import { mergeTags, readTags, upperCaseTags, withoutTags, type Tags } from '../tags.ts';
import { readArn } from './arns.ts';
import { changeBalancer, changeGroup } from './change.ts';
import { mustFindBalancer, mustFindGroup, mustFindListener, validationError } from './find.ts';
import type { Elbv2State, Scope } from './records.ts';

export function taggingHandlers(state: Elbv2State) {
  async function tagsOf(scope: Scope, arn: string): Promise<Tags> {
    const kind = readArn(scope, arn)?.kind;
    if (kind === 'targetgroup') return (await mustFindGroup(state, scope, arn)).value.tags;
    if (kind === 'listener') return (await mustFindListener(state, scope, arn)).listener.tags;
    return (await mustFindBalancer(state, scope, arn)).value.tags;
  }

  async function retag(scope: Scope, arn: string, change: (tags: Tags) => Tags): Promise<void> {
    const kind = readArn(scope, arn)?.kind;
    if (kind === 'targetgroup') {
      const find = () => mustFindGroup(state, scope, arn);
      await changeGroup(state, scope, find, (record) => ({ ...record, tags: change(record.tags) }));
    } else if (kind === 'listener') {
      const { listener } = await mustFindListener(state, scope, arn);
      const find = async () => (await mustFindListener(state, scope, arn)).balancer;
      await changeBalancer(state, scope, find, (record) => ({
        ...record,
        listeners: record.listeners.map((each) =>
          each.hash === listener.hash ? { ...each, tags: change(each.tags) } : each,
        ),
      }));
    } else {
      const find = () => mustFindBalancer(state, scope, arn);
      await changeBalancer(state, scope, find, (record) => ({ ...record, tags: change(record.tags) }));
    }
  }

  return {
    async AddTags(input, context) {
      const keys = (input.Tags ?? []).map(({ Key }) => Key);
      if (new Set(keys).size < keys.length)
        throw new AwsError('DuplicateTagKeysException', 'One or more tag keys are specified more than once');
      const added = readTags(input.Tags, 'ValidationError');
      for (const arn of arnsOf(input.ResourceArns))
        await retag(context, arn, (tags) => mergeTags(tags, added, 'TooManyTagsException'));
      return {};
    },

    async RemoveTags(input, context) {
      for (const arn of arnsOf(input.ResourceArns))
        await retag(context, arn, (tags) => withoutTags(tags, input.TagKeys ?? []));
      return {};
    },

    async DescribeTags(input, context) {
      const descriptions = arnsOf(input.ResourceArns).map(async (arn) => ({
        ResourceArn: arn,
        Tags: upperCaseTags(await tagsOf(context, arn)),
      }));
      return { TagDescriptions: await Promise.all(descriptions) };
    },
  } satisfies Handlers<typeof import('@aws-sdk/client-elastic-load-balancing-v2')>;
}

function arnsOf(arns: readonly string[] | undefined): readonly string[] {
  if (!arns?.length) throw validationError('At least one resource ARN must be specified');
  if (arns.length > 20) throw validationError('At most 20 resource ARNs can be specified');
  return arns;
}
