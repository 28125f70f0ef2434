import { isArn, parseArn } from '#base';
import type { Collection, Versioned } from '#store';
import type { CallContext, Handlers } from '../service.ts';
import { mergeTags, withoutTags, type Tags } from '../tags.ts';
import { invalidParameter, notFound } from './names.ts';
import type { EksState } from './state.ts';
import { tagsOf } from './tags.ts';

interface Tagged {
  readonly tags: Tags;
  readonly id: string;
}

/** Tags by ARN: clusters and everything of theirs that has an ARN of its own. */
export function taggingHandlers(state: EksState) {
  // Each of these records is a `Tagged`; only `tags` is replaced, the rest is written back as read.
  const collections: { readonly [kind: string]: unknown } = {
    nodegroup: state.nodegroups,
    fargateprofile: state.fargateProfiles,
    addon: state.addons,
    podidentityassociation: state.podIdentities,
    'access-entry': state.accessEntries,
  };

  async function find(
    context: CallContext,
    arn: string | undefined,
  ): Promise<{ readonly collection: Collection<Tagged>; readonly seen: Versioned<Tagged> }> {
    const { service, account, region, resource } = arn && isArn(arn) ? parseArn(arn) : parseArn('arn:aws:x:::x');
    if (service !== 'eks' || account !== context.account || region !== context.region)
      throw invalidParameter(`Invalid resource ARN: ${arn}`);
    const [kind = '', cluster = '', ...path] = resource.split('/');
    const scope = `${account}/${region}/${cluster}`;
    if (kind === 'cluster')
      return { collection: state.clusters, seen: orNotFound(await state.clusters.get(scope), arn) };
    const collection = collections[kind] as Collection<Tagged> | undefined;
    if (!collection || !path.length) throw invalidParameter(`Invalid resource ARN: ${arn}`);
    // Every ARN of a part ends in the id of its record.
    const all = await collection.list(`${scope}/`);
    const seen = all.find(({ value }) => value.id === path.at(-1));
    return { collection, seen: orNotFound(seen, arn) };
  }

  async function retag(context: CallContext, arn: string | undefined, change: (tags: Tags) => Tags) {
    const { collection, seen } = await find(context, arn);
    await collection.update(seen.id, (record) => ({ ...record, tags: change(record.tags) }));
    return {};
  }

  return {
    TagResource: (input, context) => retag(context, input.resourceArn, (tags) => mergeTags(tags, tagsOf(input.tags))),
    UntagResource: (input, context) =>
      retag(context, input.resourceArn, (tags) => withoutTags(tags, input.tagKeys ?? [])),
    async ListTagsForResource(input, context) {
      return { tags: { ...(await find(context, input.resourceArn)).seen.value.tags } };
    },
  } satisfies Handlers<typeof import('@aws-sdk/client-eks')>;
}

function orNotFound<T>(seen: T | undefined, arn: string | undefined): T {
  if (!seen) throw notFound(`The specified resource could not be found: ${arn}`);
  return seen;
}
