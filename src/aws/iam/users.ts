import type { CallContext } from '../service.ts';
import { mergeTags, readTags, upperCaseTags, withoutTags } from '../tags.ts';
import { checkHoldsNothing, checkPolicyArn, deleteConflict, mustExist } from './checks.ts';
import { alreadyExists, checkName, checkPath, entityArn, newId, validation } from './names.ts';
import { byName, iamPage, instant, underPath, type IamHandlers, type IamParts } from './parts.ts';
import type { UserRecord } from './records.ts';

export function userHandlers({ directory, clock, random }: IamParts): IamHandlers {
  const { users, accessKeys } = directory;
  const find = (account: string, name: string) => mustExist(users.get(account, name), 'user', name);
  const update = (account: string, name: string, change: (user: UserRecord) => UserRecord) => {
    find(account, name);
    return users.update(account, name, change);
  };
  return {
    async CreateUser(input, { account }) {
      const name = checkName(input.UserName!, 'userName', 64);
      if (users.get(account, name)) throw alreadyExists('User', name);
      const boundary = input.PermissionsBoundary;
      const user: UserRecord = {
        account,
        name,
        path: checkPath(input.Path),
        id: newId(random, 'AIDA'),
        createdAt: clock.now(),
        tags: readTags(input.Tags, 'InvalidInputException'),
        inlinePolicies: {},
        attachedPolicies: [],
        groups: [],
        ...(boundary && { permissionsBoundary: checkPolicyArn(boundary, account, directory) }),
      };
      await users.create(user);
      return { User: describeUser(user) };
    },

    GetUser(input, context) {
      if (input.UserName === undefined && context.principal.kind === 'root')
        return {
          User: {
            Path: '/',
            UserName: 'root',
            UserId: context.account,
            Arn: context.principal.arn,
            CreateDate: instant(0),
          },
        };
      return { User: describeUser(find(context.account, userNameOf(input, context))) };
    },

    ListUsers(input, { account }) {
      const { items, marks } = iamPage(underPath(users.list(account), input.PathPrefix), input, byName);
      return { Users: items.map(describeUser), ...marks };
    },

    async DeleteUser(input, { account }) {
      const { name } = find(account, input.UserName!);
      await users.delete(account, name, (user) => {
        if (accessKeys.list(account).some((key) => key.userName === name)) throw deleteConflict('delete access keys');
        if (user.groups.length) throw deleteConflict('remove users from group');
        checkHoldsNothing(user);
      });
      return {};
    },

    async TagUser(input, { account }) {
      const tags = readTags(input.Tags, 'InvalidInputException');
      await update(account, input.UserName!, (user) => ({
        ...user,
        tags: mergeTags(user.tags, tags, 'LimitExceededException'),
      }));
      return {};
    },

    async UntagUser(input, { account }) {
      await update(account, input.UserName!, (user) => ({ ...user, tags: withoutTags(user.tags, input.TagKeys!) }));
      return {};
    },

    ListUserTags(input, { account }) {
      const { tags } = find(account, input.UserName!);
      const { items, marks } = iamPage(upperCaseTags(tags).toSorted(byKey), input, (tag) => tag.Key);
      return { Tags: items, ...marks };
    },

    async PutUserPermissionsBoundary(input, { account }) {
      const permissionsBoundary = checkPolicyArn(input.PermissionsBoundary!, account, directory);
      await update(account, input.UserName!, (user) => ({ ...user, permissionsBoundary }));
      return {};
    },

    async DeleteUserPermissionsBoundary(input, { account }) {
      await update(account, input.UserName!, withoutBoundary);
      return {};
    },
  };
}

/** The user that a call names, or that made it. */
export function userNameOf(input: { readonly UserName?: string | undefined }, { principal }: CallContext): string {
  if (input.UserName !== undefined) return input.UserName;
  if (principal.kind === 'user') return principal.userName;
  throw validation('Must specify userName when calling with non-User credentials');
}

export function byKey(first: { readonly Key: string }, second: { readonly Key: string }): number {
  return first.Key < second.Key ? -1 : 1;
}

export function describeUser(user: UserRecord) {
  return {
    Path: user.path,
    UserName: user.name,
    UserId: user.id,
    Arn: entityArn('user', user),
    CreateDate: instant(user.createdAt),
    ...boundaryOf(user),
    ...(Object.keys(user.tags).length > 0 && { Tags: upperCaseTags(user.tags) }),
  };
}

export function withoutBoundary<T extends { readonly permissionsBoundary?: string }>(entity: T): T {
  const copy: T & { permissionsBoundary?: string } = { ...entity };
  delete copy.permissionsBoundary;
  return copy;
}

export function boundaryOf(entity: { readonly permissionsBoundary?: string }) {
  return (
    entity.permissionsBoundary !== undefined && {
      PermissionsBoundary: {
        PermissionsBoundaryType: 'PermissionsBoundaryPolicy' as const,
        PermissionsBoundaryArn: entity.permissionsBoundary,
      },
    }
  );
}
