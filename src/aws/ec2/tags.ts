import type { Tag, TagSpecification } from '@aws-sdk/client-ec2';
import type { NetworkRecords, SecurityGroup, Tags } from '#network';
import type { Collection } from '#store';
import { AwsError } from '../errors.ts';
import type { Handlers } from '../service.ts';
import { applyFilters, type FilterFields } from './filters.ts';
import { paginate } from './describe.ts';
import { kinds, mustGet, notFound, type ResourceKind } from './kinds.ts';
import { allIn, keyIn, type Ec2State, type Scope } from './scope.ts';

const MAX_TAGS = 50;

/** Tags as the API writes them, sorted by key. */
export function toTags(tags: Tags): Tag[] {
  return Object.keys(tags)
    .sort()
    .map((Key) => ({ Key, Value: tags[Key] }));
}

/** The tags a create call gives to a resource of `kind`. */
export function tagsFor(kind: ResourceKind, specifications: readonly TagSpecification[] | undefined): Tags {
  for (const { ResourceType } of specifications ?? [])
    if (ResourceType !== kind)
      throw new AwsError(
        'InvalidParameterValue',
        `'${ResourceType}' is not a valid taggable resource type for this operation.`,
      );
  return checkTags((specifications ?? []).flatMap(({ Tags }) => Tags ?? []));
}

function checkTags(list: readonly Tag[]): Tags {
  const tags: { [key: string]: string } = {};
  for (const { Key = '', Value = '' } of list) {
    if (!Key || Key.length > 128)
      throw new AwsError('InvalidParameterValue', `Tag key '${Key}' must have 1 to 128 characters.`);
    if (/^aws:/i.test(Key))
      throw new AwsError(
        'InvalidParameterValue',
        `Tag keys starting with 'aws:' are reserved for internal use: '${Key}'`,
      );
    if (Value.length > 256)
      throw new AwsError('InvalidParameterValue', `The value of tag '${Key}' exceeds 256 characters.`);
    if (Object.hasOwn(tags, Key)) throw new AwsError('InvalidParameterValue', `Duplicate tag key '${Key}' specified.`);
    tags[Key] = Value;
  }
  return tags;
}

/** Records of this service that the network has none of, and that carry tags. */
export type OtherRecords = { readonly [Kind in ResourceKind]?: unknown };

/** Where tags are kept. */
interface TaggedRecords {
  readonly records: NetworkRecords;
  readonly others: OtherRecords;
}

/** The record of a resource, or of a rule the part of its group's; undefined where there is none. */
export type RecordOf = (scope: Scope, kind: ResourceKind, id: string) => Promise<Taggable | undefined>;

export function recordOf(records: NetworkRecords, others: OtherRecords): RecordOf {
  return async (scope, kind, id) => {
    if (kind === 'security-group-rule') return (await ruleOf(records, scope, id))?.rule;
    return (await collectionOf({ records, others }, kind)?.get(keyIn(scope, id)))?.value;
  };
}

type Taggable = { readonly id: string; readonly tags: Tags };

/** The collection of each kind whose records carry their own tags. */
function collectionOf({ records, others }: TaggedRecords, kind: ResourceKind): Collection<Taggable> | undefined {
  const collections: { readonly [Kind in ResourceKind]?: unknown } = {
    vpc: records.vpcs,
    subnet: records.subnets,
    'security-group': records.securityGroups,
    'network-interface': records.networkInterfaces,
    'internet-gateway': records.internetGateways,
    natgateway: records.natGateways,
    'route-table': records.routeTables,
    'elastic-ip': records.elasticIps,
    ...others,
  };
  // Each of these records is a Taggable; only `tags` is replaced, the rest is written back as read.
  return collections[kind] as Collection<Taggable> | undefined;
}

function kindOf(id: string): ResourceKind {
  const prefix = id.slice(0, id.indexOf('-'));
  const kind = Object.keys(kinds).find((kind) => kinds[kind as ResourceKind].prefix === prefix);
  if (!kind) throw new AwsError('InvalidID', `The ID '${id}' is not valid`);
  return kind as ResourceKind;
}

/** Replaces a resource's tags, wherever they are kept. */
async function retag(
  state: Ec2State & TaggedRecords,
  scope: Scope,
  id: string,
  change: (tags: Tags) => Tags,
): Promise<void> {
  const kind = kindOf(id);
  const collection = collectionOf(state, kind);
  if (!collection) return retagRule(state, scope, id, change);
  await mustGet(collection, scope, kind, id);
  await collection.update(keyIn(scope, id), (record) => ({ ...record, tags: limited(change(record.tags)) }));
}

/** A rule, and the record of the group that it is in. */
async function ruleOf({ securityGroups }: NetworkRecords, scope: Scope, id: string) {
  for (const owner of await securityGroups.list(allIn(scope))) {
    const rule = [...owner.value.ingress, ...owner.value.egress].find((one) => one.id === id);
    if (rule) return { owner, rule };
  }
  return undefined;
}

async function retagRule(state: Ec2State, scope: Scope, id: string, change: (tags: Tags) => Tags): Promise<void> {
  const { securityGroups } = state.records;
  const owner = (await ruleOf(state.records, scope, id))?.owner;
  if (!owner) throw notFound('security-group-rule', id);
  const inRules = (rules: SecurityGroup['ingress']) =>
    rules.map((rule) => (rule.id === id ? { ...rule, tags: limited(change(rule.tags)) } : rule));
  await securityGroups.update(owner.id, (group) => ({
    ...group,
    ingress: inRules(group.ingress),
    egress: inRules(group.egress),
  }));
}

function limited(tags: Tags): Tags {
  if (Object.keys(tags).length > MAX_TAGS)
    throw new AwsError('TagLimitExceeded', `The maximum number of tags for a resource has been reached: ${MAX_TAGS}`);
  return tags;
}

interface TagRow {
  readonly id: string;
  readonly resourceId: string;
  readonly kind: ResourceKind;
  readonly key: string;
  readonly value: string;
  readonly tags: Tags;
}

const fields: FilterFields<TagRow> = {
  'resource-id': (row) => row.resourceId,
  'resource-type': (row) => row.kind,
  key: (row) => row.key,
  value: (row) => row.value,
};

/** Every tag of the scope, sorted by resource and key. */
async function tagRows(state: Ec2State & TaggedRecords, scope: Scope): Promise<TagRow[]> {
  const rows: TagRow[] = [];
  const add = (kind: ResourceKind, { id, tags }: Taggable) => {
    for (const key of Object.keys(tags))
      rows.push({ id: `${id} ${key}`, resourceId: id, kind, key, value: tags[key]!, tags });
  };
  for (const kind of Object.keys(kinds) as ResourceKind[])
    for (const { value } of (await collectionOf(state, kind)?.list(allIn(scope))) ?? []) add(kind, value);
  for (const { value } of await state.records.securityGroups.list(allIn(scope)))
    for (const rule of [...value.ingress, ...value.egress]) add('security-group-rule', rule);
  return rows.sort((a, b) => (a.id < b.id ? -1 : 1));
}

export function tagHandlers(ec2: Ec2State, others: OtherRecords) {
  const state = { ...ec2, others };
  return {
    async CreateTags(input, context) {
      const tags = checkTags(input.Tags ?? []);
      for (const id of input.Resources ?? []) await retag(state, context, id, (old) => ({ ...old, ...tags }));
      return {};
    },
    async DeleteTags(input, context) {
      const unwanted = input.Tags;
      const keep = ([key, value]: readonly [string, string]) =>
        unwanted !== undefined && !unwanted.some((tag) => tag.Key === key && (tag.Value ?? value) === value);
      for (const id of input.Resources ?? [])
        await retag(state, context, id, (old) => Object.fromEntries(Object.entries(old).filter(keep)));
      return {};
    },
    async DescribeTags(input, context) {
      const rows = applyFilters(await tagRows(state, context), input.Filters, fields);
      const page = paginate(rows, { maxResults: input.MaxResults, nextToken: input.NextToken });
      return {
        Tags: page.items.map(({ resourceId, kind, key, value }) => ({
          ResourceId: resourceId,
          ResourceType: kind,
          Key: key,
          Value: value,
        })),
        NextToken: page.nextToken,
      };
    },
  } satisfies Handlers<typeof import('@aws-sdk/client-ec2')>;
}
