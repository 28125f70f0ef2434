import type { LaunchTemplateSpecification, RequestLaunchTemplateData, RunInstancesRequest } from '@aws-sdk/client-ec2';
import type { Scope } from '../scope.ts';
import { findTemplate, versionOf } from './find.ts';
import type { TemplateCollections } from './records.ts';

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
      const seen = await findTemplate(collections, scope, named);
      const { number, data } = await versionOf(collections, seen, named.Version);
      const { value } = seen;
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
