import type { LaunchTemplateSpecification, RequestLaunchTemplateData, RunInstancesRequest } from '@aws-sdk/client-ec2';
import { AwsError } from '../../errors.ts';
import type { Scope } from '../scope.ts';
import { findTemplate, versionOf, type TemplateCollections } from './records.ts';

export interface ResolvedTemplate {
  readonly id: string;
  readonly name: string;
  readonly version: number;
  readonly data: RequestLaunchTemplateData;
}

/** Launch templates for the services that launch by them. */
export interface LaunchTemplates {
  /** The version that is meant now. Throws EC2's own errors for what is not there. */
  resolve(scope: Scope, named: LaunchTemplateSpecification): Promise<ResolvedTemplate>;
}

export function launchTemplates(collections: TemplateCollections): LaunchTemplates {
  return {
    async resolve(scope, named) {
      const { value } = await findTemplate(collections, scope, named);
      const { number, data } = versionOf(value, named.Version);
      return { id: value.id, name: value.name, version: number, data };
    },
  };
}

/** What RunInstances is asked, with what its template says where it says nothing itself; tags are those of both. */
export async function withTemplate(
  templates: LaunchTemplates,
  scope: Scope,
  input: RunInstancesRequest,
): Promise<RunInstancesRequest> {
  if (!input.LaunchTemplate) return input;
  return merged(input, (await templates.resolve(scope, input.LaunchTemplate)).data);
}

/**
 * What a call needs permission for: its input with the id of the template that it names, and with what that says of an instance. Where there is no such template, the
 * input as it is: the handler will say so.
 */
export async function withNamedTemplate(
  templates: LaunchTemplates,
  scope: Scope,
  { operation, input }: { readonly operation: string; readonly input: unknown },
): Promise<unknown> {
  const named = templateOf(operation, input);
  if (!named) return input;
  try {
    const { id, data } = await templates.resolve(scope, named);
    // Only RunInstances names a template that its own input goes on.
    const whole = operation === 'RunInstances' ? merged(input as RunInstancesRequest, data) : (input as object);
    return { ...whole, LaunchTemplateId: id };
  } catch (error) {
    if (error instanceof AwsError) return input;
    throw error;
  }
}

/** Calls that change a template, which they name by members of their own. */
const changes = new Set([
  'CreateLaunchTemplateVersion',
  'ModifyLaunchTemplate',
  'DeleteLaunchTemplate',
  'DeleteLaunchTemplateVersions',
]);

function templateOf(operation: string, input: unknown): LaunchTemplateSpecification | undefined {
  // The operation says whose input it is.
  if (operation === 'RunInstances') return (input as RunInstancesRequest).LaunchTemplate;
  const { LaunchTemplateId, LaunchTemplateName } = input as LaunchTemplateSpecification;
  return changes.has(operation) ? { LaunchTemplateId, LaunchTemplateName } : undefined;
}

function merged(
  { LaunchTemplate: _named, ...own }: RunInstancesRequest,
  data: RequestLaunchTemplateData,
): RunInstancesRequest {
  const tags = [data.TagSpecifications, own.TagSpecifications].map((specifications) =>
    (specifications ?? []).flatMap(({ ResourceType, Tags }) => (ResourceType === 'instance' ? (Tags ?? []) : [])),
  );
  const both = [...new Map(tags.flat().map((tag) => [tag.Key, tag])).values()];
  const others = (own.TagSpecifications ?? []).filter(({ ResourceType }) => ResourceType !== 'instance');
  return {
    // A template's data has the members of a request, by the same names, but for the counts.
    ...(data as Partial<RunInstancesRequest>),
    ...defined(own),
    TagSpecifications: [...others, ...(both.length ? [{ ResourceType: 'instance' as const, Tags: both }] : [])],
  };
}

/** Without the members that were not given. */
function defined<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as T; // what was optional may be absent
}
