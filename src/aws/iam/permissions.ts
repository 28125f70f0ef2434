import { requestTagContext, resourceTagContext, type Tags } from '../tags.ts';
import type { CallContext, ConditionContext, RequiredPermission } from '../service.ts';
import type { Directory } from './directory.ts';
import { findPolicy } from './grants.ts';
import { entityArn, type EntityKind } from './names.ts';
import { linkedServices, SERVICE_LINKED_PATH } from './service-linked-policies.ts';

/** The members that name what an operation acts on; the others of IAM's inputs say what with. */
interface Named {
  readonly UserName?: string;
  readonly GroupName?: string;
  readonly RoleName?: string;
  readonly InstanceProfileName?: string;
  readonly PolicyName?: string;
  readonly PolicyArn?: string;
  readonly PolicySourceArn?: string;
  readonly AWSServiceName?: string;
  readonly Path?: string;
  readonly PermissionsBoundary?: string;
  readonly Tags?: readonly { readonly Key?: string; readonly Value?: string }[];
  readonly TagKeys?: readonly string[];
}

interface Target {
  readonly arn: string;
  readonly tags: Tags;
}

/** What an operation of IAM needs (Service Authorization Reference, "AWS Identity and Access Management"). */
export function iamPermissions(directory: Directory) {
  return (operation: string, input: unknown, context: CallContext): readonly RequiredPermission[] => {
    const named = input as Named;
    const target = targetOf(directory, operation, named, context);
    return [{ action: `iam:${operation}`, resources: [target.arn], context: conditionsOf(named, target) }];
  };
}

const lists = new Map<string, EntityKind>([
  ['ListUsers', 'user'],
  ['ListGroups', 'group'],
  ['ListRoles', 'role'],
  ['ListInstanceProfiles', 'instance-profile'],
]);

function targetOf(directory: Directory, operation: string, named: Named, context: CallContext): Target {
  const { account, principal } = context;
  const target = (
    kind: EntityKind,
    name: string,
    found: { readonly path: string; readonly name: string; readonly tags?: Tags } | undefined,
  ): Target => ({
    arn: entityArn(kind, { account, path: found?.path ?? named.Path ?? '/', name: found?.name ?? name }),
    tags: found?.tags ?? {},
  });
  const listed = lists.get(operation);
  if (listed) return { arn: entityArn(listed, { account, path: '/', name: '' }), tags: {} };
  const linked = named.AWSServiceName === undefined ? undefined : linkedServices[named.AWSServiceName]?.role;
  if (linked !== undefined)
    return {
      arn: entityArn('role', { account, path: `${SERVICE_LINKED_PATH}${named.AWSServiceName}/`, name: linked }),
      tags: {},
    };
  const { GroupName: group, InstanceProfileName: profile, RoleName: role, PolicyName: policy } = named;
  // A group operation may name a user too, and a profile operation a role: these come first.
  if (group !== undefined) return target('group', group, directory.groups.get(account, group));
  if (profile !== undefined)
    return target('instance-profile', profile, directory.instanceProfiles.get(account, profile));
  if (role !== undefined) return target('role', role, directory.roles.get(account, role));
  const user =
    named.UserName ?? (isAboutCaller(operation) && principal.kind === 'user' ? principal.userName : undefined);
  if (user !== undefined) return target('user', user, directory.users.get(account, user));
  if (named.PolicyArn !== undefined)
    return { arn: named.PolicyArn, tags: findPolicy(directory, named.PolicyArn)?.tags ?? {} };
  if (operation === 'CreatePolicy' && policy !== undefined) return target('policy', policy, undefined);
  return { arn: named.PolicySourceArn ?? '*', tags: {} };
}

function isAboutCaller(operation: string): boolean {
  return operation === 'GetUser' || operation.includes('AccessKey');
}

function conditionsOf(named: Named, target: Target): ConditionContext {
  const tags = Object.fromEntries((named.Tags ?? []).map((tag) => [tag.Key ?? '', tag.Value ?? '']));
  return {
    ...resourceTagContext(target.tags, 'iam'),
    ...(named.Tags && requestTagContext(tags)),
    ...(named.TagKeys && { 'aws:TagKeys': named.TagKeys }),
    'iam:PolicyARN': named.PolicyArn,
    'iam:AWSServiceName': named.AWSServiceName,
    'iam:PermissionsBoundary': named.PermissionsBoundary,
  };
}
