import { checkHoldsNothing, deleteConflict, limitExceeded, mustExist } from './checks.ts';
import { alreadyExists, checkName, checkPath, entityArn, newId } from './names.ts';
import { byName, iamPage, instant, underPath, type IamHandlers, type IamParts } from './parts.ts';
import type { GroupRecord } from './records.ts';
import { describeUser } from './users.ts';

const MAX_GROUPS_PER_USER = 10;

export function groupHandlers({ directory, clock, random }: IamParts): IamHandlers {
  const { groups, users } = directory;
  const find = (account: string, name: string) => mustExist(groups.get(account, name), 'group', name);
  const findUser = (account: string, name: string) => mustExist(users.get(account, name), 'user', name);
  const membersOf = (group: GroupRecord) =>
    users.list(group.account).filter((user) => user.groups.includes(group.name));
  return {
    async CreateGroup(input, { account }) {
      const name = checkName(input.GroupName!, 'groupName', 128);
      if (groups.get(account, name)) throw alreadyExists('Group', name);
      const group: GroupRecord = {
        account,
        name,
        path: checkPath(input.Path),
        id: newId(random, 'AGPA'),
        createdAt: clock.now(),
        inlinePolicies: {},
        attachedPolicies: [],
      };
      await groups.create(group);
      return { Group: describe(group) };
    },

    GetGroup(input, { account }) {
      const group = find(account, input.GroupName!);
      const { items, marks } = iamPage(membersOf(group), input, byName);
      return { Group: describe(group), Users: items.map(describeUser), ...marks };
    },

    ListGroups(input, { account }) {
      const { items, marks } = iamPage(underPath(groups.list(account), input.PathPrefix), input, byName);
      return { Groups: items.map(describe), ...marks };
    },

    async DeleteGroup(input, { account }) {
      const { name } = find(account, input.GroupName!);
      await groups.delete(account, name, (group) => {
        if (membersOf(group).length) throw deleteConflict('remove users from group');
        checkHoldsNothing(group);
      });
      return {};
    },

    async AddUserToGroup(input, { account }) {
      const group = find(account, input.GroupName!);
      const user = findUser(account, input.UserName!);
      await users.update(account, user.name, (current) => {
        if (current.groups.includes(group.name)) return current;
        if (current.groups.length >= MAX_GROUPS_PER_USER) throw limitExceeded('GroupsPerUser', MAX_GROUPS_PER_USER);
        return { ...current, groups: [...current.groups, group.name] };
      });
      return {};
    },

    async RemoveUserFromGroup(input, { account }) {
      const group = find(account, input.GroupName!);
      const user = findUser(account, input.UserName!);
      await users.update(account, user.name, (current) => ({
        ...current,
        groups: current.groups.filter((name) => name !== group.name),
      }));
      return {};
    },

    ListGroupsForUser(input, { account }) {
      const user = findUser(account, input.UserName!);
      const mine = groups.list(account).filter((group) => user.groups.includes(group.name));
      const { items, marks } = iamPage(mine, input, byName);
      return { Groups: items.map(describe), ...marks };
    },
  };
}

function describe(group: GroupRecord) {
  return {
    Path: group.path,
    GroupName: group.name,
    GroupId: group.id,
    Arn: entityArn('group', group),
    CreateDate: instant(group.createdAt),
  };
}
