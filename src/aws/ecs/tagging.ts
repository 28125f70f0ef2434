import { isArn, parseArn } from '#base';
import type { Collection, Versioned } from '#store';
import { AwsError } from '../errors.ts';
import type { CallContext, Handlers } from '../service.ts';
import { lowerCaseTags, mergeTags, readTags, withoutTags, type Tags } from '../tags.ts';
import { invalidParameter } from './names.ts';
import type { EcsState } from './state.ts';
import { revisionId } from './task-definitions.ts';

interface Tagged {
  readonly tags: Tags;
}

export function taggingHandlers(state: EcsState) {
  /** The record that an ARN names, whatever its kind. Only `tags` is read or replaced. */
  async function find(
    context: CallContext,
    arn: string | undefined,
  ): Promise<{ collection: Collection<Tagged>; seen: Versioned<Tagged> }> {
    const { collection, id } = locate(context, arn);
    const seen = await collection.get(id);
    if (!seen) throw new AwsError('ResourceNotFoundException', `The specified resource could not be found: ${arn}`);
    return { collection, seen };
  }

  function locate(context: CallContext, arn: string | undefined): { collection: Collection<Tagged>; id: string } {
    if (!arn || !isArn(arn)) throw invalidParameter(`Invalid resource ARN: ${arn}`);
    const { service, account, region, resource } = parseArn(arn);
    const [kind, ...path] = resource.split('/');
    if (service !== 'ecs' || account !== context.account || region !== context.region)
      throw invalidParameter(`Invalid resource ARN: ${arn}`);
    const id = `${account}/${region}/${path.join('/')}`;
    const as = (collection: unknown) => collection as Collection<Tagged>;
    if (kind === 'cluster') return { collection: as(state.clusters), id };
    if (kind === 'service') return { collection: as(state.services), id };
    if (kind === 'task') return { collection: as(state.tasks), id };
    const [family, revision] = (path[0] ?? '').split(':');
    if (kind === 'task-definition' && family && revision)
      return { collection: as(state.taskDefinitions), id: revisionId({ account, region }, family, Number(revision)) };
    throw invalidParameter(`Invalid resource ARN: ${arn}`);
  }

  async function retag(context: CallContext, arn: string | undefined, change: (tags: Tags) => Tags) {
    const { collection, seen } = await find(context, arn);
    await collection.update(seen.id, (record) => ({ ...record, tags: change(record.tags) }));
    return {};
  }

  return {
    TagResource: (input, context) => retag(context, input.resourceArn, (tags) => mergeTags(tags, readTags(input.tags))),
    UntagResource: (input, context) =>
      retag(context, input.resourceArn, (tags) => withoutTags(tags, input.tagKeys ?? [])),
    async ListTagsForResource(input, context) {
      return { tags: lowerCaseTags((await find(context, input.resourceArn)).seen.value.tags) };
    },
  } satisfies Handlers<typeof import('@aws-sdk/client-ecs')>;
}
