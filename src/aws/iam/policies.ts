import { AwsError } from '../errors.ts';
import { mergeTags, readTags, upperCaseTags, withoutTags } from '../tags.ts';
import { checkPolicy, checkSize } from './checks.ts';
import { findPolicy } from './grants.ts';
import { managedPolicies, managedPolicy, type ManagedPolicy } from './managed-policies.ts';
import { checkName, checkPath, entityArn, newId } from './names.ts';
import { encodeDocument, iamPage, instant, type IamHandlers, type IamParts } from './parts.ts';
import type { PolicyRecord, PolicyVersionRecord } from './records.ts';
import { byKey } from './users.ts';

const MAX_VERSIONS = 5;
const MAX_POLICY_SIZE = 6144;
/** AWS's own policies are shown as if made with the service. */
const MANAGED_SINCE = Date.UTC(2015, 1, 6);

export function policyHandlers({ directory, clock, random }: IamParts): IamHandlers {
  const { policies, users, groups, roles } = directory;
  const find = (account: string, arn: string): PolicyRecord => {
    const policy = findPolicy(directory, arn);
    if (policy?.account !== account) throw new AwsError('NoSuchEntityException', `Policy ${arn} was not found.`);
    return policy;
  };
  const findVersion = (policy: PolicyRecord, id: string): PolicyVersionRecord => {
    const version = policy.versions.find((one) => one.id === id);
    if (!version)
      throw new AwsError(
        'NoSuchEntityException',
        `Policy ${entityArn('policy', policy)} version ${id} does not exist or is not attachable.`,
      );
    return version;
  };
  const update = (account: string, arn: string, change: (policy: PolicyRecord) => PolicyRecord) => {
    const { name } = find(account, arn);
    return policies.update(account, name, change);
  };
  const attachedTo = (account: string, arn: string) => ({
    users: users.list(account).filter((user) => user.attachedPolicies.includes(arn)),
    groups: groups.list(account).filter((group) => group.attachedPolicies.includes(arn)),
    roles: roles.list(account).filter((role) => role.attachedPolicies.includes(arn)),
  });
  const usesOf = (account: string, arn: string) => {
    const attached = attachedTo(account, arn);
    const bounded = [...users.list(account), ...roles.list(account)].filter((one) => one.permissionsBoundary === arn);
    return {
      AttachmentCount: attached.users.length + attached.groups.length + attached.roles.length,
      PermissionsBoundaryUsageCount: bounded.length,
    };
  };
  const describe = (policy: PolicyRecord) => ({
    PolicyName: policy.name,
    PolicyId: policy.id,
    Arn: entityArn('policy', policy),
    Path: policy.path,
    DefaultVersionId: policy.defaultVersionId,
    ...usesOf(policy.account, entityArn('policy', policy)),
    IsAttachable: true,
    CreateDate: instant(policy.createdAt),
    UpdateDate: instant(policy.updatedAt),
  });
  const describeManaged = (policy: ManagedPolicy, account: string) => ({
    PolicyName: policy.name,
    Arn: policy.arn,
    Path: policy.path,
    DefaultVersionId: 'v1',
    ...usesOf(account, policy.arn),
    IsAttachable: true,
    CreateDate: instant(MANAGED_SINCE),
    UpdateDate: instant(MANAGED_SINCE),
  });
  const details = (policy: { readonly description?: string; readonly tags: PolicyRecord['tags'] }) => ({
    ...(policy.description !== undefined && { Description: policy.description }),
    ...(Object.keys(policy.tags).length > 0 && { Tags: upperCaseTags(policy.tags) }),
  });

  return {
    async CreatePolicy(input, { account }) {
      const name = checkName(input.PolicyName!, 'policyName', 128);
      if (policies.get(account, name))
        throw new AwsError(
          'EntityAlreadyExistsException',
          `A policy called ${name} already exists. Duplicate names are not allowed.`,
        );
      const now = clock.now();
      const policy: PolicyRecord = {
        account,
        name,
        path: checkPath(input.Path),
        id: newId(random, 'ANPA'),
        createdAt: now,
        updatedAt: now,
        tags: readTags(input.Tags, 'InvalidInputException'),
        versions: [{ id: 'v1', document: checkDocument(input.PolicyDocument!), createdAt: now }],
        defaultVersionId: 'v1',
        nextVersion: 2,
        ...(input.Description !== undefined && { description: input.Description }),
      };
      await policies.create(policy);
      return { Policy: { ...describe(policy), ...details(policy) } };
    },

    GetPolicy(input, { account }) {
      const managed = managedPolicy(input.PolicyArn!);
      if (managed) return { Policy: { ...describeManaged(managed, account), Description: managed.description } };
      const policy = find(account, input.PolicyArn!);
      return { Policy: { ...describe(policy), ...details(policy) } };
    },

    ListPolicies(input, { account }) {
      const own = input.Scope === 'AWS' ? [] : policies.list(account).map(describe);
      const managed = input.Scope === 'Local' ? [] : managedPolicies.map((policy) => describeManaged(policy, account));
      const isWanted = (policy: { readonly Path: string; readonly AttachmentCount: number }) =>
        policy.Path.startsWith(input.PathPrefix ?? '/') && (!input.OnlyAttached || policy.AttachmentCount > 0);
      const sortKey = (policy: { readonly PolicyName: string; readonly Arn: string }) =>
        `${policy.PolicyName.toLowerCase()} ${policy.Arn}`;
      const rows = [...own, ...managed]
        .filter(isWanted)
        .sort((first, second) => (sortKey(first) < sortKey(second) ? -1 : 1));
      const { items, marks } = iamPage(rows, input, sortKey);
      return { Policies: items, ...marks };
    },

    async DeletePolicy(input, { account }) {
      const policy = find(account, input.PolicyArn!);
      await policies.delete(policy.account, policy.name, (current) => {
        const { AttachmentCount, PermissionsBoundaryUsageCount } = usesOf(policy.account, input.PolicyArn!);
        if (AttachmentCount + PermissionsBoundaryUsageCount > 0)
          throw new AwsError('DeleteConflictException', 'Cannot delete a policy attached to entities.');
        if (current.versions.length > 1)
          throw new AwsError(
            'DeleteConflictException',
            "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.",
          );
      });
      return {};
    },

    async CreatePolicyVersion(input, { account }) {
      const document = checkDocument(input.PolicyDocument!);
      const policy = await update(account, input.PolicyArn!, (current) => {
        if (current.versions.length >= MAX_VERSIONS)
          throw new AwsError(
            'LimitExceededException',
            `A managed policy can have up to ${MAX_VERSIONS} versions. Before you create a new version, you must delete an existing version.`,
          );
        const id = `v${current.nextVersion}`;
        const now = clock.now();
        return {
          ...current,
          versions: [...current.versions, { id, document, createdAt: now }],
          nextVersion: current.nextVersion + 1,
          updatedAt: now,
          ...(input.SetAsDefault && { defaultVersionId: id }),
        };
      });
      return { PolicyVersion: describeVersion(policy.versions.at(-1)!, policy.defaultVersionId) };
    },

    GetPolicyVersion(input, { account }) {
      const managed = managedPolicy(input.PolicyArn!);
      if (managed && input.VersionId === 'v1')
        return {
          PolicyVersion: {
            ...describeVersion({ id: 'v1', document: '', createdAt: MANAGED_SINCE }, 'v1'),
            Document: encodeDocument(managed.document),
          },
        };
      const policy = find(account, input.PolicyArn!);
      const version = findVersion(policy, input.VersionId!);
      return {
        PolicyVersion: {
          ...describeVersion(version, policy.defaultVersionId),
          Document: encodeDocument(version.document),
        },
      };
    },

    ListPolicyVersions(input, { account }) {
      if (managedPolicy(input.PolicyArn!))
        return {
          Versions: [describeVersion({ id: 'v1', document: '', createdAt: MANAGED_SINCE }, 'v1')],
          IsTruncated: false,
        };
      const policy = find(account, input.PolicyArn!);
      const newestFirst = policy.versions
        .toReversed()
        .map((version) => describeVersion(version, policy.defaultVersionId));
      return { Versions: newestFirst, IsTruncated: false };
    },

    async DeletePolicyVersion(input, { account }) {
      await update(account, input.PolicyArn!, (policy) => {
        const { id } = findVersion(policy, input.VersionId!);
        if (id === policy.defaultVersionId)
          throw new AwsError('DeleteConflictException', 'Cannot delete the default version of a policy.');
        return { ...policy, versions: policy.versions.filter((version) => version.id !== id) };
      });
      return {};
    },

    async SetDefaultPolicyVersion(input, { account }) {
      await update(account, input.PolicyArn!, (policy) => ({
        ...policy,
        defaultVersionId: findVersion(policy, input.VersionId!).id,
        updatedAt: clock.now(),
      }));
      return {};
    },

    ListEntitiesForPolicy(input, { account }) {
      const arn = input.PolicyArn!;
      if (!managedPolicy(arn)) find(account, arn);
      const attached = attachedTo(account, arn);
      const isAsked = (kind: string) => input.EntityFilter === undefined || input.EntityFilter === kind;
      return {
        PolicyUsers: isAsked('User') ? attached.users.map(({ name, id }) => ({ UserName: name, UserId: id })) : [],
        PolicyGroups: isAsked('Group') ? attached.groups.map(({ name, id }) => ({ GroupName: name, GroupId: id })) : [],
        PolicyRoles: isAsked('Role') ? attached.roles.map(({ name, id }) => ({ RoleName: name, RoleId: id })) : [],
        IsTruncated: false,
      };
    },

    async TagPolicy(input, { account }) {
      const tags = readTags(input.Tags, 'InvalidInputException');
      await update(account, input.PolicyArn!, (policy) => ({
        ...policy,
        tags: mergeTags(policy.tags, tags, 'LimitExceededException'),
      }));
      return {};
    },

    async UntagPolicy(input, { account }) {
      await update(account, input.PolicyArn!, (policy) => ({
        ...policy,
        tags: withoutTags(policy.tags, input.TagKeys!),
      }));
      return {};
    },

    ListPolicyTags(input, { account }) {
      const { items, marks } = iamPage(
        upperCaseTags(find(account, input.PolicyArn!).tags).toSorted(byKey),
        input,
        (tag) => tag.Key,
      );
      return { Tags: items, ...marks };
    },
  };
}

function checkDocument(document: string): string {
  checkSize(document, MAX_POLICY_SIZE, 'PolicySize');
  return checkPolicy(document, 'identity');
}

function describeVersion(version: PolicyVersionRecord, defaultVersionId: string) {
  return {
    VersionId: version.id,
    IsDefaultVersion: version.id === defaultVersionId,
    CreateDate: instant(version.createdAt),
  };
}
