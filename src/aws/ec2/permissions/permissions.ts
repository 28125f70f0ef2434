import type { CallContext, ConditionContext, RequiredPermission } from '../../service.ts';
import { requestTagContext, type Tags } from '../../tags.ts';
import type { InstanceProfiles } from '../instance-handlers.ts';
import type { LaunchTemplates } from '../launch-templates/launch-templates.ts';
import { arnOf, type Conditions } from './conditions.ts';
import type { ResolvedRun } from './resolve.ts';
import { resourceRows, type Asked, type AskedKind, type NamingInput } from './resources.ts';
import { runInstancesResources } from './run-instances.ts';

interface TaggedInput extends NamingInput {
  readonly TagSpecifications?: readonly TagSpecification[];
  readonly Tags?: readonly InputTag[] | undefined;
}

interface TagSpecification {
  readonly ResourceType?: string | undefined;
  readonly Tags?: readonly InputTag[] | undefined;
}

interface InputTag {
  readonly Key?: string | undefined;
  readonly Value?: string | undefined;
}

/** A resource that permission is asked for, with the condition keys that hold for it alone. */
export interface AskedResource extends Asked {
  readonly conditions?: ConditionContext;
}

export interface PermissionParts {
  readonly conditions: Conditions;
  readonly templates: LaunchTemplates;
  readonly profiles: InstanceProfiles;
}

/**
 * The permissions of a call: one for each resource that it makes, changes or uses, wherever its input names it, and `ec2:CreateTags` for each kind that it makes with
 * tags. The input is the resolved one, so that nothing is left to a name or a default.
 */
export async function permissions(
  parts: PermissionParts,
  { operation, input }: { readonly operation: string; readonly input: unknown },
  context: CallContext,
): Promise<readonly RequiredPermission[]> {
  const action = `ec2:${operation}`;
  const { asked, specifications } = await askedOf(parts, { operation, input }, context);
  // Tags of CreateTags and DeleteTags are those of every resource that it names.
  const own = tagsOf((input as TaggedInput).Tags);
  const onKind = (kind: AskedKind, id: string) =>
    id === '*'
      ? { ...own, ...tagsOf(specifications.filter((one) => one.ResourceType === kind).flatMap(tagList)) }
      : own;
  const needed: RequiredPermission[] = [];
  for (const { kind, id, conditions } of asked)
    needed.push({
      action,
      resources: [arnOf(context, kind, id)],
      context: {
        ...(await parts.conditions(context, kind, id)),
        ...conditions,
        ...requestTags(onKind(kind, id)),
      },
    });
  if (!needed.length) needed.push({ action, resources: ['*'], context: { 'ec2:Region': context.region } });
  for (const specification of specifications)
    needed.push({
      action: 'ec2:CreateTags',
      resources: [arnOf(context, (specification.ResourceType ?? '*') as AskedKind, '*')], // in an ARN, any word will do
      context: {
        'ec2:Region': context.region,
        'ec2:CreateAction': operation,
        ...requestTags(tagsOf(tagList(specification))),
      },
    });
  return needed;
}

async function askedOf(
  parts: PermissionParts,
  { operation, input }: { readonly operation: string; readonly input: unknown },
  context: CallContext,
): Promise<{ readonly asked: readonly AskedResource[]; readonly specifications: readonly TagSpecification[] }> {
  if (operation === 'RunInstances') {
    const { resources, merged } = await runInstancesResources(parts, input as ResolvedRun, context);
    return { asked: resources, specifications: merged.TagSpecifications ?? [] };
  }
  const named = input as TaggedInput;
  const asked = resourceRows[operation]?.(named) ?? [];
  const beside = await besideMade(parts, named, context);
  return {
    asked: asked.map((one) => (one.id === '*' ? { ...one, conditions: beside } : one)),
    specifications: named.TagSpecifications ?? [],
  };
}

/** What is known of a resource that is not there yet: where it will be. */
async function besideMade(
  { conditions }: PermissionParts,
  { VpcId, SubnetId }: NamingInput,
  context: CallContext,
): Promise<ConditionContext> {
  if (SubnetId !== undefined) {
    const of = await conditions(context, 'subnet', SubnetId);
    return {
      'ec2:Subnet': arnOf(context, 'subnet', SubnetId),
      'ec2:Vpc': of['ec2:Vpc'],
      'ec2:AvailabilityZone': of['ec2:AvailabilityZone'],
    };
  }
  return VpcId === undefined ? {} : { 'ec2:Vpc': arnOf(context, 'vpc', VpcId) };
}

function tagList({ Tags }: TagSpecification): readonly InputTag[] {
  return Tags ?? [];
}

// What is wrong with the tags the handler will say; here they count as they are.
function tagsOf(list: readonly InputTag[] | undefined): Tags {
  return Object.fromEntries((list ?? []).map(({ Key = '', Value = '' }) => [Key, Value]));
}

function requestTags(tags: Tags): ConditionContext {
  return Object.keys(tags).length ? requestTagContext(tags) : {};
}
