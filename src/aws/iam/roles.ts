import { mergeTags, readTags, upperCaseTags, withoutTags } from '../tags.ts';
import { checkHoldsNothing, checkPolicyArn, checkTrustPolicy, deleteConflict, mustExist } from './checks.ts';
import { alreadyExists, checkName, checkPath, entityArn, newId, validation } from './names.ts';
import { byName, encodeDocument, iamPage, instant, underPath, type IamHandlers, type IamParts } from './parts.ts';
import type { RoleRecord } from './records.ts';
import { checkModifiable, SERVICE_LINKED_PATH } from './service-linked-policies.ts';
import { boundaryOf, byKey, withoutBoundary } from './users.ts';

const DEFAULT_SESSION_SECONDS = 3600;

export function roleHandlers({ directory, clock, random }: IamParts): IamHandlers {
  const { roles, instanceProfiles } = directory;
  const find = (account: string, name: string) => mustExist(roles.get(account, name), 'role', name);
  const update = (account: string, name: string, change: (role: RoleRecord) => RoleRecord) => {
    find(account, name);
    return roles.update(account, name, change);
  };
  /** What a service says of a role of its own; the account describes and tags that, and no more. */
  const updateOwn: typeof update = (account, name, change) => {
    checkModifiable(find(account, name));
    return update(account, name, change);
  };
  return {
    async CreateRole(input, { account }) {
      const name = checkName(input.RoleName!, 'roleName', 64);
      if (roles.get(account, name)) throw alreadyExists('Role', name);
      if (input.Path?.startsWith(SERVICE_LINKED_PATH))
        throw validation(`Roles below the path ${SERVICE_LINKED_PATH} are made by CreateServiceLinkedRole.`);
      const boundary = input.PermissionsBoundary;
      const role: RoleRecord = {
        account,
        name,
        path: checkPath(input.Path),
        id: newId(random, 'AROA'),
        createdAt: clock.now(),
        tags: readTags(input.Tags, 'InvalidInputException'),
        inlinePolicies: {},
        attachedPolicies: [],
        trustPolicy: checkTrustPolicy(input.AssumeRolePolicyDocument!, directory),
        maxSessionSeconds: checkSessionSeconds(input.MaxSessionDuration ?? DEFAULT_SESSION_SECONDS),
        ...(input.Description !== undefined && { description: input.Description }),
        ...(boundary && { permissionsBoundary: checkPolicyArn(boundary, account, directory) }),
      };
      await roles.create(role);
      return { Role: describe(role) };
    },

    GetRole: (input, { account }) => ({ Role: describeWhole(find(account, input.RoleName!)) }),

    ListRoles(input, { account }) {
      const { items, marks } = iamPage(underPath(roles.list(account), input.PathPrefix), input, byName);
      return { Roles: items.map(describe), ...marks };
    },

    async UpdateRole(input, { account }) {
      const seconds = input.MaxSessionDuration;
      const change = seconds === undefined ? update : updateOwn;
      await change(account, input.RoleName!, (role) => ({
        ...role,
        ...(input.Description !== undefined && { description: input.Description }),
        ...(seconds !== undefined && { maxSessionSeconds: checkSessionSeconds(seconds) }),
      }));
      return {};
    },

    async UpdateRoleDescription(input, { account }) {
      const description = input.Description!;
      return { Role: describeWhole(await update(account, input.RoleName!, (role) => ({ ...role, description }))) };
    },

    async UpdateAssumeRolePolicy(input, { account }) {
      const trustPolicy = checkTrustPolicy(input.PolicyDocument!, directory);
      await updateOwn(account, input.RoleName!, (role) => ({ ...role, trustPolicy }));
      return {};
    },

    async DeleteRole(input, { account }) {
      const { name } = find(account, input.RoleName!);
      await roles.delete(account, name, (role) => {
        checkModifiable(role);
        if (instanceProfiles.list(account).some((profile) => profile.roles.includes(name)))
          throw deleteConflict('remove roles from instance profile');
        checkHoldsNothing(role);
      });
      return {};
    },

    async TagRole(input, { account }) {
      const tags = readTags(input.Tags, 'InvalidInputException');
      await update(account, input.RoleName!, (role) => ({
        ...role,
        tags: mergeTags(role.tags, tags, 'LimitExceededException'),
      }));
      return {};
    },

    async UntagRole(input, { account }) {
      await update(account, input.RoleName!, (role) => ({ ...role, tags: withoutTags(role.tags, input.TagKeys!) }));
      return {};
    },

    ListRoleTags(input, { account }) {
      const { tags } = find(account, input.RoleName!);
      const { items, marks } = iamPage(upperCaseTags(tags).toSorted(byKey), input, (tag) => tag.Key);
      return { Tags: items, ...marks };
    },

    async PutRolePermissionsBoundary(input, { account }) {
      const permissionsBoundary = checkPolicyArn(input.PermissionsBoundary!, account, directory);
      await updateOwn(account, input.RoleName!, (role) => ({ ...role, permissionsBoundary }));
      return {};
    },

    async DeleteRolePermissionsBoundary(input, { account }) {
      await updateOwn(account, input.RoleName!, withoutBoundary);
      return {};
    },
  };
}

function checkSessionSeconds(seconds: number): number {
  if (seconds < 3600 || seconds > 43_200)
    throw validation(
      `1 validation error detected: Value '${seconds}' at 'maxSessionDuration' failed to satisfy constraint: Member must be between 3600 and 43200`,
    );
  return seconds;
}

/** As lists and instance profiles show a role. */
export function describe(role: RoleRecord) {
  return {
    Path: role.path,
    RoleName: role.name,
    RoleId: role.id,
    Arn: entityArn('role', role),
    CreateDate: instant(role.createdAt),
    AssumeRolePolicyDocument: encodeDocument(role.trustPolicy),
    MaxSessionDuration: role.maxSessionSeconds,
    ...(role.description !== undefined && { Description: role.description }),
  };
}

function describeWhole(role: RoleRecord) {
  return {
    ...describe(role),
    ...boundaryOf(role),
    ...(Object.keys(role.tags).length > 0 && { Tags: upperCaseTags(role.tags) }),
    RoleLastUsed: {},
  };
}
