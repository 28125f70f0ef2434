import { mergeTags, readTags, upperCaseTags, withoutTags } from '../tags.ts';
import type { Directory } from './directory.ts';
import { deleteConflict, limitExceeded, mustExist } from './checks.ts';
import { alreadyExists, checkName, checkPath, entityArn, newId, noSuchEntity } from './names.ts';
import { byName, iamPage, instant, underPath, type IamHandlers, type IamParts } from './parts.ts';
import type { InstanceProfileRecord } from './records.ts';
import { describe as describeRole } from './roles.ts';
import { byKey } from './users.ts';

export function instanceProfileHandlers({ directory, clock, random }: IamParts): IamHandlers {
  const { instanceProfiles: profiles, roles } = directory;
  const find = (account: string, name: string) => mustExist(profiles.get(account, name), 'instance profile', name);
  const findRole = (account: string, name: string) => mustExist(roles.get(account, name), 'role', name);
  const describe = (profile: InstanceProfileRecord) => ({
    Path: profile.path,
    InstanceProfileName: profile.name,
    InstanceProfileId: profile.id,
    Arn: entityArn('instance-profile', profile),
    CreateDate: instant(profile.createdAt),
    Roles: profile.roles.flatMap((name) => roles.get(profile.account, name) ?? []).map(describeRole),
    ...(Object.keys(profile.tags).length > 0 && { Tags: upperCaseTags(profile.tags) }),
  });
  return {
    async CreateInstanceProfile(input, { account }) {
      const name = checkName(input.InstanceProfileName!, 'instanceProfileName', 128);
      if (profiles.get(account, name)) throw alreadyExists('Instance Profile', name);
      const profile: InstanceProfileRecord = {
        account,
        name,
        path: checkPath(input.Path),
        id: newId(random, 'AIPA'),
        createdAt: clock.now(),
        tags: readTags(input.Tags, 'InvalidInputException'),
        roles: [],
      };
      await profiles.create(profile);
      return { InstanceProfile: describe(profile) };
    },

    GetInstanceProfile: (input, { account }) => ({
      InstanceProfile: describe(find(account, input.InstanceProfileName!)),
    }),

    ListInstanceProfiles(input, { account }) {
      const { items, marks } = iamPage(underPath(profiles.list(account), input.PathPrefix), input, byName);
      return { InstanceProfiles: items.map(describe), ...marks };
    },

    ListInstanceProfilesForRole(input, { account }) {
      const role = findRole(account, input.RoleName!);
      const mine = profiles.list(account).filter((profile) => profile.roles.includes(role.name));
      const { items, marks } = iamPage(mine, input, byName);
      return { InstanceProfiles: items.map(describe), ...marks };
    },

    async DeleteInstanceProfile(input, { account }) {
      const { name } = find(account, input.InstanceProfileName!);
      await profiles.delete(account, name, (profile) => {
        if (profile.roles.length) throw deleteConflict('remove roles from instance profile');
      });
      return {};
    },

    async AddRoleToInstanceProfile(input, context) {
      const { account } = context;
      const profile = find(account, input.InstanceProfileName!);
      const role = findRole(account, input.RoleName!);
      await context.authorize('iam:PassRole', entityArn('role', role));
      await profiles.update(account, profile.name, (current) => {
        if (current.roles.length) throw limitExceeded('InstanceSessionsPerInstanceProfile', 1);
        return { ...current, roles: [role.name] };
      });
      return {};
    },

    async RemoveRoleFromInstanceProfile(input, { account }) {
      const profile = find(account, input.InstanceProfileName!);
      const role = findRole(account, input.RoleName!);
      await profiles.update(account, profile.name, (current) => {
        if (!current.roles.includes(role.name)) throw noSuchEntity('role', role.name);
        return { ...current, roles: [] };
      });
      return {};
    },

    async TagInstanceProfile(input, { account }) {
      const tags = readTags(input.Tags, 'InvalidInputException');
      const { name } = find(account, input.InstanceProfileName!);
      await profiles.update(account, name, (profile) => ({
        ...profile,
        tags: mergeTags(profile.tags, tags, 'LimitExceededException'),
      }));
      return {};
    },

    async UntagInstanceProfile(input, { account }) {
      const { name } = find(account, input.InstanceProfileName!);
      await profiles.update(account, name, (profile) => ({
        ...profile,
        tags: withoutTags(profile.tags, input.TagKeys!),
      }));
      return {};
    },

    ListInstanceProfileTags(input, { account }) {
      const { tags } = find(account, input.InstanceProfileName!);
      const { items, marks } = iamPage(upperCaseTags(tags).toSorted(byKey), input, (tag) => tag.Key);
      return { Tags: items, ...marks };
    },
  };
}

/** Looks up profiles for who gives them to instances: by name, or by ARN. */
export function instanceProfiles({ instanceProfiles: profiles, roles }: Directory) {
  return (account: string, nameOrArn: string) => {
    const name = nameOrArn.slice(nameOrArn.lastIndexOf('/') + 1);
    const profile = profiles.get(account, name);
    if (!profile || (nameOrArn.startsWith('arn:') && entityArn('instance-profile', profile) !== nameOrArn))
      return undefined;
    const role = profile.roles[0] === undefined ? undefined : roles.get(account, profile.roles[0]);
    return {
      arn: entityArn('instance-profile', profile),
      id: profile.id,
      roleArn: role && entityArn('role', role),
    };
  };
}
