import { limitExceeded, mustExist } from './checks.ts';
import { newId, newSecret, noSuchEntity } from './names.ts';
import { iamPage, instant, type IamHandlers, type IamParts } from './parts.ts';
import type { AccessKeyRecord } from './records.ts';
import { userNameOf } from './users.ts';

const MAX_KEYS = 2;

export function accessKeyHandlers({ directory, clock, random }: IamParts): IamHandlers {
  const { users, accessKeys } = directory;
  const keysOf = (account: string, userName: string) =>
    accessKeys.list(account).filter((key) => key.userName === userName);
  const find = (account: string, userName: string, id: string): AccessKeyRecord => {
    const key = accessKeys.get(account, id);
    if (!key || key.userName !== userName) throw noSuchEntity('Access Key', id);
    return key;
  };
  return {
    async CreateAccessKey(input, context) {
      const name = userNameOf(input, context);
      const user = mustExist(users.get(context.account, name), 'user', name);
      if (keysOf(context.account, user.name).length >= MAX_KEYS) throw limitExceeded('AccessKeysPerUser', MAX_KEYS);
      const key: AccessKeyRecord = {
        account: user.account,
        id: newId(random, 'AKIA'),
        userName: user.name,
        secretAccessKey: newSecret(random),
        status: 'Active',
        createdAt: clock.now(),
      };
      await accessKeys.create(key);
      return { AccessKey: { ...describe(key), SecretAccessKey: key.secretAccessKey } };
    },

    ListAccessKeys(input, context) {
      const name = userNameOf(input, context);
      const user = mustExist(users.get(context.account, name), 'user', name);
      const { items, marks } = iamPage(keysOf(context.account, user.name), input, (key) => key.id);
      return { AccessKeyMetadata: items.map(describe), ...marks };
    },

    async UpdateAccessKey(input, context) {
      const status = input.Status === 'Active' ? 'Active' : 'Inactive';
      const key = find(context.account, userNameOf(input, context), input.AccessKeyId!);
      await accessKeys.update(context.account, key.id, (current) => ({ ...current, status }));
      return {};
    },

    async DeleteAccessKey(input, context) {
      const key = find(context.account, userNameOf(input, context), input.AccessKeyId!);
      await accessKeys.delete(context.account, key.id);
      return {};
    },
  };
}

function describe(key: AccessKeyRecord) {
  return { UserName: key.userName, AccessKeyId: key.id, Status: key.status, CreateDate: instant(key.createdAt) };
}
